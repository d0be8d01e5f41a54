from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import tidegate

HEAVY = ("torch", "pandas", "polars", "plotly", "narwhals", "numpy", "safetensors")


def _modules_after(program: str) -> set[str]:
    probe = f"import sys\n{program}\nprint(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "program",
    [
        "import tidegate",
        "from tidegate.cli.app import main; assert main(['--help']) == 0",
        "from tidegate.cli.app import main; assert main(['forecast', '--help']) == 0",
        "from tidegate.cli.app import main; assert main(['bench', '--help']) == 0",
        "from tidegate.cli.app import main; assert main(['--version']) == 0",
    ],
)
def test_what_must_be_quick_imports_nothing_heavy(program: str) -> None:
    loaded = _modules_after(program)
    assert "tidegate" in loaded
    assert not loaded.intersection(HEAVY)


def test_importing_the_package_imports_no_command_line() -> None:
    assert not {"typer", "rich", "tidegate.cli"} & _modules_after("import tidegate")


def test_help_lists_the_commands(cli: Any) -> None:
    for arguments in (["--help"], []):
        result = cli(*arguments)
        assert result.code == 0
        names = ("forecast", "classify", "predict", "evaluate", "info", "demo", "bench")
        assert [name for name in names if f"  {name}  " not in result.out] == []


def test_version(cli: Any) -> None:
    result = cli("--version")
    assert (result.code, result.out) == (0, f"tidegate {tidegate.__version__}\n")


def test_running_the_package_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "tidegate", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"tidegate {tidegate.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["forecast", "x.csv", "--horizn", "3", "--out", "run"], "No such option: --horizn"),
        (["forecast", "x.csv", "--out", "run"], "Missing option '--horizon'"),
        (["forecast", "--horizon", "3", "--out", "run"], "Missing argument"),
        (["forecast", "x.csv", "--horizon", "soon", "--out", "run"], "Invalid value for '--horizon'"),
        (["forecast", "x.csv", "--horizon", "2.5", "--out", "run"], "Invalid value for '--horizon'"),
        (["predict", "m", "x.csv", "y.csv"], "Got unexpected extra argument"),
        (["bench", "x.csv"], "Got unexpected extra argument"),
        (["bench", "--quik"], "No such option: --quik"),
        (["bench", "--threads", "two"], "Invalid value for '--threads'"),
    ],
)
def test_usage_errors_are_one_line(cli: Any, arguments: list[str], said: str) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert result.err.startswith(f"tidegate: error: {said}")
    assert " --help" in result.err
