"""Build the compiled kernels with AddressSanitizer and UBSan, apart from the sources, and run their tests on that.

``make sanitize`` calls this with GCC; arguments go on to pytest, as in ``make sanitize TESTS='-k shapes'``. What a
sanitizer finds ends the process with its report. It sees this library's code only: torch is not built for it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("agreement", "options", "numbers", "threads", "crf", "int8")
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"
WHICH = "import tidegate.kernels._cpu as library; print(library.__file__)"


def runtime(compiler: str) -> str:
    """Give what has to be in the process before Python: the sanitizers, and the library that throws exceptions."""
    found = []
    for name in ("libasan.so", "libubsan.so", "libstdc++.so"):
        answer = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        path = answer.stdout.strip()
        if not Path(path).is_absolute():
            sys.exit(f"{compiler} has no {name}: install GCC's sanitizers (Debian: libgcc-12-dev or its like)")
        found.append(path)
    return " ".join(found)


def build(folder: Path) -> None:
    """Compile the library into a copy of the package below ``folder``."""
    flags = f"{SANITIZE} -fno-omit-frame-pointer -g1"
    # CPPFLAGS, for every setuptools hands these on to the C++ compiler, beside flags of its own
    environment = os.environ | {"CPPFLAGS": flags, "LDFLAGS": SANITIZE, "TIDEGATE_NATIVE": "1"}
    unwanted = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "src" / "tidegate", folder / "tidegate", ignore=unwanted)
    where = ["--build-lib", str(folder), "--build-temp", str(folder / "objects")]
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", *where], cwd=ROOT, env=environment, check=True)


def run_tests(folder: Path, arguments: Sequence[str]) -> int:
    """Run the kernels' tests on that copy; give pytest's answer, or the sanitizers'."""
    environment = os.environ | {
        "LD_PRELOAD": runtime(os.environ.get("CC", "gcc")),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python and torch keep what they have to the end
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": str(folder),
        "TIDEGATE_NATIVE": "1",
    }
    answer = subprocess.run([sys.executable, "-c", WHICH], env=environment, capture_output=True, text=True, check=False)
    if not answer.stdout.startswith(str(folder)):
        sys.exit(f"the sanitized library was not loaded: {answer.stdout}{answer.stderr}")
    files = [f"tests/kernels/test_cpu_{name}.py" for name in TESTS]
    # Without capture: a report goes to a file descriptor that pytest would take over, and that dies with the process.
    command = [sys.executable, "-m", "pytest", "-q", "--capture=no", "-p", "no:cacheprovider", *files, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    if importlib.util.find_spec("setuptools") is None:
        sys.exit("setuptools is missing from this environment: make setup")
    with tempfile.TemporaryDirectory(prefix="tidegate-sanitize-") as folder:
        build(Path(folder))
        return run_tests(Path(folder), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
