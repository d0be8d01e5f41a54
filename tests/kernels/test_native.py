from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.errors import SpecError, UnsupportedError
from tidegate.kernels import native

LOG = "Tidegate runs on its slower reference kernels, for the compiled ones are missing: they were not built"


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test load anew, as a fresh process would."""
    monkeypatch.delenv("TIDEGATE_NATIVE", raising=False)
    _forget()
    yield
    _forget()


def _forget() -> None:
    native._load.cache_clear()
    native._available.cache_clear()


@pytest.fixture
def _not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tidegate.kernels._cpu", None)  # an import of it now fails


def linux_flags() -> set[str]:
    """Read what the kernel says of this CPU: an oracle that shares nothing with the library."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("no /proc/cpuinfo on this system to compare with")
    lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()


def test_the_instruction_set_is_what_the_cpu_has() -> None:
    if (reason := native.missing_because()) is not None:
        pytest.skip(f"the compiled kernels are missing: {reason}")
    flags = linux_flags()
    avx2 = {"avx2", "fma"} <= flags
    avx512 = avx2 and {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags
    best = "avx512_vnni" if "avx512_vnni" in flags else "avx512"
    assert native.instruction_set() == (best if avx512 else "avx2" if avx2 else "baseline")
    assert native.available()


def test_the_instruction_set_can_be_limited_for_a_while() -> None:
    if (reason := native.missing_because()) is not None:
        pytest.skip(f"the compiled kernels are missing: {reason}")
    best = native.instruction_set()
    with native.limited_to("baseline"):
        assert native.instruction_set() == "baseline"
        with pytest.raises(UnsupportedError, match="limited to avx2 here: the best they may use is baseline"):
            native.limited_to("avx2").__enter__()
    assert native.instruction_set() == best
    with pytest.raises(SpecError, match="one of baseline, avx2, avx512, avx512_vnni; got 'neon'"):
        native.limited_to("neon").__enter__()


@pytest.mark.usefixtures("_not_built")
def test_absence_is_logged_once_and_only_for_who_wants_the_library(caplog: pytest.LogCaptureFixture) -> None:
    assert str(native.missing_because()).startswith("they were not built when Tidegate was installed")
    assert caplog.messages == []
    assert not native.available()
    assert not native.available()
    [message] = caplog.messages
    assert message.startswith(LOG)


def test_a_library_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(f"{name}: undefined symbol: torch_library_impl")

    monkeypatch.setattr("tidegate.kernels.native.importlib.import_module", fail)
    assert native.missing_because() == (
        "the library cannot be loaded (tidegate.kernels._cpu: undefined symbol: torch_library_impl)"
    )


def test_a_fresh_process_says_so_on_one_line_and_runs_on() -> None:
    """Loaded no sooner than asked for; no Python warning, which this interpreter would turn into an error."""
    program = (
        "import sys, tidegate.kernels.native as native\n"
        "assert 'tidegate.kernels._cpu' not in sys.modules\n"
        "sys.modules['tidegate.kernels._cpu'] = None\n"
        "assert not native.available()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TIDEGATE_NATIVE"}
    environment["PYTHONPATH"] = str(Path(native.__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(LOG)
    assert done.stderr.count("\n") == 1


def test_the_variable_switches_the_library_off_without_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TIDEGATE_NATIVE", "0")
    assert not native.available()
    assert native.missing_because() == "switched off by TIDEGATE_NATIVE=0"
    assert caplog.messages == []
    with pytest.raises(UnsupportedError, match=r"no instruction set to name: .* \(switched off by TIDEGATE_NATIVE=0\)"):
        native.instruction_set()


@pytest.mark.usefixtures("_not_built")
def test_the_variable_can_demand_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_NATIVE", "1")
    for _ in range(2):  # the demand does not wear off
        with pytest.raises(UnsupportedError, match=r"TIDEGATE_NATIVE=1 demands the compiled CPU kernels, .* not built"):
            native.available()


def test_another_setting_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_NATIVE", "yes")
    with pytest.raises(SpecError, match=r"must be 0 \(without .*\), 1 \(demand them\) or unset; got 'yes'"):
        native.available()
