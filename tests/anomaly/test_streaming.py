import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tidegate as tg
from tidegate.anomaly import DetectorStream
from tidegate.errors import DataError, NotFittedError, ShapeError

Fitted = Callable[..., Any]


def scored(stream: DetectorStream, values: np.ndarray) -> np.ndarray:
    return np.array([stream.score_one(value) for value in values])


def with_gaps(waves: np.ndarray) -> np.ndarray:
    values = waves.copy()
    values[50:53, 0] = np.nan
    values[100:130] = np.nan
    return values


@pytest.mark.parametrize("kind", ["autoencoder", "prediction"])
def test_a_stream_scores_as_a_table_is_scored_without_look_ahead(
    kind: str, request: pytest.FixtureRequest, waves: np.ndarray
) -> None:
    detector, values = request.getfixturevalue(kind), with_gaps(waves)
    streamed = scored(detector.stream(), values)
    missing = np.isnan(streamed)
    whole = detector.decision_function(values, causal=True)
    np.testing.assert_allclose(streamed[~missing], whole[~missing], rtol=1e-5)
    assert np.flatnonzero(missing).tolist() == [*range(11 if kind == "autoencoder" else 12), *range(100, 130)]


@pytest.mark.parametrize("kind", ["autoencoder", "prediction"])
def test_later_values_change_no_earlier_score(kind: str, request: pytest.FixtureRequest, waves: np.ndarray) -> None:
    detector, changed = request.getfixturevalue(kind), waves.copy()
    changed[150:] = 1e6
    whole = detector.decision_function(waves, causal=True)
    np.testing.assert_allclose(detector.decision_function(changed, causal=True)[:150], whole[:150], rtol=1e-5)
    np.testing.assert_allclose(scored(detector.stream(), changed)[20:150], whole[20:150], rtol=1e-5)
    if kind == "autoencoder":  # all windows that cover a point look ahead, which is what makes them better
        ahead = detector.decision_function(changed)[140:150]
        assert (np.abs(ahead - detector.decision_function(waves)[140:150]) > 1e-3).any()


@pytest.mark.parametrize("threshold", [0.02, tg.Spot(level=0.9, risk=0.02), tg.Spot(level=0.9, risk=0.02, depth=5)])
@pytest.mark.parametrize("likelihood", [None, tg.Likelihood(long=100, short=2)])
def test_filters_and_thresholds_go_with_the_stream(
    threshold: Any, likelihood: Any, fitted: Fitted, waves: np.ndarray
) -> None:
    detector = fitted(threshold=threshold, likelihood=likelihood)
    frame = detector._verdicts(detector._read_again(waves, skip_short=False), causal=True)[0]
    stream = detector.stream()
    assert stream.threshold == detector.threshold_causal_
    thresholds, scores, flags, shares = [], [], [], []
    for value in waves:
        thresholds.append(stream.threshold)
        scores.append(stream.score_one(value))
        flags.append(stream.is_anomaly)
        shares.append(stream.shares)
    np.testing.assert_allclose(thresholds, frame.threshold, rtol=1e-4)
    np.testing.assert_allclose(scores, frame.score, rtol=1e-4)
    np.testing.assert_array_equal(flags, frame.is_anomaly)
    np.testing.assert_allclose(shares, frame.shares, rtol=1e-4, atol=1e-6)
    assert frame.is_anomaly.any()
    np.testing.assert_array_equal(scored(detector.stream(), waves[:30]), scores[:30])  # another stream begins anew


@pytest.mark.parametrize("kind", ["autoencoder", "prediction"])
def test_values_that_came_before_fill_the_window(kind: str, request: pytest.FixtureRequest, waves: np.ndarray) -> None:
    detector = request.getfixturevalue(kind)
    stream, other = detector.stream(), detector.stream()
    stream.update(waves[:100])
    scored(other, waves[:100])
    np.testing.assert_allclose(scored(stream, waves[100:150]), scored(other, waves[100:150]), rtol=1e-5)


def test_memory_is_constant(fitted: Fitted, waves: np.ndarray) -> None:
    stream = fitted(threshold=tg.Spot(level=0.9, risk=0.02, peaks=20), likelihood=tg.Likelihood()).stream()
    scored(stream, waves)
    tracemalloc.start()
    scored(stream, waves[:50])
    first, _ = tracemalloc.get_traced_memory()
    scored(stream, waves)
    second, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert second - first < 20 * len(waves)  # not one number a value, which takes 24 bytes


def test_a_series_of_training_has_its_own_scale(fitted: Fitted, waves: np.ndarray) -> None:
    import pandas as pd

    first, second = waves[:, 0], 1000 * waves[:, 0] + 5
    time = pd.date_range("2026-01-01", periods=len(first), freq="h")
    frame = pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": time, "y": y}) for name, y in (("a", first), ("b", second))]
    )
    detector = fitted(data=frame)
    np.testing.assert_allclose(
        scored(detector.stream("a"), first)[11:], scored(detector.stream("b"), second)[11:], rtol=1e-3
    )
    with pytest.raises(DataError) as caught:
        detector.stream("c")
    assert str(caught.value) == "there was no series 'c' in training, only 'a', 'b'; leave series out for another"
    assert np.isfinite(scored(detector.stream(), first)[11:]).all()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1.0, np.inf], DataError, r"expected finite values up to 1e\+15, NaN where missing; got \[1.0, inf\]"),
        ([1.0, "x"], DataError, "expected a number, NaN where missing; got"),
        (1.0, ShapeError, r"expected 2 value\(s\); got shape \[\]"),
        ([1.0, 2.0, 3.0], ShapeError, r"expected 2 value\(s\); got shape \[3\]"),
    ],
)
def test_values_that_cannot_be(autoencoder: Any, value: Any, error: type[Exception], message: str) -> None:
    stream = autoencoder.stream()
    with pytest.raises(error, match=message):
        stream.score_one(value)
    with pytest.raises(ShapeError):
        stream.update(np.zeros((2, 2, 2)))


def test_values_outside_the_domain_of_a_transform(fitted: Fitted, waves: np.ndarray) -> None:
    stream = fitted(data=waves[:, 1], scaling=tg.Scaling(transform="log", method="centred")).stream()
    with pytest.raises(DataError, match="the transform of the model needs values above 0; got -1"):
        stream.score_one(-1)
    assert np.isnan(stream.score_one(2.0))


def test_before_fit() -> None:
    with pytest.raises(NotFittedError, match=r"this AnomalyDetector is not fitted; call fit\(…\) before stream\(…\)"):
        tg.AnomalyDetector().stream()
