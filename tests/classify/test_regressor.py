"""`SequenceRegressor`: what it learns, in which units it answers, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import tidegate as tg
from tidegate import SequenceRegressor
from tidegate.classify.regressor import regression_scores
from tidegate.errors import DataError, ModelFileError, NotFittedError, SpecError, TidegateError
from tidegate.estimator import load

SMALL: dict[str, Any] = {
    "network": tg.Recurrent(hidden_size=6),
    "training": tg.Training(max_steps=40, batch_size=8, learning_rate=0.02, validation=0.0),
    "device": "cpu",
}

Rises = Callable[[Any], Any]


def test_it_answers_in_the_units_of_training(
    regressor: SequenceRegressor, draw: Callable[..., Any], rises: Rises
) -> None:
    sequences, _ = draw(40, seed=1)
    actual = rises(sequences)
    assert regressor.score(sequences, actual) > 0.8
    predicted = regressor.predict(sequences)
    scores = regressor.evaluate(sequences, actual)
    assert scores["examples"] == 40
    assert scores["MAE"] == pytest.approx(np.abs(predicted - actual).mean())
    assert scores["RMSE"] == pytest.approx(np.sqrt(((predicted - actual) ** 2).mean()))
    assert scores["R2"] == pytest.approx(regressor.score(sequences, actual))


def test_units_of_the_target_change_nothing_else(regressor: SequenceRegressor, problem: Any, rises: Rises) -> None:
    sequences, _ = problem
    other = SequenceRegressor(**SMALL).fit(sequences, 1e6 * rises(sequences))
    np.testing.assert_allclose(other.predict(sequences), 1e6 * regressor.predict(sequences), rtol=1e-6)


@pytest.mark.parametrize("options", [{"loss": "mae"}, {"loss": "huber", "members": 2}, {"scaling": "series"}], ids=str)
def test_options_come_back_from_a_file(options: dict[str, Any], problem: Any, rises: Rises, tmp_path: Path) -> None:
    model = SequenceRegressor(**SMALL, **options).fit(problem[0], rises(problem[0]))
    model.save(tmp_path / "model.safetensors")
    twin = load(tmp_path / "model.safetensors")
    assert isinstance(twin, SequenceRegressor)
    np.testing.assert_array_equal(twin.predict(problem[0]), model.predict(problem[0]))
    assert twin.loss == model.loss


def test_members_are_averaged(problem: Any, rises: Rises) -> None:
    model = SequenceRegressor(**SMALL, members=2).fit(problem[0], rises(problem[0]))
    raw = model.fitted_.outputs(tg.data.series_of(problem[0])).astype(np.float64)
    expected = raw.mean(axis=0)[:, 0] * model.scale_ + model.loc_
    np.testing.assert_allclose(model.predict(problem[0]), expected)


def test_a_validation_needs_no_classes(problem: Any, rises: Rises) -> None:
    training = tg.Training(epochs=2, batch_size=8, validation=0.25)
    model = SequenceRegressor(**{**SMALL, "training": training}).fit(problem[0], rises(problem[0]))
    assert len(model.history_["val_loss"]) == 2


def test_it_can_be_cloned() -> None:
    assert clone(SequenceRegressor(**SMALL)).get_params() == SequenceRegressor(**SMALL).get_params()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, np.nan], "expected finite numbers to regress; that of series 1 is nan"),
        ([1.0, np.inf], "expected finite numbers to regress; that of series 1 is inf"),
        (["1.5", "high"], "expected finite numbers to regress; that of series 1 is 'high'"),
        ([1.0, 1e300], "the number of series 1 is 1e+300, beyond ±1e+15; take a larger unit"),
        ([2.0, 2.0], "all numbers are 2: there is nothing to learn; give others as well"),
    ],
)
def test_numbers_that_cannot_be_learned(y: list[Any], message: str) -> None:
    model = SequenceRegressor(**SMALL)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        model.fit(np.arange(8.0).reshape(2, 4), y)
    with pytest.raises(
        NotFittedError, match=r"^this SequenceRegressor is not fitted; call fit\(…\) before score\(…\)$"
    ):
        model.score(np.ones((2, 4)), [1, 2])


def test_a_loss_that_is_none() -> None:
    with pytest.raises(SpecError, match=r"^loss must be one of 'mse', 'mae', 'huber'; got 'cross_entropy'$"):
        SequenceRegressor(loss="cross_entropy")


def test_a_description_that_does_not_fit(regressor: SequenceRegressor) -> None:
    learned, arrays = regressor._learned()
    for change in ({"scale": 0.0}, {"loc": float("inf")}, {"outputs": 2}):
        with pytest.raises(ModelFileError, match=r"tell no number$"):
            SequenceRegressor(**SMALL)._restore({**learned, **change}, arrays)
    with pytest.raises(TidegateError):
        SequenceRegressor(**SMALL)._restore({**learned, "channels": 7}, arrays)


def test_scores_that_are_not_defined_are_none() -> None:
    assert regression_scores(np.array([1.0, 1.0]), np.array([1.0, 3.0])) == {
        "examples": 2,
        "R2": None,
        "MAE": 1.0,
        "RMSE": pytest.approx(2**0.5),
    }
