"""Students of a quarter of the parameters, trained alone and with a teacher, on public data.

    .venv/bin/python benchmarks/distillation.py [TASK …] [--seeds 0 1 2] [--validate] [--threads 1]
        [--share 0.5] [--temperature 2]

Prints rows of a Markdown table: for each task the mean score over seeds of the teacher, of the student alone and of the
student that learned from the teacher, the difference of the last two with its standard error over seeds, and in how
many seeds the taught one was better. Of each seed there are a teacher and both students; the students differ in nothing
but the teacher.

``vowels``
    JapaneseVowels, its own parts; accuracy.
``polarity``
    Sentences of film reviews, 4,000 to train on and 2,000 to test; accuracy. Both students are networks alone, without
    the linear model of n-grams that the teacher has beside its network.
``chunks``
    CoNLL-2000, the first 1,000 sentences of its training part, and its test part; F1 by conlleval's rules.
``hourly``
    Every sixth series of M4 hourly, 48 hours ahead; MASE.

With ``--validate`` no test part is read: parts of the training data take its place. Share and temperature (`CHOSEN`)
were chosen so, and the test parts are scored once. The data are read from $TIDEGATE_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tidegate import (
    Augmentation,
    Columns,
    Embedding,
    Forecaster,
    Recurrent,
    SequenceClassifier,
    Tagger,
    TextClassifier,
    TextColumns,
    Training,
    WordFeatures,
)
from tidegate.compress import distill
from tidegate.data import Labels, SeriesTable, read_conll, read_csv, read_text_csv, read_ts, stratified_folds
from tidegate.metrics import mase, seasonal_scale

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data"))
HEADER = (
    "| task | parameters: teacher, student | teacher | student alone | taught | difference | better | CPU minutes |\n"
    "|---|---|---|---|---|---|---|---|"
)

Data = tuple[Any, ...]
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What is learned from which data, by whom.

    Parameters
    ----------
    parts
        Training and test part, from whether to validate; each as ``fit`` takes data by place.
    teacher, student
        Estimators of a seed.
    score
        A fitted estimator on the test part.
    lower
        Whether lower scores are better.
    """

    parts: Callable[[bool], tuple[Data, Data]]
    teacher: Callable[[int], Any]
    student: Callable[[int], Any]
    score: Callable[[Any, Data], float]
    lower: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """How much a teacher counts."""

    share: float
    temperature: float | None = None


#: Chosen with ``--validate``.
CHOSEN = {
    "vowels": Terms(share=0.5, temperature=2.0),
    "polarity": Terms(share=0.9, temperature=2.0),
    "chunks": Terms(share=0.5, temperature=1.0),
    "hourly": Terms(share=0.5),
}


def vowels(validate: bool) -> tuple[Data, Data]:
    """Read JapaneseVowels."""
    train = read_ts(DATA / "classification" / "JapaneseVowels_TRAIN.ts.gz")
    if not validate:
        return (train,), (read_ts(DATA / "classification" / "JapaneseVowels_TEST.ts.gz"),)
    assert train.labels is not None
    kept, held = stratified_folds(Labels.of(train.labels).encode(train.labels), 3, seed=0)[0]
    return (train.take(kept),), (train.take(held),)


def vowel_classifier(seed: int, units: int) -> SequenceClassifier:
    """Give a classifier with so many units."""
    return SequenceClassifier(
        network=Recurrent(cell="gru", hidden_size=units, bidirectional=True),
        dropout=0.2,
        augmentation=Augmentation(crop=0.1, time_warp=0.2, magnitude_warp=0.2),
        training=Training(batch_size=16, max_steps=600, learning_rate=4e-3, schedule="one_cycle", validation=0.0),
        seed=seed,
        device="cpu",
    )


def polarity(validate: bool) -> tuple[Data, Data]:
    """Read film reviews."""
    texts = read_text_csv(DATA / "text" / "sentence_polarity.csv.gz", TextColumns())
    order = np.random.default_rng(0).permutation(len(texts.texts))
    train, test = order[:4000], order[4000:6000]
    if validate:
        train, test = order[:3000], order[3000:4000]
    return (texts.take(sorted(train.tolist())),), (texts.take(sorted(test.tolist())),)


def text_classifier(seed: int, units: int, **options: Any) -> TextClassifier:
    """Give a classifier with so many units in each direction."""
    return TextClassifier(
        embedding=Embedding(size=2 * units),
        network=Recurrent(hidden_size=units, bidirectional=True),
        training=Training(epochs=15, patience=4, learning_rate=2e-3),
        seed=seed,
        device="cpu",
        **options,
    )


def chunks(validate: bool) -> tuple[Data, Data]:
    """Read CoNLL-2000."""
    train = read_conll(DATA / "text" / "conll2000_train.txt.gz")
    test = train.take(range(1000, 1500)) if validate else read_conll(DATA / "text" / "conll2000_test.txt.gz")
    return (train.take(range(1000)),), (test,)


