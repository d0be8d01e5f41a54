"""The accuracy of `SequenceClassifier` on series of the UCR and UEA archives, by one recipe.

    .venv/bin/python benchmarks/series.py [SET …] [--seeds 0 1 2 3 4] [--validate] [--folds 4] [--threads 2]

Prints rows of a Markdown table: the mean accuracy over seeds on the given test part, beside the nearest neighbour (by
Euclidean distance) and the majority class. With ``--validate`` the test part is not read: stratified folds of the
training part are scored, and the log loss beside the accuracy. The recipe was chosen so, and the test part is scored
once. The data are read from $TIDEGATE_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tidegate import Augmentation, SequenceClassifier
from tidegate.classify.baselines import nearest
from tidegate.data import LabelledSeries, Labels, read_ts, stratified_folds
from tidegate.metrics.class_probabilities import log_loss

ROOT = Path(__file__).resolve().parents[1]
SETS = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "JapaneseVowels", "BasicMotions")
HEADER = (
    "| set | accuracy | of each seed | log loss | nearest neighbour | majority | seconds a fit |\n"
    "|---|---|---|---|---|---|---|"
)


def recipe(seed: int, steps: int | None = None) -> SequenceClassifier:
    """Give the one recipe of all sets; fewer ``steps`` are for seeing that it works."""
    changes = Augmentation(crop=0.1, time_warp=0.2, magnitude_warp=0.2)
    model = SequenceClassifier(augmentation=changes, seed=seed, device="cpu")
    return model if steps is None else model.set_params(training__max_steps=steps)


@dataclasses.dataclass(frozen=True)
class Score:
    """What one fit came to."""

    accuracy: float
    log_loss: float
    nearest: float
    majority: float
    seconds: float


def part(name: str, which: str) -> LabelledSeries:
    """Read ``"TRAIN"`` or ``"TEST"`` of a set."""
    folder = Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data"))
    return read_ts(folder / "classification" / f"{name}_{which}.ts.gz")


def score(train: LabelledSeries, test: LabelledSeries, seed: int, steps: int | None) -> Score:
    """Fit on one part, score on another."""
    assert train.labels is not None
    assert test.labels is not None
    began = time.perf_counter()
    model = recipe(seed, steps).fit(train)
    seconds = time.perf_counter() - began
    labels = Labels.of(train.labels)
    known, codes = labels.encode(train.labels), labels.encode(test.labels)
    probabilities = model.predict_proba(test)
    return Score(
        accuracy=float((probabilities.argmax(axis=1) == codes).mean()),
        log_loss=log_loss(codes, probabilities),
        nearest=float((known[nearest(train.sequences, test.sequences)] == codes).mean()),
        majority=float((np.bincount(known).argmax() == codes).mean()),
        seconds=seconds,
    )


def problems(name: str, seeds: list[int], folds: int | None) -> Iterator[tuple[LabelledSeries, LabelledSeries, int]]:
    """Give training and test part for each seed; with ``folds`` both are of the training part, and no other is read."""
    train = part(name, "TRAIN")
    if folds is None:
        test = part(name, "TEST")
        yield from ((train, test, seed) for seed in seeds)
        return
    assert train.labels is not None
    codes = Labels.of(train.labels).encode(train.labels)
    for seed in seeds:
        for kept, held in stratified_folds(codes, folds, seed):
            yield train.take(kept), train.take(held), seed


def row(name: str, scores: list[Score]) -> str:
    """Write the row of a set."""
    mean = {
        field.name: float(np.mean([getattr(one, field.name) for one in scores])) for field in dataclasses.fields(Score)
    }
    each = " ".join(f"{one.accuracy:.3f}" for one in scores)
    return (
        f"| {name} | {mean['accuracy']:.4f} | {each} | {mean['log_loss']:.3f} | {mean['nearest']:.3f} | "
        f"{mean['majority']:.3f} | {mean['seconds']:.0f} |"
    )


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("sets", nargs="*", metavar="SET", help="all of them if left out")
    given.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    given.add_argument("--validate", action="store_true", help="score folds of the training part")
    given.add_argument("--folds", type=int, default=4)
    given.add_argument("--threads", type=int, default=2)
    given.add_argument("--steps", type=int, help="train so few steps, to see that it works; only with --validate")
    return given


def main(arguments: list[str] | None = None) -> None:
    """Print the rows."""
    options = parser()
    given = options.parse_args(arguments)
    if given.steps is not None and not given.validate:
        options.error("--steps is for checking the benchmark, and the test part is scored once: add --validate")
    torch.set_num_threads(given.threads)
    print(HEADER)
    for name in given.sets or SETS:
        parts = problems(name, given.seeds, given.folds if given.validate else None)
        print(row(name, [score(*problem, given.steps) for problem in parts]), flush=True)


if __name__ == "__main__":
    main()
