"""What a detector has to beat: principal components of windows, a dense autoencoder, chance, and nothing at all."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from detections.corpus import FloatArray
from tidegate._core.seeds import seeded

__all__ = ["constant", "covering", "dense_autoencoder", "pca", "pca_reconstruction", "random", "windowed_gaussian"]


def windows_of(values: FloatArray, width: int) -> FloatArray:
    """Give all windows, ``[window, step]``, each step with mean 0 and deviation 1 over the windows."""
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    spread = windows.std(axis=0)
    scaled: FloatArray = (windows - windows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def pca(values: FloatArray, width: int) -> FloatArray:
    """Score windows as pyod's PCA does, which TSB-AD calls Sub-PCA: weighted distances to the components.

    Shyu et al. (2003). The score of a window belongs to the row in its middle.
    """
    windows = windows_of(values, width)
    _, sizes, components = np.linalg.svd(windows, full_matrices=False)
    weight = np.maximum(sizes**2 / max((sizes**2).sum(), 1e-12), 1e-12)
    square = (windows**2).sum(axis=1)[:, np.newaxis] + 1 - 2 * windows @ components.T
    return _centred((np.sqrt(np.maximum(square, 0)) / weight).sum(axis=1), len(values), width)


def pca_reconstruction(values: FloatArray, width: int, share: float = 0.9) -> FloatArray:
    """Score rows by what the components that explain ``share`` of the variance leave of their windows."""
    windows = windows_of(values, width)
    _, sizes, components = np.linalg.svd(windows, full_matrices=False)
    explained = np.cumsum(sizes**2) / max((sizes**2).sum(), 1e-12)
    kept = components[: int(np.searchsorted(explained, share)) + 1]
    return covering((windows - windows @ kept.T @ kept) ** 2)


def dense_autoencoder(values: FloatArray, width: int, *, steps: int = 400, seed: int = 0) -> FloatArray:
    """Score rows by the error of an autoencoder of dense layers, 64 and 32 units, as TSB-AD's."""
    windows = torch.from_numpy(windows_of(values, width).astype(np.float32))
    with seeded(seed):
        network = nn.Sequential(
            *(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()),
            *(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, width)),
        )
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(steps):
            batch = windows[torch.randint(len(windows), (128,))]
            loss = nn.functional.mse_loss(network(batch), batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.inference_mode():
        errors: FloatArray = ((network(windows) - windows) ** 2).double().numpy()
    return covering(errors)


def random(values: FloatArray, seed: int = 0) -> FloatArray:
    """Score rows by chance."""
    return np.random.default_rng(seed).random(len(values))


def constant(values: FloatArray) -> FloatArray:
    """Score all rows alike."""
    return np.zeros(len(values))


def windowed_gaussian(values: FloatArray, *, width: int = 6400, step: int = 100) -> FloatArray:
    """Score a row by the normal distribution of those before it: NAB's own baseline, of a published score.

    Scores are rounded to as many digits as those it was published with were written.
    """
    score = np.zeros(len(values))
    end, mean, spread = 0, 0.0, 1.0
    for row, value in enumerate(values):
        if end:
            score[row] = 1 - _tail(abs(value - mean) / spread)
        if row < width or (row + 1 - width) % step == 0:
            end = row + 1
            past = values[max(end - width, 0) : end]
            mean, spread = float(past.mean()), float(past.std()) or 1e-6
    return score.round(12)


def covering(errors: FloatArray) -> FloatArray:
    """Average the errors of all windows that cover a row: ``[window, step]`` to ``[row]``."""
    count, width = errors.shape
    total, times = np.zeros(count + width - 1), np.zeros(count + width - 1)
    for step in range(width):
        total[step : step + count] += errors[:, step]
        times[step : step + count] += 1
    return total / times


def _centred(scores: FloatArray, rows: int, width: int) -> FloatArray:
    before = (width - 1) - (width - 1) // 2
    return np.concatenate([np.full(before, scores[0]), scores, np.full(rows - before - len(scores), scores[-1])])


def _tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))
