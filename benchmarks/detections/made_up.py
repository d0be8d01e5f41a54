"""Anomalies that are made up in material without labels, to choose recipes by: no label of NAB is read for that.

The material: NAB's series that have no anomalies, the rows for learning of its others, hourly series of ETTh1 and M4,
and readings that are drawn (spikes, batch jobs, counts, drift, days, levels). The anomalies: spikes, dips, level
shifts, flat and missing stretches, bursts of noise, changes of frequency, drifts, a season that is muted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from detections.corpus import FloatArray, Labelled, data_folder, nab

__all__ = ["KINDS", "drawn", "inject", "made_up", "with_anomalies"]

KINDS = ("spike", "dip", "shift", "flat", "burst", "frequency", "missing", "drift", "muted")
_OFTEN = ("spike", "spike", "spike", "dip", "shift", "shift", "flat", "burst", "burst", *KINDS[5:])
_DAY, _ROWS, _LEARNING = 288, 4032, 604
_MATERIAL = ("spiky", "jobs", "counts", "walk", "noise", "daily", "square", "levels")


def made_up(seed: int = 10) -> list[Labelled]:
    """Give all the series with made-up anomalies."""
    rng = np.random.default_rng(seed)
    made = []
    for each in nab():
        if each.name.startswith("artificialNoAnomaly"):
            made.append(with_anomalies(each.name, each.values, _LEARNING, rng))
        else:  # of a series with labels only the rows before any of them
            made.append(with_anomalies(each.name, each.values[: each.learning], each.learning // 2, rng))
    folder = data_folder() / "forecasting"
    hours = pd.read_csv(folder / "etth1.csv.gz")
    for name in hours.columns[1:5]:
        start = int(rng.integers(0, len(hours) - 4000))
        made.append(with_anomalies(f"etth1/{name}", hours[name].to_numpy()[start : start + 4000], 600, rng))
    m4 = pd.read_csv(folder / "m4_hourly_train.csv.gz")
    for name in rng.choice(m4["unique_id"].unique(), 6, replace=False):
        values = m4.loc[m4["unique_id"] == name, "y"].to_numpy(float)
        made.append(with_anomalies(f"m4/{name}", values, len(values) * 3 // 10, rng))
    made += [with_anomalies(f"drawn/{k}{i}", drawn(k, rng), _LEARNING, rng) for k in _MATERIAL for i in range(3)]
    return made


def with_anomalies(name: str, values: FloatArray, learning: int, rng: np.random.Generator) -> Labelled:
    """Put up to three anomalies behind the rows for learning, each in the middle of a window as wide as NAB's."""
    changed = np.array(values, np.float64)
    rows = len(changed)
    count = int(rng.choice([1, 1, 2, 2, 3] if rows - learning > 500 else [0, 1, 1, 1, 2]))
    width = max(rows // 10 // max(count, 1), 8)
    windows: list[tuple[int, int]] = []
    lowest, highest = learning + width // 2 + 2, rows - width // 2 - 2
    for start in np.sort(rng.integers(lowest, highest, count)).tolist() if highest > lowest else []:
        first, last = start - width // 2, start + width // 2
        if windows and first <= windows[-1][1] + 3:
            continue
        length = min(int(rng.integers(4, max(6, width // 2))), rows - start - 1)
        inject(changed, start, length, str(rng.choice(_OFTEN)), rng)
        windows.append((first, min(last, rows - 1)))
    return Labelled(name=name, values=changed, learning=learning, windows=tuple(windows))


def inject(values: FloatArray, start: int, length: int, kind: str, rng: np.random.Generator) -> None:
    """Change ``values`` in place from row ``start`` on; what was never negative stays so."""
    size = max(float(np.quantile(values, 0.98) - np.quantile(values, 0.02)), float(values.std()), 1e-9)
    positive, sign = bool(values.min() >= 0), int(rng.choice([-1, 1]))
    stretch = slice(start, start + length)
    changes: dict[str, Callable[[], tuple[slice, FloatArray | float]]] = {
        "spike": lambda: _moved(
            values, start, int(rng.integers(1, 4)), (1 if positive else sign) * rng.uniform(1, 4) * size
        ),
        "dip": lambda: (
            slice(start, start + int(rng.integers(2, 12))),
            float(np.quantile(values, 0.01)) - (0 if positive else rng.uniform(0, 0.5) * size),
        ),
        "shift": lambda: _moved(values, start, length, sign * rng.uniform(0.6, 2.5) * size),
        "flat": lambda: (stretch, float(values[start])),
        "burst": lambda: (stretch, values[stretch] + rng.normal(0, rng.uniform(0.5, 2) * size, length)),
        "frequency": lambda: (stretch, _faster(values, start, length, float(rng.choice([0.5, 2.0, 3.0])))),
        "missing": lambda: (stretch, 0.0 if positive else float(np.median(values)) - size),
        "drift": lambda: _moved(values, start, length, sign * np.linspace(0, 1, length) * rng.uniform(1, 3) * size),
        "muted": lambda: (stretch, np.median(values) + (values[stretch] - np.median(values)) * rng.uniform(0.05, 0.3)),
    }
    where, what = changes[kind]()
    values[where] = np.maximum(what, 0.0) if positive else what


def drawn(kind: str, rng: np.random.Generator, rows: int = _ROWS) -> FloatArray:
    """Draw readings of one kind, five minutes apart."""
    steps = np.arange(rows)
    day = 2 * np.pi * steps / _DAY
    made: dict[str, Callable[[], FloatArray]] = {
        "spiky": lambda: (
            rng.gamma(2, 0.05, rows)
            + np.where(rng.random(rows) < rng.uniform(0.005, 0.05), rng.exponential(2, rows), 0.0)
        ),
        "jobs": lambda: _jobs(rng, rows),
        "counts": lambda: rng.poisson(
            np.exp(rng.uniform(0, 4) + 0.6 * np.sin(day) + 0.3 * np.sin(day / 7))
            * np.where(rng.random(rows) < 0.01, rng.uniform(2, 5, rows), 1.0)
        ).astype(np.float64),
        "walk": lambda: rng.normal(0, 1, rows).cumsum() + rng.normal(0, rng.uniform(0.5, 5), rows),
        "noise": lambda: 70 + _decaying(rng.standard_t(3, rows), rng.uniform(0.8, 0.995)),
        "daily": lambda: 50 + 20 * np.sin(day) + 8 * np.sin(2 * day + 1) + rng.normal(0, rng.uniform(1, 4), rows),
        "square": lambda: (
            np.where((steps % _DAY > 100) & (steps % _DAY < 200), 80.0, 20.0) + rng.normal(0, rng.uniform(0, 4), rows)
        ),
        "levels": lambda: _levels(rng, rows),
    }
    return made[kind]()


def _moved(values: FloatArray, start: int, length: int, by: FloatArray | float) -> tuple[slice, FloatArray]:
    where = slice(start, start + int(length))
    return where, values[where] + by


def _faster(values: FloatArray, start: int, length: int, times: float) -> FloatArray:
    rows = start + (np.arange(length) * times).astype(int)
    taken: FloatArray = values[np.minimum(rows, len(values) - 1)]
    return taken


def _decaying(shocks: FloatArray, kept: float) -> FloatArray:
    """Give what an autoregression of the first order makes of ``shocks``."""
    state, states = 0.0, np.empty(len(shocks))
    for row, shock in enumerate(shocks):
        state = kept * state + shock
        states[row] = state
    return states


def _jobs(rng: np.random.Generator, rows: int) -> FloatArray:
    made, every = rng.normal(5, 0.5, rows), int(rng.integers(20, 80))
    for start in range(0, rows, every):
        first = max(start + int(rng.integers(-2, 3)), 0)
        made[first : first + int(rng.integers(2, 5))] += rng.uniform(20, 40)
    return np.maximum(made, 0.0)


def _levels(rng: np.random.Generator, rows: int) -> FloatArray:
    made, row = np.empty(rows), 0
    while row < rows:
        length = int(rng.exponential(60)) + 5
        made[row : row + length] = rng.choice([30, 33, 35, 50])
        row += length
    return made + rng.normal(0, 0.4, rows)
