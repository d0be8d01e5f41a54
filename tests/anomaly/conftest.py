"""Detectors that are fitted once for many tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tidegate as tg

QUICK = tg.Training(max_steps=30, batch_size=32, learning_rate=1e-2)
SMALL = tg.Recurrent(hidden_size=8)


def two_waves(rows: int = 300) -> np.ndarray:
    """Give two waves with noise, and a spike in the second at row 200."""
    noise = np.random.default_rng(3).normal(size=(rows, 2)) / 10
    time = np.arange(rows)
    values = np.stack([np.sin(time / 5), 10 + 3 * np.cos(time / 4)], axis=1) + noise
    values[200, 1] += 20
    return values


@pytest.fixture(scope="session")
def waves() -> np.ndarray:
    """Two waves of 300 steps; do not write to it."""
    values = two_waves()
    values.flags.writeable = False
    return values


@pytest.fixture(scope="session")
def autoencoder(waves: np.ndarray) -> Any:
    """A detector by an autoencoder, of two variables."""
    return tg.AnomalyDetector(context=12, network=SMALL, training=QUICK).fit(waves)


@pytest.fixture(scope="session")
def prediction(waves: np.ndarray) -> Any:
    """A detector by prediction, three steps ahead."""
    method = tg.Prediction(horizon=3)
    return tg.AnomalyDetector(method=method, context=12, network=SMALL, training=QUICK).fit(waves)


@pytest.fixture
def fitted(waves: np.ndarray) -> Any:
    """Fit a small detector, on the waves if nothing else is given."""

    def fit(*, data: Any = waves, **options: Any) -> Any:
        return tg.AnomalyDetector(**{"context": 12, "network": SMALL, "training": QUICK, **options}).fit(data)

    return fit
