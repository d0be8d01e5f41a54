from __future__ import annotations

import json
import math

import pytest

from tidegate.training import History


def history(*rows: dict[str, float]) -> History:
    made = History()
    for row in rows:
        made.append(row)
    return made


def test_columns_grow_by_an_epoch() -> None:
    made = history({"loss": 3.0}, {"loss": 2.0, "learning_rate": 0.1}, {"loss": 1.0})
    assert made["loss"] == [3.0, 2.0, 1.0]
    assert [math.isnan(value) for value in made["learning_rate"]] == [True, False, True]
    assert (made.epochs, list(made), len(made), "loss" in made) == (3, ["loss", "learning_rate"], 2, True)


def test_best_epoch_goes_by_validation_and_passes_over_nan() -> None:
    assert history({"loss": 3.0}, {"loss": 1.0}, {"loss": 1.0}).best_epoch == 1
    assert history({"loss": 1.0, "val_loss": math.nan}, {"loss": 2.0, "val_loss": 5.0}).best_epoch == 1
    assert History().best_epoch is None


def test_an_unknown_name_is_an_error_that_names_what_is_there() -> None:
    with pytest.raises(KeyError, match="'val_loss' was not logged; there is loss, mae"):
        history({"loss": 1.0, "mae": 2.0})["val_loss"]


def test_it_goes_through_json_and_back() -> None:
    made = history({"loss": 0.1}, {"loss": 1 / 3})
    made.steps, made.stopped = 12, "enough"
    again = History()
    again.load_dict(json.loads(json.dumps(made.to_dict())))
    assert again.to_dict() == made.to_dict()
    assert again["loss"] == [0.1, 1 / 3]


def test_repr_says_how_it_went() -> None:
    made = history({"loss": 0.125})
    made.steps, made.stopped = 4, "enough"
    assert repr(made) == "History(1 epochs, 4 steps; loss=0.125, stopped: enough)"
