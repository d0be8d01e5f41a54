"""What a compression is worth, and what it may cost."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import tidegate as tg
from tidegate.compress import Comparison, Side, compare, quantize
from tidegate.compress.comparison import MEASURES
from tidegate.errors import CompressionError, NotFittedError, SpecError
from tidegate.kernels.bench import Pace
from tidegate.testing.examples import ESTIMATORS, TRIALS, example_trial

ONCE = Pace(runs=1, least_seconds=0, pause=0)


def comparison(before: float, after: float, *, measure: str = "accuracy", sign: int = 1) -> Comparison:
    sides = [Side(size=size, milliseconds=1, score=score) for size, score in ((400, before), (100, after))]
    return Comparison(measure=measure, sign=sign, before=sides[0], after=sides[1], speed_up=2.0)


@pytest.mark.parametrize(
    ("before", "after", "loss"),
    [
        (0.8, 0.76, 0.05),
        (0.8, 0.84, -0.05),
        (-0.5, -0.55, 0.1),
        (-0.5, -0.4, -0.2),
        (0.0, 0.0, 0.0),
        (0.0, -1, math.inf),
    ],
)
def test_the_loss_is_relative_and_positive_where_it_is_worse(before: float, after: float, loss: float) -> None:
    found = comparison(before, after)
    assert found.loss == pytest.approx(loss)
    assert found.share == 0.25


def test_more_than_is_allowed_is_refused() -> None:
    comparison(0.8, 0.792).require(0.0101)
    comparison(0.8, 0.9).require(0)
    with pytest.raises(CompressionError, match=r"costs 5\.00 % of accuracy on the held-out data"):
        comparison(0.8, 0.76).require(0.01)
    words = r"costs 10.00 % of MASE on the held-out data \(0.5 before, 0.55 after\), more than the 1 % that are allowed"
    with pytest.raises(CompressionError, match=words):
        comparison(-0.5, -0.55, measure="MASE", sign=-1).require(0.01)


def test_no_number_is_refused() -> None:
    with pytest.raises(CompressionError):
        comparison(0.8, math.nan).require(0.5)


def test_in_types_that_json_knows() -> None:
    found = comparison(-0.5, -0.55, measure="MASE", sign=-1).to_dict()
    assert found["before"] == {"size": 400, "milliseconds": 1, "score": 0.5}
    assert (found["measure"], found["size"], found["speed_up"]) == ("MASE", 0.25, 2.0)
    assert found["loss"] == pytest.approx(0.1)


@pytest.mark.parametrize("kind", sorted(MEASURES))
def test_every_kind_of_estimator(kind: str, tmp_path: Path) -> None:
    trial = TRIALS.get(kind, example_trial)()
    model = next(iter(ESTIMATORS[kind].values()))()
    model.fit(*trial.given("fit"))  # type: ignore[attr-defined]
    found = compare(model, model, *trial.given("score"), pace=ONCE)
    model.save(tmp_path / "model.safetensors")
    assert found.before.size == (tmp_path / "model.safetensors").stat().st_size
    assert found.loss == 0
    assert found.before.milliseconds > 0
    assert found.after.score == pytest.approx(model.score(*trial.given("score")))  # type: ignore[attr-defined]


def test_every_kind_has_a_measure() -> None:
    assert set(MEASURES) == set(ESTIMATORS)


def test_what_is_refused() -> None:
    frame = tg.datasets.airline_passengers()
    model = tg.Forecaster(horizon=3, training=tg.Training(max_steps=2), device="cpu").fit(frame)
    detector = tg.AnomalyDetector(training=tg.Training(max_steps=2), device="cpu").fit(frame)
    with pytest.raises(SpecError, match="two models of one kind are compared; got forecaster and anomaly_detector"):
        compare(model, detector, frame)
    with pytest.raises(NotFittedError, match="this Forecaster is not fitted"):
        compare(model, tg.Forecaster(horizon=3), frame)
    assert compare(model, quantize(model), frame, pace=ONCE).share < 0.6
