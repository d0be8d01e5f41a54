from __future__ import annotations

import math

import pytest

from tidegate.report.words import best_baseline, best_models, short_name, verdict

SCORES = {
    "tidegate": {"MAE": 3.0, "R2": 0.9, "MASE": 0.6},
    "naive": {"MAE": 2.0, "R2": 0.95, "MASE": 0.9},
    "drift": {"MAE": 5.0, "R2": math.nan, "MASE": 0.8},
}


def test_the_best_is_the_highest_r2_and_the_lowest_of_all_else() -> None:
    assert best_models(SCORES, "MAE") == {"naive"}
    assert best_models(SCORES, "R2") == {"naive"}
    assert best_models(SCORES, "MASE") == {"tidegate"}
    assert best_models(SCORES, "RMSE") == set()


def test_the_best_baseline_is_chosen_by_mase_and_by_mae_where_there_is_none() -> None:
    assert best_baseline(SCORES) == ("drift", "MASE")
    without = {name: {**values, "MASE": math.nan} for name, values in SCORES.items()}
    assert best_baseline(without) == ("naive", "MAE")
    assert best_baseline({"tidegate": {"MAE": 1.0}}) is None


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (0.6, 0.8, "is 25 % smaller than that of the best baseline, Naive (last value) (0.8)."),
        (1.0, 0.8, "is 25 % larger than that of the best baseline, Naive (last value) (0.8). For these data that"),
        (0.8, 0.8, "is as large as that of the best baseline, Naive (last value) (0.8)."),
        (0.8, 0.0, "Tidegate’s error is 0.8 (MASE); the best baseline, Naive (last value), makes none."),
        (0.0, 0.8, "is 100 % smaller"),
        (math.nan, 0.8, "The held-out values allow no comparison with a baseline."),
    ],
)
def test_verdict_is_honest_either_way(own: float, other: float, said: str) -> None:
    assert said in verdict({"tidegate": {"MASE": own}, "naive": {"MASE": other}})


def test_short_names_leave_out_what_stands_in_brackets() -> None:
    names = ["tidegate", "seasonal_naive", "auto_ets", "another"]
    assert [short_name(name) for name in names] == ["Tidegate", "Seasonal naive", "AutoETS", "another"]
