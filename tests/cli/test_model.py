"""Which forecaster the options describe, and which they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.cli.model import ModelFlags, build_model
from tidegate.errors import SpecError
from tidegate.forecast import Forecaster
from tidegate.specs import Columns, Direct, Recurrent, Scaling, Segments, Smoothing, Uncertainty


def built(**flags: Any) -> Forecaster:
    return build_model(ModelFlags(**flags), horizon=5, columns=Columns(time="date"))


def test_without_options_the_forecaster_keeps_its_defaults() -> None:
    assert built().get_params() == Forecaster(horizon=5, columns=Columns(time="date")).get_params()


def test_every_option_reaches_the_forecaster() -> None:
    model = built(
        context=10,
        season="2",
        strategy="recursive",
        head="gaussian",
        calibration="0.25",
        members=3,
        transform="log1p",
        origin="last",
        cell="gru",
        hidden_size=7,
        layers=2,
        epochs=3,
        batch_size=11,
        learning_rate=0.5,
        seed=9,
        device="cpu",
    )
    assert (model.context, model.season, model.strategy, model.seed, model.device) == (10, 2, "recursive", 9, "cpu")
    assert model.members == 3
    assert model.uncertainty == Uncertainty(head="gaussian", calibration=0.25)
    assert model.scaling == Scaling(transform="log1p", output="last")
    assert model.network == Recurrent(cell="gru", hidden_size=7, num_layers=2)
    assert (model.training.epochs, model.training.max_steps) == (3, None)
    assert (model.training.batch_size, model.training.learning_rate) == (11, 0.5)
    assert model.columns.time == "date"
    assert built(season="24,168").season == (24, 168)
    assert built(loss="huber").uncertainty == Uncertainty(loss="huber")


@pytest.mark.parametrize("strategy", ["direct", "recursive", "encoder_decoder", "segments", "smoothing"])
def test_every_strategy_has_its_name(strategy: str) -> None:
    assert built(strategy=strategy).strategy == strategy


@pytest.mark.parametrize(
    ("flags", "strategy"),
    [
        ({"segment": 4, "highway": 8}, Direct(segment=4, highway=8)),
        ({"strategy": "segments", "segment": 4}, Segments(length=4)),
        ({"strategy": "smoothing", "segment": 2, "highway": 3}, Smoothing(segment=2, highway=3)),
    ],
)
def test_strategies_get_the_options_that_they_have(flags: dict[str, Any], strategy: Any) -> None:
    assert built(**flags).strategy == strategy


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"strategy": "recursive", "segment": 4},
            "--segment is an option of --strategy direct, segments, smoothing; the strategy is 'recursive'",
        ),
        (
            {"strategy": "encoder_decoder", "highway": 4},
            "--highway is an option of --strategy direct, segments, smoothing; the strategy is 'encoder_decoder'",
        ),
        (
            {"head": "quantiles", "loss": "mse"},
            "--loss is what points are trained by; --head quantiles has a loss of its own; leave it out",
        ),
        (
            {"calibration": "some"},
            "--calibration must be a share such as 0.1, or a number of rows such as 48; got 'some'",
        ),
        ({"calibration": "1.5"}, "calibration must be a probability, 0 ≤ calibration < 1; got 1.5"),
        ({"season": "daily"}, "--season must be a number of steps, or several with commas between; got 'daily'"),
        ({"members": 0}, "members must be a whole number of at least 1; got 0"),
        ({"head": "cauchy"}, "head must be one of 'point', 'quantiles', 'gaussian', 'student_t', 'negative_binomial'"),
    ],
)
def test_what_does_not_go_together_is_refused(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as refusal:
        built(**flags)
    assert str(refusal.value).startswith(said)


def test_whole_digits_are_rows_and_anything_else_a_share() -> None:
    rows = built(calibration="48").uncertainty.calibration
    share = built(calibration="0.1").uncertainty.calibration
    assert (rows, share) == (48, 0.1)
    assert isinstance(rows, int)


def test_counts_bring_the_scaling_that_they_need_and_keep_what_was_asked_for() -> None:
    assert built(head="negative_binomial").scaling == Scaling(method="mean", output="centre")
    assert built(head="negative_binomial", origin="last").scaling == Scaling(method="mean", output="last")
