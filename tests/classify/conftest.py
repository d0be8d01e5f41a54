"""Small problems of whole series, and estimators that learn them in a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tidegate import Recurrent, SequenceClassifier, SequenceRegressor, Training

QUICK = Training(max_steps=40, batch_size=8, learning_rate=0.02, validation=0.0)
SMALL: dict[str, Any] = {"network": Recurrent(hidden_size=6), "training": QUICK, "device": "cpu"}


def series_of_two_kinds(number: int = 24, *, seed: int = 0) -> tuple[list[npt.NDArray[np.float64]], npt.NDArray[Any]]:
    """Give series [time, 2] of unequal lengths, some values missing; the first channel rises in "flow", else falls."""
    rng = np.random.default_rng(seed)
    labels = np.array(["ebb", "flow"], dtype=object)[np.arange(number) % 2]
    sequences = []
    for label in labels:
        steps = int(rng.integers(6, 13))
        slope = np.linspace(-1, 1, steps) * (1 if label == "flow" else -1)
        series = np.stack([slope, np.zeros(steps)], axis=1) + 0.2 * rng.normal(size=(steps, 2))
        series[rng.integers(steps), rng.integers(2)] = np.nan
        sequences.append(100 + 5 * series)
    return sequences, labels


@pytest.fixture(scope="session")
def draw() -> Callable[..., tuple[list[npt.NDArray[np.float64]], npt.NDArray[Any]]]:
    """Give what draws such a problem."""
    return series_of_two_kinds


@pytest.fixture(scope="session")
def problem() -> tuple[list[npt.NDArray[np.float64]], npt.NDArray[Any]]:
    return series_of_two_kinds()


@pytest.fixture(scope="session")
def classifier(problem: tuple[Any, Any]) -> SequenceClassifier:
    """Give a fitted one, not to be changed."""
    return SequenceClassifier(**SMALL).fit(*problem)


@pytest.fixture(scope="session")
def regressor(problem: tuple[Any, Any]) -> SequenceRegressor:
    """Give a fitted one, not to be changed, of how far each series rises."""
    return SequenceRegressor(**SMALL).fit(problem[0], _rises(problem[0]))


@pytest.fixture(scope="session")
def rises() -> Callable[[list[npt.NDArray[np.float64]]], npt.NDArray[np.float64]]:
    """Give what says how far the first channel of each series rises, and a thousand more."""
    return _rises


def _rises(sequences: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return np.array([1000 + np.nanmean(x[len(x) // 2 :, 0]) - np.nanmean(x[: len(x) // 2, 0]) for x in sequences])
