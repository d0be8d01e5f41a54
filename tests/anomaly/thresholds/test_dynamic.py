import numpy as np
import pytest

from tidegate.anomaly.runs import runs
from tidegate.anomaly.thresholds.dynamic import DynamicThreshold, dynamic_threshold, prune
from tidegate.errors import DataError
from tidegate.specs import Dynamic

SCORES = np.random.default_rng(5).random(1000)
SCORES[300:310] += 4
SCORES[700] += 2.5
ZS = np.arange(2.5, 12.01, 0.5)


def slowly() -> float:
    best, chosen = -1.0, np.nan
    for z in ZS:
        epsilon = SCORES.mean() + z * SCORES.std()
        rest = SCORES[epsilon > SCORES]
        above = len(SCORES) - len(rest)
        if above:
            fall = (SCORES.mean() - rest.mean()) / SCORES.mean() + (SCORES.std() - rest.std()) / SCORES.std()
            value = fall / (above + len(runs(epsilon < SCORES)[0]) ** 2)
            if value >= best:
                best, chosen = value, epsilon
    return chosen


def test_the_z_that_makes_mean_and_deviation_fall_most() -> None:
    found = DynamicThreshold(Dynamic())
    found.fit(SCORES)
    assert found.threshold == pytest.approx(slowly())
    assert SCORES[700] < found.threshold < SCORES[300:310].min()
    assert found.update(4.9)
    assert not found.update(np.nan)
    again = DynamicThreshold(Dynamic())
    again.load(found.state())
    np.testing.assert_array_equal(again.walk(SCORES)[1], found.threshold < SCORES)


def test_where_nothing_stands_out_the_largest_z_is_taken() -> None:
    even = np.tile([0.0, 1.0], 50)
    assert dynamic_threshold(even, ZS) == pytest.approx(0.5 + 12 * 0.5)
    with pytest.raises(DataError, match="a threshold needs training scores, and no row has one; give more observed"):
        DynamicThreshold(Dynamic()).fit(np.array([np.nan]))


def test_stretches_that_hardly_stand_out_are_taken_back() -> None:
    scores = np.array([0.5, 9.0, 8.0, 0.4, np.nan, 2.0, 0.9, 1.9, 1.8])
    flags = np.array([False, True, True, False, False, True, False, True, False])
    assert prune(scores, flags, 0.13).tolist() == [False, True, True, False, False, False, False, False, False]
    scores[8] = 1.5  # the last fall, from 1.9 to it, is now one of 21 %
    assert prune(scores, flags, 0.13).tolist() == flags.tolist()


def test_all_are_taken_back_where_none_stands_out() -> None:
    scores = np.array([1.0, 1.05, 1.0, 1.06])
    assert not prune(scores, scores > 1.04, 0.13).any()
    assert prune(scores, np.ones(4, bool), 0.13).all()  # with nothing normal beside it
    assert not prune(scores, np.zeros(4, bool), 0.13).any()
