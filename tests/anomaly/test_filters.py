import math

import numpy as np
import pytest

from tidegate.anomaly.filters import LikelihoodFilter, SmoothingFilter, filtered, log10_tail, make_filters
from tidegate.specs import Contamination, Dynamic, Likelihood


@pytest.mark.parametrize(
    ("z", "expected"),
    [(-50.0, 0.0), (0.0, 0.30103), (1.6448536269514722, 1.30103), (6.0, 9.005861), (19.9, 87.69151), (40.0, 349.43701)],
)
def test_the_tail_of_the_normal_distribution(z: float, expected: float) -> None:
    assert log10_tail(z) == pytest.approx(expected, rel=1e-5, abs=1e-12)  # from scipy.stats.norm.logsf


def test_the_tail_has_no_seam() -> None:
    assert log10_tail(20.0) == pytest.approx(-math.log10(0.5 * math.erfc(20 / math.sqrt(2))), rel=1e-6)


def slow_likelihood(values: list[float], spec: Likelihood) -> list[float]:
    """Sum up anew at every step what the filter carries on."""
    scores = []
    for now, value in enumerate(values):
        seen = values[:now]
        if len(seen) > spec.long:
            raise AssertionError("only as long as all values count alike")
        short = np.mean(values[max(0, now - spec.short + 1) : now + 1])
        z = 0.0 if len(seen) < 2 else (short - np.mean(seen)) / np.std(seen)
        scores.append(-math.log10(0.5 * math.erfc(z / math.sqrt(2))))
        assert math.isfinite(value)
    return scores


def test_the_likelihood_holds_the_last_few_errors_against_all() -> None:
    spec = Likelihood(long=50, short=3)
    values = np.random.default_rng(0).gamma(2.0, size=40)
    np.testing.assert_allclose(filtered([LikelihoodFilter(spec)], values), slow_likelihood(values.tolist(), spec))


def test_the_long_run_forgets_with_its_time_constant() -> None:
    spec = Likelihood(long=10, short=1)
    found = LikelihoodFilter(spec)
    for value in [0.0, 2.0] * 5 + [7.0]:
        found.step(value)
    mean, variance, count = found.state()
    assert mean == pytest.approx(1 + 6 / 10)
    assert count == 10
    assert variance == pytest.approx(0.9 * (1 + 36 / 10))


def test_errors_that_grow_for_good_become_normal_again() -> None:
    steady = np.random.default_rng(0).random(500)
    scores = filtered([LikelihoodFilter(Likelihood(long=100, short=3))], np.concatenate([steady, steady + 5]))
    assert scores[500:505].max() > 8
    assert scores[900:].max() < 2.5


def test_logarithms() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=40)
    plain = filtered([LikelihoodFilter(Likelihood(long=50, short=3))], np.log(values))
    np.testing.assert_array_equal(filtered([LikelihoodFilter(Likelihood(long=50, short=3, log=True))], values), plain)


def test_smoothing_is_an_exponentially_weighted_mean() -> None:
    smoothed = filtered([SmoothingFilter(3)], np.array([1.0, 5.0, np.nan, 3.0]))
    np.testing.assert_array_equal(smoothed, [1.0, 3.0, np.nan, 3.0])


@pytest.mark.parametrize("make", [lambda: LikelihoodFilter(Likelihood(long=20, short=3)), lambda: SmoothingFilter(4)])
def test_what_is_missing_changes_nothing(make: object) -> None:
    values = np.random.default_rng(1).random(30)
    gaps = np.insert(values, [5, 9, 9, 20], np.nan)
    found = filtered([make()], gaps)  # type: ignore[operator]
    assert np.isnan(found).sum() == 4
    np.testing.assert_array_equal(found[~np.isnan(found)], filtered([make()], values))  # type: ignore[operator]


def test_a_state_comes_back() -> None:
    spec = Likelihood(long=20, short=3)
    first, second = LikelihoodFilter(spec), LikelihoodFilter(spec)
    filtered([first], np.random.default_rng(1).random(30))
    first.begin()
    second.load(first.state())
    assert [first.step(2.0), first.step(0.1)] == [second.step(2.0), second.step(0.1)]
    with pytest.raises(ValueError, match="the state of the likelihood does not belong to its options"):
        second.load([0.0, -1.0, 3.0])
    with pytest.raises(ValueError, match="the state of the likelihood does not belong to its options"):
        second.load([0.0, 1.0, 21.0])
    with pytest.raises(ValueError, match="an exponentially weighted mean has no state of the long run"):
        SmoothingFilter(3).load([1.0])


def test_which_filters_there_are() -> None:
    assert make_filters(None, Contamination()) == []
    kinds = [type(each).__name__ for each in make_filters(Likelihood(), Dynamic())]
    assert kinds == ["LikelihoodFilter", "SmoothingFilter"]


def test_a_rest_leaves_scores_that_no_recent_one_reaches() -> None:
    values = np.random.default_rng(2).gamma(2.0, size=200)
    plain = filtered([LikelihoodFilter(Likelihood(long=100, short=1))], values)
    rested = filtered([LikelihoodFilter(Likelihood(long=100, short=1, rest=7))], values)
    expected = [
        score if score > max(plain[max(0, row - 7) : row], default=-math.inf) else 0.0
        for row, score in enumerate(plain)
    ]
    assert rested.tolist() == expected
    assert 0 < np.count_nonzero(rested) < 80


def test_a_rest_holds_no_more_scores_than_it_has_steps() -> None:
    falling = LikelihoodFilter(Likelihood(long=100, short=1, rest=7))
    for value in np.linspace(9, 1, 300):
        falling.step(value)
    assert len(falling._peaks) <= 8


def test_errors_that_never_differ_are_no_measure() -> None:
    found = LikelihoodFilter(Likelihood(long=100, short=1))
    for _ in range(50):
        found.step(1.0)
    assert found.step(1.2) == pytest.approx(log10_tail(2.0))  # in a tenth of the mean error of training
