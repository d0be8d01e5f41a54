"""A fit on M4 hourly beside NeuralForecast's, in turns, each in a process of its own."""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
from typing import Any

from forecasts.processes import ask
from forecasts.rows import cell, heading, row

__all__ = ["Speed", "peer_version", "speed"]

HOW_TO = """NeuralForecast is no part of this project's environment. Make one for it, and give its Python:

    python -m venv /tmp/neuralforecast
    /tmp/neuralforecast/bin/pip install torch=={torch} neuralforecast
    python benchmarks/forecasting.py speed --peer-python /tmp/neuralforecast/bin/python

(the same torch on both sides; its CPU build is enough)"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speed:
    """How much is fitted, and how often."""

    peer: str
    file: str
    steps: int = 100
    turns: int = 5
    threads: int = 2
    context: int = 168
    horizon: int = 48
    units: int = 64
    batch: int = 128

    @property
    def request(self) -> dict[str, Any]:
        """What a worker is asked for."""
        names = ("file", "steps", "context", "horizon", "units", "batch")
        return {name: getattr(self, name) for name in names}


def peer_version(peer: str | None) -> str:
    """Give the version of NeuralForecast that an interpreter has; end with instructions where it has none."""
    from importlib.metadata import version

    how_to = HOW_TO.format(torch=version("torch").split("+", maxsplit=1)[0])
    if peer is None:
        sys.exit(f"speed needs --peer-python, an interpreter that has NeuralForecast.\n{how_to}")
    command = [peer, "-c", "import importlib.metadata as m; print(m.version('neuralforecast'), m.version('torch'))"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{peer} has no NeuralForecast ({error}).\n{how_to}")
    return done.stdout.strip()


def speed(settings: Speed) -> None:
    """Print a row a turn, and the medians."""
    theirs, torch = peer_version(settings.peer).split()
    print(
        f"M4 hourly, LSTM of {settings.units}, context {settings.context} step by step, {settings.steps} steps of "
        f"{settings.batch} windows, {settings.threads} threads; NeuralForecast {theirs} on torch {torch}.\n"
        "The heads differ: ours is one linear layer from the last output to all steps; theirs is a perceptron of two "
        "layers (128 units),\nstep by step on the last outputs.\n"
    )
    print(heading(["", *(column for column, _ in _COLUMNS)]), flush=True)
    turns = []
    for turn in range(settings.turns):
        turns.append(_turn(settings, ours_first=turn % 2 == 0))
        _print(f"turn {turn + 1}", turns[-1])
    _print("**median**", {name: statistics.median(each[name] for each in turns) for name in turns[0]})


def _turn(settings: Speed, *, ours_first: bool) -> dict[str, float]:
    """Run both, one after the other."""

    def ours() -> dict[str, Any]:
        return ask("tidegate_worker.py", settings.request, threads=settings.threads)

    def theirs() -> dict[str, Any]:
        return ask("neuralforecast_worker.py", settings.request, threads=settings.threads, python=settings.peer)

    if ours_first:
        mine, other = ours(), theirs()
    else:
        other, mine = theirs(), ours()
    found = {}
    for name in ("fit", "peak", "ready", "import", "wall"):
        found[f"our {name}"], found[f"their {name}"] = float(mine[name]), float(other[name])
        found[f"ratio of {name}"] = found[f"their {name}"] / found[f"our {name}"]
    return found


_COLUMNS = (
    ("fit, s", "our fit"),
    ("NeuralForecast's", "their fit"),
    ("ratio", "ratio of fit"),
    ("peak, GiB", "our peak"),
    ("NeuralForecast's", "their peak"),
    ("ratio", "ratio of peak"),
    ("before the fit, GiB", "our ready"),
    ("NeuralForecast's", "their ready"),
    ("import, s", "our import"),
    ("NeuralForecast's", "their import"),
    ("whole process, s", "our wall"),
    ("NeuralForecast's", "their wall"),
)


def _print(label: str, found: dict[str, float]) -> None:
    print(row([label, *(cell(found[name], 2) for _, name in _COLUMNS)]), flush=True)
