"""What fewer bits and fewer units cost, and what they bring: size, latency, accuracy before and after.

    .venv/bin/python benchmarks/compression.py int8|bfloat16|float16|prune [m4-hourly chunking sms]
                                               [--validate] [--models FOLDER]

The models are those of `benchmarks/forecasting.py`, `benchmarks/tagging.py` and `benchmarks/texts.py`; with
``--models`` they are kept in a folder, and taken from there the next time. They are scored on the test parts (M4 hourly
by OWA, CoNLL-2000 by F1, the first fold of the distinct SMS by accuracy), with ``--validate`` on what is held out of
the training parts. ``prune`` takes half of the units out of every layer and trains on with the data of the training.
Latency is one ``predict`` of one example, the two models by turns; throughput is all of the test part. Let nothing else
run on the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import m4
import tagging
import texts
import tidegate as tg
from forecasts.recipes import m4_hourly
from tidegate.compress import compare, prune, quantize
from tidegate.data import SeriesTable, read_csv
from tidegate.estimator import Estimator
from tidegate.estimator.registry import load
from tidegate.kernels.bench import Pace, interleaved, repeating
from tidegate.specs import Columns

HEADER = (
    "| model | size | of it | one prediction | times as fast | all, times as fast | measure | before | after | lost |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """A model and its data.

    Parameters
    ----------
    make
        The estimator, not fitted.
    train, held
        What it is trained on; what it is asked about.
    measure, score
        How well a fitted one does: higher is better.
    tune
        Trains a pruned one further.
    """

    make: Callable[[], Any]
    train: Any
    held: Any
    measure: str
    score: Callable[[Any], float]
    tune: Callable[[Any, Any], Any]


def hourly(validate: bool) -> Problem:
    """M4 hourly: the last two days of each series are forecast."""
    table = read_csv(m4.DATA / "m4_hourly_train.csv.gz", Columns(targets=("y",)))
    train = shortened(table, m4.HORIZON["hourly"]) if validate else table

    def score(model: Any) -> float:
        if validate:
            return -float(
                model.evaluate(table.tail(model.context_ + model.horizon), stride=10_000).scores["tidegate"]["MASE"]
            )
        return -m4.score("hourly", model.predict(table))["OWA"]

    return Problem(
        make=lambda: m4_hourly(48, 0),
        train=train,
        held=table,
        measure="MASE" if validate else "OWA",
        score=score,
        tune=lambda model, data: model.fine_tune(data, max_steps=600, learning_rate=2e-3, schedule="cosine"),
    )


def further(model: Any, data: Any, steps: int) -> Any:
    """Train further, at a third of the rate."""
    return model.fine_tune(data, max_steps=steps, learning_rate=model.training.learning_rate / 3, schedule="cosine")


def shortened(table: SeriesTable, rows: int) -> SeriesTable:
    """Leave out the last rows of each series."""
    return table.truncate(table.lengths - rows)


def chunking(validate: bool) -> Problem:
    """CoNLL-2000."""
    train, held = tagging.conll_parts(validate)
    return Problem(
        make=lambda: tagging.conll_recipe(0, 1),
        train=train,
        held=held,
        measure="F1",
        score=lambda model: float(model.score(held)),
        tune=lambda model, data: further(model, data, 900),
    )


def sms(validate: bool) -> Problem:
    """SMS, those that repeat others left out: the first of five folds."""
    problem = texts.SETS["sms"]
    train, held = texts.parts(problem, texts.read(problem), validate=validate)[0]
    return Problem(
        make=texts.recipe,
        train=train,
        held=held,
        measure="accuracy",
        score=lambda model: float(model.score(held)),
        tune=lambda model, data: further(model, data, 200),
    )


PROBLEMS: dict[str, Callable[[bool], Problem]] = {"m4-hourly": hourly, "chunking": chunking, "sms": sms}


def fitted(name: str, problem: Problem, models: Path | None, validate: bool) -> Any:
    """Train, or take what was trained before."""
    path = None if models is None else models / f"{name}{'-validate' if validate else ''}.safetensors"
    if path is not None and path.exists():
        return load(path)
    model = problem.make().fit(problem.train)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    return model


def smaller(what: str, model: Estimator, problem: Problem) -> Any:
    """Compress."""
    return problem.tune(prune(model, units=0.5), problem.train) if what == "prune" else quantize(model, what)


def row(name: str, problem: Problem, before: Any, after: Any) -> str:
    """Measure."""
    held = problem.held.tail(before.context_ + before.horizon) if isinstance(before, tg.Forecaster) else problem.held
    found = compare(before, after, held, pace=Pace(runs=9, least_seconds=0.1))
    calls = {side: repeating(functools.partial(model.predict, held)) for side, model in (("b", before), ("a", after))}
    whole = interleaved(calls, Pace(runs=5)).ratio("b", "a").median
    first, second = problem.score(before), problem.score(after)
    return (
        f"| {name} | {found.after.size:,} B | {100 * found.share:.1f} % | {found.after.milliseconds:.2f} ms | "
        f"{found.speed_up:.2f} | {whole:.2f} | {problem.measure} | {abs(first):.4f} | {abs(second):.4f} | "
        f"{100 * (first - second) / abs(first):+.2f} % |"
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("what", choices=["int8", "bfloat16", "float16", "prune"])
    given.add_argument("sets", nargs="*", choices=[[], *PROBLEMS], default=[], metavar="SET")
    given.add_argument("--validate", action="store_true", help="score what is held out of the training parts")
    given.add_argument("--models", type=Path, help="folder where trained models are kept")
    asked = given.parse_args()
    torch.set_num_threads(1)
    print(HEADER)
    for name in asked.sets or PROBLEMS:
        problem = PROBLEMS[name](asked.validate)
        before = fitted(name, problem, asked.models, asked.validate)
        print(row(f"{name}, {asked.what}", problem, before, smaller(asked.what, before, problem)), flush=True)


if __name__ == "__main__":
    main()
