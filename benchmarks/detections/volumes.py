"""Finished tables: how well scores rank the rows of NAB's series, beside baselines that are run in the same way."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from detections import baselines
from detections.corpus import FloatArray, Labelled, period
from detections.recipes import batch, untrained
from forecasts.rows import cell, heading, row
from tidegate.metrics import auc_pr, auc_roc, detection_delay, event_scores, vus_pr, vus_roc

__all__ = ["METHODS", "distinct", "figures", "volumes"]

Method = Callable[[FloatArray, int], FloatArray]
"""From values and their period to scores."""

_FLAGGED = 0.05  # share of the rows that are called anomalies, of every method alike: no labels are looked at


def ours(values: FloatArray, _: int) -> FloatArray:
    """Score rows by the detector of the recipe, fitted on all of them."""
    return batch(values).fit(values).decision_scores_


def first_weights(values: FloatArray, _: int) -> FloatArray:
    """Score rows by the same detector, without training."""
    return untrained(batch(values)).fit(values).decision_scores_


def smoothed(method: Method, values: FloatArray, width: int) -> FloatArray:
    """Smooth the scores of a baseline over a tenth of the rows, as the recipe does with its own."""
    rows, scores = max(len(values) // 10, 1), method(values, width)
    total = np.concatenate([[0.0], np.cumsum(scores)])
    start = np.arange(len(scores)) - (rows - 1) // 2
    first, last = np.maximum(start, 0), np.minimum(start + rows, len(scores))
    average: FloatArray = (total[last] - total[first]) / (last - first)
    return average


METHODS: Mapping[str, Method] = {
    "Tidegate, prediction": ours,
    "the same, untrained": first_weights,
    "principal components of windows (pyod's)": baselines.pca,
    "the same, smoothed": functools.partial(smoothed, baselines.pca),
    "principal components, reconstruction": baselines.pca_reconstruction,
    "dense autoencoder": baselines.dense_autoencoder,
    "the same, smoothed like ours": functools.partial(smoothed, baselines.dense_autoencoder),
    "random": lambda values, _: baselines.random(values),
    "constant": lambda values, _: baselines.constant(values),
}


def volumes(series: Sequence[Labelled], methods: Mapping[str, Method] = METHODS) -> None:
    """Print the mean over the series with anomalies of each figure, for each method."""
    chosen = [each for each in series if each.windows]
    names = ["VUS-PR", "VUS-ROC", "AUC-PR", "AUC-ROC", "event F1", "delay, steps"]
    print(heading(["method", *names, "s"]), flush=True)
    for name, method in methods.items():
        start = time.perf_counter()
        found = [figures(each, method) for each in chosen]
        means = np.nanmean(found, axis=0)
        taken = time.perf_counter() - start
        cells = [cell(value, 1 if name == "delay, steps" else 3) for name, value in zip(names, means, strict=True)]
        print(row([name, *cells, f"{taken:.0f}"]), flush=True)
    print(
        f"\n{len(chosen)} series, each fitted on all its rows without labels; events: the {_FLAGGED:.0%} of the rows "
        f"with the highest scores"
    )


def figures(series: Labelled, method: Method) -> list[float]:
    """Give VUS-PR, VUS-ROC, AUC-PR, AUC-ROC, event F1, and delay (NaN where nothing was found)."""
    width = period(series.values)
    scores, label = distinct(method(series.values, width)), series.label
    alarms = scores > np.quantile(scores, 1 - _FLAGGED)
    return [
        vus_pr(label, scores, width),
        vus_roc(label, scores, width),
        auc_pr(label, scores),
        auc_roc(label, scores),
        event_scores(label, alarms).f1,
        detection_delay(label, alarms),
    ]


def distinct(scores: FloatArray, seed: int = 0) -> FloatArray:
    """Give the ranks of scores; equal ones are put in order by chance.

    The published volume credits ties: its curve begins at a precision of 1, so that half of the way to the first
    threshold is a gift, and a constant score, of one threshold, has more than a half.
    """
    chance = np.random.default_rng(seed).random(len(scores))
    ranks = np.empty(len(scores))
    ranks[np.lexsort((chance, scores))] = np.arange(len(scores))
    return ranks
