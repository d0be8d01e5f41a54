from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

from tidegate import errors
from tidegate.cli.boundary import guarded


def fail(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


def test_success_gives_the_code_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: 7) == 7
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.DataError("column 'y', line 3: bad"), 2, "tidegate: error: column 'y', line 3: bad\n"),
        (errors.OutputError("cannot write 'run'"), 2, "tidegate: error: cannot write 'run'\n"),
        (errors.SpecError("two\nlines\x1b[31m"), 2, "tidegate: error: two lines [31m\n"),
        (
            errors.ShortSeriesError("'skip_short' is short; leave it out (skip_short), or sort=True"),
            2,
            "tidegate: error: 'skip_short' is short; leave it out (--skip-short), or --sort\n",
        ),
        (
            errors.SpecError("fit it with uncertainty=Uncertainty(head='quantiles'), or Uncertainty(calibration=0.1)"),
            2,
            "tidegate: error: fit it with --head quantiles, or --calibration 0.1\n",
        ),
        (
            errors.DataError("the future lacks 'future'; give future= with those rows"),
            2,
            "tidegate: error: the future lacks 'future'; give --future with those rows\n",
        ),
        (errors.TrainingError("loss is NaN"), 1, "tidegate: error: loss is NaN; --debug shows where\n"),
        (PermissionError(13, "Permission denied", "a.csv"), 2, "tidegate: error: Permission denied ('a.csv')\n"),
        (KeyboardInterrupt(), 130, "tidegate: interrupted\n"),
        (typer.BadParameter("no"), 2, "tidegate: error: Invalid value: no; see tidegate --help\n"),
        (
            ZeroDivisionError("by zero"),
            1,
            "tidegate: error: Tidegate failed, which it should not: ZeroDivisionError: by zero; --debug shows where\n",
        ),
        (
            MemoryError(),
            1,
            "tidegate: error: not enough memory; take a smaller --batch-size, a smaller network or fewer rows; "
            "--debug shows where\n",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            1,
            "tidegate: error: not enough memory; take a smaller --batch-size, a smaller network or fewer rows; "
            "--debug shows where\n",
        ),
        (errors.SpecError("members must be 1; got 0"), 2, "tidegate: error: --members must be 1; got 0\n"),
    ],
)
def test_each_failure_is_one_line_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(fail(error)) == code
    captured = capsys.readouterr()
    assert captured.err == said
    assert captured.out == ""


def test_a_traceback_only_when_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(fail(errors.DataError("bad")), debug=True) == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("tidegate: error: bad\n")


def test_system_exit_passes() -> None:
    with pytest.raises(SystemExit):
        guarded(fail(SystemExit(5)))


def _process(program: str, stdout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys\nfrom tidegate.cli.boundary import guarded\n{program}"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_a_reader_that_went_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = _process("sys.exit(guarded(lambda: print('x' * 100_000) or 0))", write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_behind_standard_output_is_told() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = _process("sys.exit(guarded(lambda: print('x') or 0))", full)
    os.close(full)
    assert (done.returncode, done.stderr) == (2, "tidegate: error: No space left on device\n")


def test_a_closed_standard_output_is_no_crash() -> None:
    done = subprocess.run(
        f"{sys.executable} -c 'import sys; from tidegate.cli.app import main; sys.exit(main([\"--version\"]))' >&-",
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
