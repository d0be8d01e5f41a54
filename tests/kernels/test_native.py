from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.kernels import native

SOURCE = Path(native.__file__).resolve().parents[2]
WITHOUT_LIBRARY = "import sys; sys.modules['tidegate.kernels._cpu'] = None\n"  # an import of it now fails
LOG = "Tidegate runs on its slower reference kernels, for the compiled ones are missing: they were not built"


def run(program: str, setting: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``program`` in a fresh interpreter, where nothing is loaded yet, with warnings as errors."""
    environment = {name: value for name, value in os.environ.items() if name != "TIDEGATE_NATIVE"}
    environment["PYTHONPATH"] = str(SOURCE)
    if setting is not None:
        environment["TIDEGATE_NATIVE"] = setting
    program = "from tidegate.kernels import native\n" + program
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )


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
    assert native.instruction_set() == ("avx512" if avx512 else "avx2" if avx2 else "baseline")
    assert native.available()


def test_the_library_is_loaded_when_first_asked_for() -> None:
    done = run("import sys; sys.exit('tidegate.kernels._cpu' in sys.modules)")
    assert (done.returncode, done.stderr) == (0, "")


def test_absence_is_said_once_and_only_to_who_wants_the_library() -> None:
    quiet = run(WITHOUT_LIBRARY + "assert 'not built' in native.missing_because()")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    asked = run(WITHOUT_LIBRARY + "assert not native.available()\nassert not native.available()")
    assert asked.returncode == 0, asked.stderr
    assert asked.stderr.count("\n") == 1
    assert asked.stderr.startswith(LOG)


def test_the_variable_switches_the_library_off_without_a_word() -> None:
    program = "assert not native.available()\nprint(native.missing_because())"
    done = run(program, setting="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "switched off by TIDEGATE_NATIVE=0\n"


def test_the_variable_can_demand_the_library() -> None:
    done = run(WITHOUT_LIBRARY + "native.available()", setting="1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "tidegate.errors.UnsupportedError: TIDEGATE_NATIVE=1 demands the compiled CPU kernels, which are missing: they"
    )


def test_another_setting_of_the_variable_is_refused() -> None:
    done = run("native.available()", setting="yes")
    assert done.stderr.splitlines()[-1] == (
        "tidegate.errors.SpecError: TIDEGATE_NATIVE must be 0 (without compiled kernels), 1 (demand them) or unset; "
        "got 'yes'"
    )


def test_without_the_library_there_is_no_instruction_set() -> None:
    done = run("native.instruction_set()", setting="0")
    assert done.stderr.splitlines()[-1] == (
        "tidegate.errors.UnsupportedError: there is no instruction set to name: the compiled CPU kernels are missing "
        "(switched off by TIDEGATE_NATIVE=0)"
    )
