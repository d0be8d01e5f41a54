# Two commands for a newcomer: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint types contracts unit sanitize arm64 setup clean

help:
	@echo "make demo   set up .venv, forecast the bundled data, say where the report lies"
	@echo "make test   set up .venv, then lint, types, import contracts, tests and documented examples"
	@echo "make sanitize, make arm64   longer checks of the compiled kernels, see the Makefile"
	@echo "make clean  remove .venv and everything that was built"

demo: $(READY)
	@$(BIN)/tidegate demo --out run/demo

test: lint types contracts unit

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

unit: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

# The compiled kernels with AddressSanitizer and UBSan, and their tests on that; needs GCC and takes some minutes.
# TESTS goes to pytest: make sanitize TESTS='-k shapes'
sanitize: $(READY)
	CC=gcc CXX=g++ $(BIN)/python tests/kernels/sanitize.py $(TESTS)

# The compiled kernels for arm64, as setup.py compiles them. They are not linked (-c): torch's libraries here are of
# this machine, and only the headers are the same for every one.
arm64: ARM64_CXX ?= aarch64-linux-gnu-g++
arm64: $(READY)
	@command -v $(ARM64_CXX) >/dev/null || { echo "there is no $(ARM64_CXX): install a cross compiler (Debian and Ubuntu:" \
	"apt-get install g++-aarch64-linux-gnu), or name another with ARM64_CXX=" >&2; exit 1; }
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	TIDEGATE_NATIVE=1 CXX=$(ARM64_CXX) CFLAGS=-Wall CXXFLAGS=-Wall LDFLAGS=-c \
	$(BIN)/python setup.py -q build_ext --build-lib "$$folder" --build-temp "$$folder" && \
	echo "compiled for arm64: $$(cd "$$folder" && find . -name '*.o' -printf '%f ')"

setup: $(READY)

$(READY): pyproject.toml setup.py constraints.txt $(wildcard src/tidegate/kernels/cpu/*)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tidegate needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src -name '*.so' -delete
