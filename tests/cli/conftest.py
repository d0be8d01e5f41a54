"""Running the command line in this process, and small CSV files to run it on."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tidegate.cli.app import main

TINY = (
    "--max-steps",
    "4",
    "--hidden-size",
    "4",
    "--context",
    "6",
    "--season",
    "1",
    "--windows",
    "1",
    "--device",
    "cpu",
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command left: its exit code and both channels."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("tidegate: error: ")]


Run = Callable[..., Result]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line as a process would, without being one."""

    def run(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Options under which a fit takes no time."""
    return TINY


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a CSV file, from lines or from bytes, and give its path."""

    def written(content: Sequence[str] | bytes, name: str = "sales.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode())
        return path

    return written


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if anything is trained."""
    from tidegate.forecast import Forecaster

    monkeypatch.setattr(Forecaster, "fit", lambda *_, **__: pytest.fail("trained before the output was checked"))


def daily(rows: int, *, series: Sequence[str] = ("north",), first: int = 1) -> list[str]:
    """Give lines of a table ``store,date,units``: so many days for each series, from some day of 2024 on."""
    day = dt.date(2024, 1, 1)
    lines = ["store,date,units"]
    for place, name in enumerate(series):
        for step in range(first, first + rows):
            moment = day + dt.timedelta(days=step)
            lines.append(f"{name},{moment},{100 * (place + 1) + 10 * math.sin(step / 3):.3f}")
    return lines


@pytest.fixture
def lines() -> Callable[..., list[str]]:
    """Give the lines of a good table, to be spoiled."""
    return daily


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model trained for a moment on two daily series ``north`` and ``south``, horizon 3, context 6."""
    folder = tmp_path_factory.mktemp("model")
    csv = folder / "sales.csv"
    csv.write_text("\n".join(daily(40, series=("north", "south"))) + "\n")
    columns = ["--time", "date", "--target", "units", "--id", "store"]
    arguments = ["forecast", str(csv), *columns, "--horizon", "3", "--out", str(folder / "run"), *TINY, "--quiet"]
    assert main(arguments) == 0
    return folder / "run" / "model.safetensors"
