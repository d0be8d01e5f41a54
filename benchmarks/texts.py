"""The accuracy of `TextClassifier` on SMS spam and sentence polarity, by one recipe, without embeddings from elsewhere.

    .venv/bin/python benchmarks/texts.py [SET …] [--validate] [--processes 2]

Prints rows of a Markdown table. Every text is scored once, in the test part of one of 5 folds (SMS spam) or 10
(sentence polarity), stratified and drawn with seed 0; what `fit` chooses (when to stop, the penalty and the share of
the linear model) it chooses on a tenth of the training part. ``sms`` has the messages that repeat others dropped,
``sms_as_is`` has them all, so that copies lie in training and test. Beside the model stand naive Bayes on words and the
majority class.

With ``--validate`` no test fold is read: the training part of the first fold is cut once more, four fifths to train on
and one to score. The recipe was chosen so. The data are read from $TIDEGATE_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tidegate import Recurrent, TextClassifier, TextColumns, Training
from tidegate.data import LabelledTexts, read_text_csv, stratified_folds
from tidegate.text.classifying.baselines import NaiveBayes
from tidegate.text.classifying.targets import Classes

ROOT = Path(__file__).resolve().parents[1]
HEADER = (
    "| set | texts | accuracy | F1 | accuracy of each fold | naive Bayes: accuracy, F1 | majority | linear share | "
    "seconds a fit |\n|---|---|---|---|---|---|---|---|---|"
)


@dataclasses.dataclass(frozen=True)
class Problem:
    """A set: its file, its folds, whether repeated texts are dropped."""

    file: str
    folds: int
    distinct: bool


SETS = {
    "sms": Problem("sms_spam", 5, distinct=True),
    "sms_as_is": Problem("sms_spam", 5, distinct=False),
    "polarity": Problem("sentence_polarity", 10, distinct=False),
}


def recipe(steps: int | None = None) -> TextClassifier:
    """Give the one recipe of all sets; few ``steps`` are for seeing that it works."""
    return TextClassifier(
        network=Recurrent(hidden_size=64, bidirectional=True),
        dropout=0.5,
        training=Training(epochs=15, max_steps=steps, patience=2, learning_rate=1e-3),
        seed=0,
        device="cpu",
    )


@dataclasses.dataclass(frozen=True)
class Fold:
    """What one fit said of its test part."""

    target: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    bayes: npt.NDArray[np.int64]
    majority: int
    share: float
    seconds: float


def read(problem: Problem) -> LabelledTexts:
    """Read a set."""
    folder = Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data"))
    texts = read_text_csv(folder / "text" / f"{problem.file}.csv.gz", TextColumns())
    if not problem.distinct:
        return texts
    first = {text: row for row, text in reversed(list(enumerate(texts.texts)))}
    return texts.take(sorted(first.values()))


def parts(problem: Problem, texts: LabelledTexts, *, validate: bool) -> list[tuple[LabelledTexts, LabelledTexts]]:
    """Give training and test part of each fold; to validate, one pair, both of the first training part."""
    codes = Classes.of(texts.labels or []).encode(texts.labels or [])
    folds = stratified_folds(codes, problem.folds, seed=0)
    if validate:
        rows = folds[0][0]
        kept, held = stratified_folds(codes[rows], 5, seed=1)[0]
        folds = [(rows[kept], rows[held])]
    return [(texts.take(train), texts.take(test)) for train, test in folds]


def scored(pair: tuple[LabelledTexts, LabelledTexts], *, steps: int | None) -> Fold:
    """Fit on one part, ask about the other."""
    torch.set_num_threads(1)
    train, test = pair
    began = time.perf_counter()
    model = recipe(steps).fit(train)
    seconds = time.perf_counter() - began
    classes = model.fitted_.classes
    known = classes.encode(train.labels or [])
    return Fold(
        target=classes.encode(test.labels or []),
        predicted=model.predict_proba(test).argmax(axis=1),
        bayes=NaiveBayes.of(train.texts, train.labels or [], classes).probabilities(test.texts).argmax(axis=1),
        majority=int(np.bincount(known).argmax()),
        share=model.share_,
        seconds=seconds,
    )


def f1(target: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Give the F1 of the second class: spam, or positive."""
    return float(2 * ((target == 1) & (predicted == 1)).sum() / ((target == 1).sum() + (predicted == 1).sum()))


def row(name: str, folds: Sequence[Fold]) -> str:
    """Write the row of a set; all test parts are scored together."""
    target, predicted, bayes = (
        np.concatenate([getattr(fold, part) for fold in folds]) for part in ("target", "predicted", "bayes")
    )
    each = " ".join(f"{(fold.target == fold.predicted).mean():.3f}" for fold in folds)
    majority = np.concatenate([fold.target == fold.majority for fold in folds]).mean()
    return (
        f"| {name} | {len(target)} | {(target == predicted).mean():.4f} | {f1(target, predicted):.4f} | {each} | "
        f"{(target == bayes).mean():.4f}, {f1(target, bayes):.4f} | {majority:.4f} | "
        f"{np.mean([fold.share for fold in folds]):.2f} | {np.mean([fold.seconds for fold in folds]):.0f} |"
    )


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all of them if left out")
    given.add_argument("--validate", action="store_true", help="score a part of the first training part")
    given.add_argument("--processes", type=int, default=2, help="folds at once, each on one thread")
    given.add_argument("--steps", type=int, help="train so few steps, to see that it works; only with --validate")
    return given


def main(arguments: list[str] | None = None) -> None:
    """Print the rows."""
    options = parser()
    given = options.parse_args(arguments)
    if unknown := [name for name in given.sets if name not in SETS]:
        options.error(f"there is no set {unknown[0]!r}; there are {', '.join(SETS)}")
    if given.steps is not None and not given.validate:
        options.error("--steps is for checking the benchmark, and the test part is scored once: add --validate")
    ask = functools.partial(scored, steps=given.steps)
    print(HEADER)
    for name in given.sets or SETS:
        pairs = parts(SETS[name], read(SETS[name]), validate=given.validate)
        if given.processes == 1 or len(pairs) == 1:
            folds = noted(map(ask, pairs))
        else:
            with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
                folds = noted(pool.imap(ask, pairs))
        print(row(name, folds), flush=True)


def noted(folds: Iterable[Fold]) -> list[Fold]:
    """Say on standard error how each fold went."""
    found = []
    for place, fold in enumerate(folds, start=1):
        right = (fold.target == fold.predicted).mean()
        print(f"fold {place}: {right:.4f}, {fold.share:.2f}, {fold.seconds:.0f} s", file=sys.stderr, flush=True)
        found.append(fold)
    return found


if __name__ == "__main__":
    main()
