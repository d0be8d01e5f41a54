from __future__ import annotations

import numpy as np

from tidegate.report.choice import MOST, choose, extremes


def test_a_few_are_all_shown_in_the_order_of_the_data() -> None:
    shown = choose(np.array([[0.9, 0.1], [np.nan, 0.5]]))
    assert [(one.series, one.target) for one in shown] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {one.group for one in shown} == {""}
    assert shown[1].mase == 0.1


def test_of_many_the_best_the_middling_and_the_worst_are_shown() -> None:
    mase = np.random.default_rng(0).permutation(np.arange(1001.0))[:, None]
    shown = choose(mase)
    assert len(shown) == MOST == 24
    found = {
        group: [one.mase for one in shown if one.group == group] for group in dict.fromkeys(o.group for o in shown)
    }
    assert found == {
        "Most accurate": [float(value) for value in range(8)],
        "Around the median": [float(value) for value in range(496, 504)],
        "Least accurate": [float(value) for value in range(993, 1001)],
    }
    assert all(mase[one.series, one.target] == one.mase for one in shown)


def test_series_without_a_score_are_left_out_of_many() -> None:
    mase = np.full((100, 1), np.nan)
    mase[::2, 0] = np.arange(50)
    shown = choose(mase)
    assert np.isfinite([one.mase for one in shown]).all()
    assert len({one.series for one in shown}) == MOST


def test_none_is_shown_twice_where_hardly_any_has_a_score() -> None:
    mase = np.full((25, 1), np.nan)
    mase[3] = 1.0
    shown = choose(mase)
    assert len({one.series for one in shown}) == MOST
    assert shown[0].series == 3


def test_the_best_and_the_worst_are_ranked_and_never_the_same() -> None:
    mase = np.array([[0.9, 0.1], [np.nan, 0.5], [2.0, 0.7], [3.0, 0.2], [1.5, np.nan]])
    found = [(one.group, one.mase) for one in extremes(mase)]
    best, worst = "Most accurate", "Least accurate"
    assert found == [(best, 0.1), (best, 0.2), (best, 0.5), (worst, 3.0), (worst, 2.0), (worst, 1.5)]
    assert [one.mase for one in extremes(mase[:2])] == [0.1, 0.9]
    assert all(mase[one.series, one.target] == one.mase for one in extremes(mase))
    assert extremes(np.array([[0.5], [np.nan]])) == []


def test_series_that_were_forecast_alike_are_ranked_by_the_order_of_the_data() -> None:
    assert [one.series for one in extremes(np.ones((4, 1)))] == [0, 1, 3, 2]
