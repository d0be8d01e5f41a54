"""How the detectors of the benchmark are made. They were chosen on made-up anomalies, see `made_up.py`."""

from __future__ import annotations

import dataclasses

import numpy as np

from detections.corpus import FloatArray
from tidegate import AnomalyDetector, Likelihood, Prediction, Quantile, Recurrent, Scaling, Training

__all__ = ["batch", "season", "streaming", "untrained"]

_CONTEXT = 32
_STREAMED, _HORIZON = 12, 24  # steps ahead, of a stream and of a finished table
_MOST = 4000  # rows that a season is looked for in


def streaming(learning: FloatArray, seed: int = 0) -> AnomalyDetector:
    """Make a detector for a stream that is fitted on these rows alone.

    Errors of predictions 1 to 12 steps ahead, held against those of the last 2,000 steps; after a score it rests for
    half as many steps as there were rows. Its own threshold is the highest score of the rows for learning.
    """
    context = min(_CONTEXT, max(len(learning) // 6, 4))
    horizon = min(_STREAMED, context)
    cycle = season(learning)
    if not horizon <= cycle <= len(learning) - 4 * context - horizon:
        cycle = 0
    return AnomalyDetector(
        method=Prediction(horizon=horizon, season=cycle, linear=True, together="mean"),
        context=context,
        network=Recurrent(hidden_size=24),
        scaling=Scaling(method="none"),
        likelihood=Likelihood(long=2000, short=1, rest=max(len(learning) // 2, 5)),
        threshold=Quantile(q=1.0),
        training=Training(max_steps=30, batch_size=64, learning_rate=1e-3, validation=0.0),
        seed=seed,
        device="cpu",
    )


def batch(values: FloatArray, seed: int = 0) -> AnomalyDetector:
    """Make a detector for a finished table of these rows, as that of a stream but for what looks back.

    Scores are smoothed over a tenth of the rows, the share that NAB gives to the windows of a series.
    """
    context = min(_CONTEXT, max(len(values) // 6, 4))
    horizon = min(_HORIZON, context)
    cycle = season(values[:_MOST])
    return AnomalyDetector(
        method=Prediction(
            horizon=horizon,
            season=cycle if horizon <= cycle <= len(values) // 4 else 0,
            linear=True,
            together="mean",
            smoothing=max(len(values) // 10, 1),
        ),
        context=context,
        network=Recurrent(hidden_size=24),
        scaling=Scaling(method="none"),
        threshold=0.05,
        training=Training(max_steps=30, batch_size=64, learning_rate=1e-3, validation=0.0),
        seed=seed,
        device="cpu",
    )


def untrained(detector: AnomalyDetector) -> AnomalyDetector:
    """Make the same detector whose network keeps its first weights, and has no linear part."""
    still = dataclasses.replace(detector.training, max_steps=1, learning_rate=1e-12)
    assert isinstance(detector.method, Prediction)
    method = dataclasses.replace(detector.method, linear=False)
    return AnomalyDetector(**{**detector.get_params(deep=False), "training": still, "method": method})


def season(values: FloatArray) -> int:
    """Give the lag of the highest autocorrelation after it first falls below 0.2, if that is above 0.3; else 0.

    Of peaks that are as high but for 0.05 the first is taken: multiples of a season leave fewer windows.
    """
    centred = values - values.mean()
    count = len(centred)
    if not np.any(np.abs(centred) > 1e-12):
        return 0
    spectrum = np.fft.rfft(centred, 2 * count)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:count]
    correlation = correlation / correlation[0] * count / np.arange(count, 0, -1)
    end = int(0.6 * count)
    low = np.flatnonzero(correlation[:end] < 0.2)
    if not len(low) or low[0] >= end - 1:
        return 0
    highest = correlation[low[0] : end].max()
    if highest <= 0.3:
        return 0
    inner = correlation[low[0] : end]
    near = int(np.argmax(inner >= highest - 0.05))  # on the way up to the first peak that is as high
    beyond = inner[near:]
    down = np.flatnonzero(np.diff(beyond) < 0)
    return int(low[0] + near + (down[0] if len(down) else len(beyond) - 1))
