import numpy as np
import pytest

from tidegate.anomaly.judge import Judge, combined, shares_of
from tidegate.errors import DataError
from tidegate.specs import Contamination, Likelihood, Spot

ERRORS = np.array([[3.0, 8.0], [np.nan, 2.0], [0.0, 0.0], [np.nan, np.nan]])
SCALE = np.array([1.0, 2.0])


def test_a_score_is_the_root_mean_square_over_what_was_observed() -> None:
    np.testing.assert_allclose(combined(ERRORS, SCALE), [np.sqrt((9 + 16) / 2), 1.0, 0.0, np.nan])


def test_shares_add_up_to_one() -> None:
    np.testing.assert_allclose(shares_of(ERRORS, SCALE), [[9 / 25, 16 / 25], [0.0, 1.0], [0.5, 0.5], [np.nan, np.nan]])


def test_each_variable_counts_in_units_of_its_mean_error() -> None:
    judge = Judge(None, Contamination(0.1), 2)
    errors = np.random.default_rng(0).random((100, 2)) * [1, 1000]
    judge.fit([errors[:60], errors[60:]])
    np.testing.assert_allclose(judge.scale, errors.mean(0))
    scores = np.concatenate([judge.scores(errors[:60]), judge.scores(errors[60:])])
    np.testing.assert_allclose(scores, combined(errors, errors.mean(0)))
    assert judge.follower.threshold == pytest.approx(np.quantile(scores, 0.9))
    assert judge.least == scores.min()
    verdict = judge.verdict(errors[:60])
    np.testing.assert_array_equal(verdict.is_anomaly, scores[:60] > judge.follower.threshold)


def test_a_series_begins_where_training_left_the_long_run_and_changes_nothing_for_the_next() -> None:
    judge = Judge(Likelihood(long=50, short=3), Spot(level=0.8, risk=0.01), 1)
    errors = np.random.default_rng(0).random((200, 1))
    judge.fit([errors])
    first, second = judge.verdict(errors), judge.verdict(errors)
    np.testing.assert_array_equal(first.score, second.score)
    np.testing.assert_array_equal(first.threshold, second.threshold)
    assert first.threshold[-1] != first.threshold[0]
    assert first.score[0] != pytest.approx(0.30103)  # what a filter says that knows nothing


@pytest.mark.parametrize("likelihood", [None, Likelihood(long=50, short=3)])
def test_a_state_comes_back(likelihood: Likelihood | None) -> None:
    judge, again = (Judge(likelihood, Spot(level=0.8, risk=0.01), 2) for _ in range(2))
    errors = np.random.default_rng(0).random((200, 2))
    judge.fit([errors])
    again.load(judge.state())
    np.testing.assert_allclose(again.verdict(errors).threshold, judge.verdict(errors).threshold)
    assert again.least == judge.least
    with pytest.raises(ValueError, match=r"expected 3 scales of errors above 0; got shape \[2\]"):
        Judge(likelihood, Spot(), 3).load(judge.state())
    with pytest.raises(KeyError):
        again.load({name: part for name, part in judge.state().items() if name != "threshold.peaks"})


def test_a_network_that_is_never_wrong_has_a_measure_all_the_same() -> None:
    judge = Judge(None, Contamination(), 1)
    judge.fit([np.zeros((20, 1))])
    assert judge.scores(np.array([[0.0], [1e-3]])).tolist() == [0.0, pytest.approx(0.1)]


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="no training row could be judged; give more rows, or a shorter context"):
        Judge(None, Contamination(), 1).fit([np.full((5, 1), np.nan)])
