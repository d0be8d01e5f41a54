"""What `import tidegate` and `tidegate --help` cost, and that every public name is found when it is asked for."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import tidegate

SOURCE = Path(tidegate.__file__).parents[1]
HEAVY = ("narwhals", "numpy", "pandas", "plotly", "polars", "torch")
REPEATS = 5


def run_python(*arguments: str) -> str:
    """Run a fresh interpreter on this very source tree; give its standard output."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def imported_by(statement: str) -> set[str]:
    """Give which of the heavy packages a fresh interpreter holds after ``statement``."""
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    return set(json.loads(run_python("-c", script).splitlines()[-1])) & set(HEAVY)


def processor_seconds(*arguments: str) -> float:
    """Give the least processor time of several runs: unlike the clock's, it hardly depends on the machine's load."""
    times = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_python(*arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


def test_import_loads_nothing_heavy() -> None:
    assert imported_by("import tidegate") == set()


def test_the_heavy_packages_are_seen_when_they_are_imported() -> None:
    assert imported_by("import tidegate; tidegate.sliding_windows") >= {"numpy"}


def test_specs_need_neither_torch_nor_frames() -> None:
    assert imported_by("import tidegate; tidegate.Recurrent(); tidegate.Training(); tidegate.Columns()") == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["forecast", "--help"], ["bench", "--help"], ["--version"]], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    command = f"from tidegate.cli.app import main; assert main({arguments!r}) == 0"
    assert imported_by(command) == set()


def test_help_of_the_module_lists_the_commands() -> None:
    text = run_python("-m", "tidegate", "--help")
    for command in ("forecast", "predict", "evaluate", "info", "demo", "bench"):
        assert f"  {command}  " in text


def test_import_takes_a_fifth_of_a_second_at_most() -> None:
    assert processor_seconds("-c", "import tidegate") - processor_seconds("-c", "pass") <= 0.2


def test_help_takes_half_a_second_at_most() -> None:
    assert processor_seconds("-m", "tidegate", "--help") <= 0.5


@pytest.mark.parametrize("name", tidegate.__all__)
def test_every_public_name_resolves(name: str) -> None:
    value = getattr(tidegate, name)
    assert value is getattr(tidegate, name)
    if name not in (*tidegate._MODULES, "__version__", "datasets"):
        assert value.__name__ == name
        assert value.__module__.startswith(tidegate._HOME_OF[name])


def test_public_names_are_those_with_a_home() -> None:
    homes = [name for names in tidegate._HOMES.values() for name in names]
    assert sorted([*tidegate._MODULES, *homes, "__version__"]) == sorted(tidegate.__all__)


def test_dir_lists_the_public_names() -> None:
    assert dir(tidegate) == sorted(tidegate.__all__)


def test_star_import_brings_the_public_names() -> None:
    script = "from tidegate import *\nimport json\nprint(json.dumps([n for n in dir() if n != 'json']))"
    assert set(tidegate.__all__) <= set(json.loads(run_python("-c", script)))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'tidegate' has no attribute 'LSTM'$"):
        tidegate.LSTM  # noqa: B018 - looking is what is tested
    assert not hasattr(tidegate, "forecaster")