def tagger(seed: int, units: int) -> Tagger:
    """Give a tagger with so many units in each direction, and so many numbers a word."""
    return Tagger(
        features=WordFeatures(
            size=units,
            characters=Recurrent(hidden_size=units // 4, bidirectional=True),
            character_size=units // 4,
            affix_size=max(units // 8, 2),
            buckets=4096,
            column_size=units // 4,
        ),
        network=Recurrent(hidden_size=units, bidirectional=True),
        training=Training(epochs=8, batch_size=16, learning_rate=4e-3, schedule="cosine", patience=None, validation=0),
        seed=seed,
        device="cpu",
    )


def hourly(validate: bool) -> tuple[Data, Data]:
    """Read every sixth series of M4 hourly; the test part is what follows the training rows."""
    everything = read_csv(DATA / "forecasting" / "m4_hourly_train.csv.gz", Columns(targets=("y",)))
    train = everything.select(np.arange(0, len(everything), 6))
    if validate:
        known = train.truncate(train.lengths - 48)
        return (known,), (known, _ends(train))
    test = read_csv(DATA / "forecasting" / "m4_hourly_test.csv.gz", Columns(targets=("y",)))
    places = {name: place for place, name in enumerate(test.ids.tolist())}
    return (train,), (train, _ends(test.select(np.array([places[name] for name in train.ids.tolist()]))))


def _ends(table: SeriesTable) -> Floats:
    """Give the last 48 rows of each series, [series, 48]."""
    return np.stack([table.values[stop - 48 : stop, 0] for stop in table.offsets[1:]])


def forecaster(seed: int, units: int, members: int = 1) -> Forecaster:
    """Give a forecaster with so many units."""
    return Forecaster(
        horizon=48,
        season=24,
        members=members,
        network=Recurrent(hidden_size=units),
        training=Training(batch_size=64, max_steps=400, learning_rate=3e-3, schedule="one_cycle"),
        seed=seed,
        device="cpu",
    )


def accuracy(model: Any, test: Data) -> float:
    """Give the score of the estimator itself."""
    return float(model.score(*test))


def mean_mase(model: Forecaster, test: Data) -> float:
    """Give the mean MASE of the series."""
    table, actual = test
    found = model.predict(table)["y_hat"].to_numpy().reshape(actual.shape)
    scores = [
        mase(actual[row], found[row], seasonal_scale(table.values[table.offsets[row] : table.offsets[row + 1], 0], 24))
        for row in range(len(actual))
    ]
    return float(np.mean(scores))


TASKS = {
    "vowels": Task(
        parts=vowels,
        teacher=lambda seed: vowel_classifier(seed, 64),
        student=lambda seed: vowel_classifier(seed, 28),
        score=accuracy,
    ),
    "polarity": Task(
        parts=polarity,
        teacher=lambda seed: text_classifier(seed, 64),
        student=lambda seed: text_classifier(seed, 15, wide=None),
        score=accuracy,
    ),
    "chunks": Task(
        parts=chunks, teacher=lambda seed: tagger(seed, 64), student=lambda seed: tagger(seed, 16), score=accuracy
    ),
    "hourly": Task(
        parts=hourly,
        teacher=lambda seed: forecaster(seed, 64, members=3),
        student=lambda seed: forecaster(seed, 48),
        score=mean_mase,
        lower=True,
    ),
}


def parameters(model: Any) -> int:
    """Count those of the networks."""
    return sum(parameter.numel() for network in model._networks() for parameter in network.parameters())


def row(name: str, terms: Terms, seeds: list[int], *, validate: bool, steps: int | None) -> str:
    """Train teachers and students, and write the row of a task."""
    task, began = TASKS[name], time.process_time()
    train, test = task.parts(validate)
    scores = np.empty((len(seeds), 3))
    sizes: tuple[int, int] = (0, 0)
    for place, seed in enumerate(seeds):
        models = [shortened(make(seed), steps) for make in (task.teacher, task.student, task.student)]
        teacher, alone = (model.fit(*train) for model in models[:2])
        taught = distill(teacher, models[2], *train, share=terms.share, temperature=terms.temperature)
        scores[place] = [task.score(model, test) for model in (teacher, alone, taught)]
        sizes = parameters(teacher), parameters(taught)
        each = ", ".join(f"{score:.4f}" for score in scores[place])
        print(f"{name}, seed {seed}: {each}", file=sys.stderr, flush=True)
    gains = scores[:, 2] - scores[:, 1]
    error = gains.std(ddof=1) / len(seeds) ** 0.5 if len(seeds) > 1 else np.nan
    means = " | ".join(f"{mean:.4f}" for mean in scores.mean(axis=0))
    better = int(((gains < 0) if task.lower else (gains > 0)).sum())
    return (
        f"| {name} | {sizes[0]:,}, {sizes[1]:,} | {means} | {gains.mean():+.4f} ± {error:.4f} | "
        f"{better} of {len(seeds)} | {(time.process_time() - began) / 60:.1f} |"
    )


def shortened(model: Any, steps: int | None) -> Any:
    """Train so few steps, to see that it works."""
    return model if steps is None else model.set_params(training__max_steps=steps, training__epochs=None)


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; all of them if left out")
    given.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given.add_argument("--validate", action="store_true", help="score a part of the training data")
    given.add_argument("--share", type=float, help="of the teacher's answers; needs --validate")
    given.add_argument("--temperature", type=float, help="needs --validate")
    given.add_argument("--steps", type=int, help="train so few steps, to see that it works; needs --validate")
    given.add_argument("--threads", type=int, default=1)
    return given


def main(arguments: list[str] | None = None) -> None:
    """Print the rows."""
    options = parser()
    given = options.parse_args(arguments)
    if unknown := [name for name in given.tasks if name not in TASKS]:
        options.error(f"there is no task {unknown[0]!r}; there are {', '.join(TASKS)}")
    changes = {name: value for name in ("share", "temperature") if (value := getattr(given, name)) is not None}
    if (changes or given.steps is not None) and not given.validate:
        options.error("the test parts are scored once, by what was chosen: add --validate")
    torch.set_num_threads(given.threads)
    print(HEADER)
    for name in given.tasks or TASKS:
        terms = dataclasses.replace(CHOSEN[name], **changes)
        print(row(name, terms, given.seeds, validate=given.validate, steps=given.steps), flush=True)


if __name__ == "__main__":
    main()
