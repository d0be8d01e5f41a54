import numpy as np
import pytest

from tidegate.anomaly.thresholds.pareto import fit_pareto, upper_tail
from tidegate.anomaly.thresholds.spot import SpotThreshold
from tidegate.errors import DataError
from tidegate.specs import Spot

GENERATOR = np.random.default_rng(7)
TRAINING = GENERATOR.normal(size=5000)
NEW = GENERATOR.normal(size=3000)


def fitted(spec: Spot) -> SpotThreshold:
    found = SpotThreshold(spec)
    found.fit(TRAINING)
    return found


@pytest.mark.parametrize(("risk", "quantile"), [(1e-3, 3.090), (1e-4, 3.719)])
def test_a_normal_score_exceeds_it_with_the_probability_asked_for(risk: float, quantile: float) -> None:
    assert fitted(Spot(risk=risk)).threshold == pytest.approx(quantile, abs=0.15)


def test_peaks_are_learnt_and_alarms_are_not() -> None:
    found = fitted(Spot())
    before = found.threshold
    assert found.update(before + 1)
    assert found.threshold == before
    level = float(np.quantile(TRAINING, 0.98))
    peaks = TRAINING[level < TRAINING] - level
    assert not found.update(level + 0.5)
    gamma, sigma = fit_pareto(np.append(peaks, 0.5))
    expected = level + upper_tail(gamma, sigma, 1e-3 * 5001 / (len(peaks) + 1))
    assert found.threshold == pytest.approx(expected)
    lower = found.threshold
    assert not found.update(0.0)
    assert not found.update(np.nan)
    assert found.threshold == lower  # until the next peak


@pytest.mark.parametrize("depth", [0, 20])
def test_walking_is_updating_one_by_one(depth: int) -> None:
    found, other = fitted(Spot(depth=depth)), fitted(Spot(depth=depth))
    thresholds, flags = found.walk(NEW)
    for threshold, flag, score in zip(thresholds, flags, NEW.tolist(), strict=True):
        assert other.threshold == threshold
        assert other.update(score) == flag
    assert 0 < flags.sum() < 15


def test_with_a_depth_the_threshold_moves_with_the_scores() -> None:
    found = fitted(Spot(depth=20))
    drifting = NEW + np.arange(len(NEW)) / 100
    thresholds, flags = found.walk(drifting)
    assert flags.mean() < 0.02
    assert thresholds[-1] - thresholds[0] == pytest.approx(30, abs=2)
    assert fitted(Spot()).walk(drifting)[1].mean() > 0.5
    assert found.threshold == pytest.approx(np.mean(drifting[~flags][-20:]) + found._above)


def test_peaks_are_forgotten_so_that_memory_is_constant() -> None:
    found = SpotThreshold(Spot(peaks=50))
    found.fit(TRAINING)
    found.walk(NEW)
    assert len(found.state()["peaks"]) == 50
    peak = found._level + 0.25
    assert not found.update(peak)
    assert found.state()["peaks"][-1] == pytest.approx(0.25)
    assert len(found.state()["peaks"]) == 50


@pytest.mark.parametrize("depth", [0, 20])
def test_a_state_comes_back(depth: int) -> None:
    found, again = fitted(Spot(depth=depth, peaks=60)), SpotThreshold(Spot(depth=depth, peaks=60))
    found.walk(NEW[:1000])
    again.load(found.state())
    np.testing.assert_allclose(again.walk(NEW)[0], found.walk(NEW)[0])
    with pytest.raises(ValueError, match="the state of the threshold does not belong to its options"):
        SpotThreshold(Spot(depth=depth + 1)).load(found.state())


def test_of_a_few_scores_ten_count_as_extreme() -> None:
    found = SpotThreshold(Spot())
    found.fit(TRAINING[:100])
    peaks = np.sort(TRAINING[:100])[-10:]
    level = float(np.quantile(TRAINING[:100], 0.9))
    np.testing.assert_allclose(np.sort(found.state()["peaks"]), peaks - level)
    gamma, sigma = fit_pareto(peaks - level)
    assert found.threshold == pytest.approx(level + upper_tail(gamma, sigma, 1e-3 * 100 / 10))


def test_scores_that_are_all_alike() -> None:
    found = SpotThreshold(Spot())
    found.fit(np.zeros(200))
    assert found.threshold == 0.0
    assert [found.update(0.0), found.update(0.1), found.update(0.0)] == [False, True, False]
    again = SpotThreshold(Spot())
    again.load(found.state())
    assert again.threshold == 0.0


@pytest.mark.parametrize(("depth", "after"), [(0, ""), (20, " after a moving mean of 20")])
def test_too_few_scores(depth: int, after: str) -> None:
    with pytest.raises(DataError) as caught:
        SpotThreshold(Spot(depth=depth)).fit(TRAINING[: 40 + depth])
    assert str(caught.value) == (
        f"SPOT needs 50 training scores to tell their tail; there are 40{after}: give more rows, or another threshold"
    )
