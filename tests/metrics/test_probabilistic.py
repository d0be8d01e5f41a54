"""Probabilistic scores against loops that follow the definitions word for word."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mean_pinball_loss

from tidegate import metrics
from tidegate.errors import ShapeError, SpecError

FLOATS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
RNG = np.random.default_rng(7)
Y, LOW, HIGH = RNG.normal(size=(3, 4, 5)), RNG.normal(-1, 1, (3, 4, 5)), RNG.normal(1, 1, (3, 4, 5))


def oracle_pinball(y: float, q: float, p: float) -> float:
    return p * (y - q) if y >= q else (1 - p) * (q - y)


def oracle_crps(y: float, samples: list[float]) -> float:
    spread = [abs(one - other) for one in samples for other in samples]
    return sum(abs(one - y) for one in samples) / len(samples) - sum(spread) / len(spread) / 2


def oracle_interval(y: float, low: float, high: float, level: float) -> float:
    alpha = 1 - level / 100
    score = high - low
    if y < low:
        score += 2 / alpha * (low - y)
    if y > high:
        score += 2 / alpha * (y - high)
    return score


@given(pair=hnp.arrays(float, st.tuples(st.just(2), st.integers(1, 20)), elements=FLOATS), p=st.floats(0.01, 0.99))
def test_pinball_is_the_definition_and_scikit_learns(pair: np.ndarray, p: float) -> None:
    y, q = pair
    expected = np.mean([oracle_pinball(*each, p) for each in zip(y, q, strict=True)])
    assert metrics.pinball(y, q, p) == pytest.approx(expected)
    assert metrics.pinball(y, q, p) == pytest.approx(mean_pinball_loss(y, q, alpha=p))


def test_pinball_with_a_probability_for_each_quantile() -> None:
    q, p = Y[..., None] + RNG.normal(size=(3, 4, 5, 3)), np.array([0.1, 0.5, 0.9])
    found = metrics.pinball(Y[..., None], q, p, axis=(0, 1, 2))
    assert found.tolist() == pytest.approx([metrics.pinball(Y, q[..., i], p[i]) for i in range(3)])
    assert found[1] == pytest.approx(metrics.mae(Y, q[..., 1]) / 2)


def test_crps_from_quantiles_is_twice_the_mean_pinball() -> None:
    q, p = np.sort(RNG.normal(size=(3, 4, 5, 7))), np.linspace(0.1, 0.9, 7)
    found = metrics.crps_quantiles(Y, q, p, axis=2)
    assert found.shape == (3, 4)
    expected = 2 * np.mean([oracle_pinball(Y[1, 2, s], q[1, 2, s, i], p[i]) for s in range(5) for i in range(7)])
    assert found[1, 2] == pytest.approx(expected)


@given(hnp.arrays(float, st.integers(1, 30), elements=FLOATS), FLOATS)
def test_crps_from_samples_is_the_mean_over_all_pairs(samples: np.ndarray, y: float) -> None:
    assert metrics.crps_samples(y, samples) == pytest.approx(oracle_crps(y, samples.tolist()), rel=1e-9, abs=1e-6)


def test_crps_of_samples_far_from_zero_keeps_its_digits() -> None:
    samples = RNG.normal(size=50)
    near, far = metrics.crps_samples(0.5, samples), metrics.crps_samples(0.5 + 2**40, samples + 2**40)
    assert far == pytest.approx(near, abs=1e-3)  # the samples themselves lose that much
    exact = np.round(samples * 1024) / 1024  # these lose nothing
    assert metrics.crps_samples(0.5 + 2**40, exact + 2**40) == pytest.approx(
        metrics.crps_samples(0.5, exact), rel=1e-12
    )


def test_both_ways_to_the_crps_meet_at_the_normal_distributions() -> None:
    # Of N(0, 1) at y: y·(2Φ(y) − 1) + 2φ(y) − 1/√π (Gneiting et al., 2005).
    p = (np.arange(2000) + 0.5) / 2000
    normal = NormalDist()
    x = np.array([normal.inv_cdf(each) for each in p])
    y = np.array([-1.0, 0.0, 2.5])
    exact = [v * (2 * normal.cdf(v) - 1) + 2 * normal.pdf(v) - 1 / math.sqrt(math.pi) for v in y]
    members = np.tile(x, (3, 1))
    assert metrics.crps_samples(y, members[:, ::-1], axis=()).tolist() == pytest.approx(exact, abs=1e-3)
    assert metrics.crps_quantiles(y, members, p, axis=()).tolist() == pytest.approx(exact, abs=1e-3)
    tenths = np.arange(0.05, 1, 0.1)
    few = np.tile([normal.inv_cdf(each) for each in tenths], (3, 1))
    assert metrics.crps_quantiles(y, few, tenths, axis=()).tolist() == pytest.approx(exact, abs=0.03)


def test_interval_scores_are_those_of_the_definitions() -> None:
    low, high = np.minimum(LOW, HIGH), np.maximum(LOW, HIGH)
    scale = RNG.uniform(1, 2, (3, 4))
    found = metrics.msis(Y, low, high, scale, level=95)
    for i, j in np.ndindex(3, 4):
        steps = [oracle_interval(Y[i, j, s], low[i, j, s], high[i, j, s], 95) for s in range(5)]
        assert found[i, j] == pytest.approx(np.mean(steps) / scale[i, j])
    inside = [bool(low[w] <= Y[w] <= high[w]) for w in np.ndindex(Y.shape)]
    assert 0 < sum(inside) < len(inside)
    assert metrics.coverage(Y, low, high) == pytest.approx(100 * sum(inside) / len(inside))
    assert metrics.width(Y, low, high) == pytest.approx((high - low).mean())


def test_bounds_belong_to_the_interval() -> None:
    assert metrics.coverage([1.0, 2.0], [1.0, 1.0], [2.0, 2.0]) == 100.0
    assert metrics.msis([1.0, 2.0], [1.0, 1.0], [2.0, 2.0], 1.0, level=50) == 1.0


def test_a_series_without_a_scale_has_no_msis() -> None:
    found = metrics.msis([[1.0], [1.0]], [[0.0], [0.0]], [[2.0], [2.0]], [0.0, 4.0], level=80)
    assert math.isnan(found[0])
    assert found[1] == 0.5


SCORES: list[Callable[..., Any]] = [
    lambda y, f, **axis: metrics.pinball(y, f, 0.3, **axis),
    lambda y, f, **axis: metrics.crps_quantiles(y, np.stack([f, f + 1], -1), [0.25, 0.75], **axis),
    lambda y, f, **axis: metrics.crps_samples(y, np.stack([f, f + 1], -1), **axis),
    lambda y, f, **axis: metrics.msis(y, f - 1, f, 2.0, level=60, **{"axis": None, **axis}),
    lambda y, f, **axis: metrics.coverage(y, f - 1, f + 1, **axis),
    lambda y, f, **axis: metrics.coverage(y, np.zeros_like(y), f, **axis),
    lambda y, f, **axis: metrics.width(y, np.ones_like(y), f, **axis),
]


@pytest.mark.parametrize("score", SCORES)
def test_missing_truth_is_left_out_and_a_missing_forecast_is_not_forgiven(score: Callable[..., Any]) -> None:
    y, f = np.array([1.0, 2.0, 4.0, np.nan]), np.array([1.5, 2.5, 3.0, np.nan])
    assert score(y, f) == pytest.approx(score(y[:3], f[:3]))
    assert math.isnan(score(np.array([np.nan, np.nan]), np.array([1.0, 2.0])))
    assert math.isnan(score(np.array([1.0, 2.0]), np.array([np.nan, 2.0])))


@pytest.mark.parametrize("score", SCORES)
def test_axes_are_averaged_alone(score: Callable[..., Any]) -> None:
    y = Y.copy()
    y[1, 2, 3] = np.nan
    whole = score(y, LOW, axis=(1, 2))
    assert whole.shape == (3,)
    assert whole.tolist() == pytest.approx([score(y[i], LOW[i]) for i in range(3)])
    assert score(y, LOW, axis=-1)[0, 1] == pytest.approx(score(y[0, 1], LOW[0, 1]))


def test_shapes_and_probabilities_must_fit() -> None:
    with pytest.raises(ShapeError, match=r"must broadcast: actual \(3,\), forecast \(2,\), probability \(\)"):
        metrics.pinball([1.0, 2.0, 3.0], [1.0, 2.0], 0.5)
    with pytest.raises(SpecError, match=r"must lie between 0 and 1, the ends excluded; got 1\.0"):
        metrics.pinball([1.0], [1.0], 1.0)
    with pytest.raises(ShapeError, match=r"quantiles must be \[..., quantile\] and .*; got \(1, 3\) and \(2,\)"):
        metrics.crps_quantiles([1.0], [[1.0, 2.0, 3.0]], [0.1, 0.9])
    with pytest.raises(ShapeError, match=r"shape of actual, \(2,\), and one axis more at the end; got \(1, 3\)"):
        metrics.crps_samples([1.0, 2.0], [[1.0, 2.0, 3.0]])
    with pytest.raises(ShapeError, match="at least one sample"):
        metrics.crps_samples([1.0], np.zeros((1, 0)))
    with pytest.raises(SpecError, match="level must be a number of per cent, 0 < level < 100; got 100"):
        metrics.msis([1.0], [1.0], [1.0], 1.0, level=100)
    with pytest.raises(ShapeError, match=r"scale must be a number or have the shape \(1,\) of the errors; got \(2,\)"):
        metrics.msis([[1.0, 2.0]], [[1.0, 2.0]], [[1.0, 2.0]], [1.0, 2.0], level=80)
