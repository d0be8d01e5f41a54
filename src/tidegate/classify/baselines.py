"""What a model of whole series is scored beside: the share of each class, the mean, the nearest neighbour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray
from tidegate.data.ragged import Ragged

__all__ = ["class_shares", "nearest", "one_hot"]

_MOST_STEPS = 256  # that a series is resampled to
_CHUNK = 64  # series that are compared at once


def class_shares(codes: IntArray, classes: int, series: int) -> npt.NDArray[np.float64]:
    """Give every series the shares of the classes in training: ``[series, class]``; the majority is the likeliest."""
    shares = np.bincount(codes, minlength=classes) / len(codes)
    return np.tile(shares, (series, 1))


def one_hot(codes: IntArray, classes: int) -> npt.NDArray[np.float64]:
    """Give the probabilities of one who is sure, ``[series, class]``."""
    return np.eye(classes)[codes]


def nearest(train: Ragged, asked: Ragged) -> IntArray:
    """Find for each series the nearest one of training, by Euclidean distance (1-NN, the archives' first benchmark).

    Channels are brought to mean 0 and standard deviation 1 by all steps of training, missing values filled by the
    line between those around them, and series resampled to the longest of training, at most 256 steps.

    Parameters
    ----------
    train, asked
        Series of the same channels, ``[step, channel]``, NaN where missing.

    Returns
    -------
    ndarray
        Places in ``train``, ``[series]``; of equally near ones the first.
    """
    loc, scale = np.nanmean(train.flat, axis=0), np.nanstd(train.flat, axis=0)
    scale = np.where(scale > 0, scale, 1)
    steps = int(min(train.lengths.max(), _MOST_STEPS))
    known, queries = (_resampled(part, loc, scale, steps) for part in (train, asked))
    found = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _CHUNK):
        chunk = queries[start : start + _CHUNK]
        distances = (chunk**2).sum(1)[:, None] - 2 * chunk @ known.T + (known**2).sum(1)
        found[start : start + _CHUNK] = distances.argmin(axis=1)
    return found


def _resampled(
    sequences: Ragged, loc: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], steps: int
) -> npt.NDArray[np.float64]:
    """Give ``[series, steps · channel]``."""
    resampled = np.zeros((len(sequences), steps, sequences.flat.shape[1]))
    for index in range(len(sequences)):
        series = (sequences[index] - loc) / scale
        places = np.linspace(0, len(series) - 1, steps)
        for channel, values in enumerate(series.T):
            there = np.flatnonzero(~np.isnan(values))
            if there.size:  # else its mean, 0
                resampled[index, :, channel] = np.interp(places, there, values[there])
    return resampled.reshape(len(sequences), -1)
