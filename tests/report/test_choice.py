from __future__ import annotations

import numpy as np

from tidegate.report.choice import MOST, choose


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
