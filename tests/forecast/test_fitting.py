"""Training and calibration: which rows they see, and what of them is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tidegate import Columns, Forecaster, Recursive, Sampling, Scaling, Training, Uncertainty
from tidegate.data import Batches, Windows, read_frame
from tidegate.errors import ShortSeriesError, TrainingError
from tidegate.forecast import fitting
from tidegate.forecast.answers import Answers
from tidegate.nn.calibration import PROBABILITIES, fit_calibration

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]

QUICK = Training(max_steps=5, batch_size=16, learning_rate=1e-2, validation=0.1)


def weights(model: Forecaster) -> dict[str, torch.Tensor]:
    return {name: part for name, part in model.network_.state_dict().items() if not name.startswith("calibration")}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def factors(model: Forecaster) -> torch.Tensor:
    assert model.network_.calibration is not None
    return model.network_.calibration.factors


# -- which rows are seen -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", [Scaling(), Scaling(transform="boxcox")], ids=["identity", "boxcox"])
def test_calibration_rows_move_the_calibration_and_nothing_else(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, scaling: Scaling
) -> None:
    frame = make_frame()
    rows = frame.groupby("unique_id").cumcount()  # of 60: 42 to train, 6 to stop early, 12 to calibrate
    options: dict[str, Any] = {"uncertainty": Uncertainty(calibration=0.2), "training": QUICK, "scaling": scaling}
    model = make_forecaster(**options).fit(frame)
    other = make_forecaster(**options).fit(frame.assign(y=frame["y"].where(rows < 48, frame["y"] * 1.3)))
    assert same(weights(model), weights(other))
    assert model.settled_ == other.settled_
    assert model.history_.to_dict() == other.history_.to_dict()
    assert not torch.equal(factors(model), factors(other))


def test_early_stopping_rows_move_the_choice_of_the_weights_alone(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    rows = frame.groupby("unique_id").cumcount()
    wild = frame.assign(y=frame["y"].where(rows < 54, frame["y"] * 3))
    to_the_end = Training(max_steps=5, batch_size=16, validation=0.1, patience=None)
    model, other = (make_forecaster(training=to_the_end).fit(part) for part in (frame, wild))
    assert same(weights(model), weights(other))
    assert model.history_["loss"] == other.history_["loss"]
    assert model.history_["val_loss"] != other.history_["val_loss"]


def test_every_training_row_is_trained_on(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    rows = frame.groupby("unique_id").cumcount()
    for row in (0, 53):
        moved = make_forecaster(training=QUICK).fit(frame.assign(y=frame["y"].where(rows != row, frame["y"] * 1.1)))
        assert not same(weights(model), weights(moved)), row


# -- weights of rows -----------------------------------------------------------------------------------------


def test_a_row_of_weight_0_is_not_trained_on(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    last = frame.groupby("unique_id").cumcount() == 59  # a target alone: no window has it in its context
    training = Training(max_steps=20, batch_size=32, learning_rate=1e-2, validation=0.0)
    frame["w"] = np.where(last, 0.0, 1.0)
    outliers = frame.assign(y=frame["y"].where(~last, 1e6))
    options: dict[str, Any] = {"training": training, "context": 8}
    weighted = [make_forecaster(**options, columns=Columns(weight="w")).fit(part) for part in (frame, outliers)]
    assert same(weights(weighted[0]), weights(weighted[1]))
    plain = [make_forecaster(**options).fit(part) for part in (frame, outliers)]
    assert not same(weights(plain[0]), weights(plain[1]))


def test_windows_that_do_not_count_leave_no_mark_on_the_curve(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    rows = frame.groupby("unique_id").cumcount()
    training = Training(max_steps=20, batch_size=8, validation=0.1, patience=None)
    for counting in (rows < 54, rows >= 50):  # nothing to stop by; little to train on
        model = make_forecaster(columns=Columns(weight="w"), training=training).fit(frame.assign(w=1.0 * counting))
        assert np.isfinite(model.history_["loss"]).all()
        assert ("val_loss" in model.history_) == counting.iloc[-1]
        assert not counting.iloc[-1] or np.isfinite(model.history_["val_loss"]).all()
        assert model.history_.steps == 20


def test_weights_are_needed_for_training_alone(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame().assign(w=1.0)
    model = make_forecaster(columns=Columns(weight="w"), training=QUICK).fit(frame)
    bare = frame.drop(columns="w")
    pd.testing.assert_frame_equal(model.predict(bare), model.predict(frame))
    pd.testing.assert_frame_equal(model.predict(read_frame(frame, model.columns_)), model.predict(frame))
    assert model.score(bare) == model.score(frame)
    model.update(frame[frame["ds"] < "2024-02-20"]).update(bare[bare["ds"] >= "2024-02-20"])
    pd.testing.assert_frame_equal(model.predict(), model.predict(frame))


# -- calibration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"uncertainty": Uncertainty(head="gaussian", calibration=0.2), "members": 2},
        {"scaling": Scaling(transform="log"), "strategy": "segments"},
    ],
    ids=["point", "gaussian members", "segments behind a logarithm"],
)
def test_factors_are_those_of_the_windows_that_were_kept(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, options: dict[str, Any]
) -> None:
    frame = make_frame()
    model = make_forecaster(**{"uncertainty": Uncertainty(calibration=0.2), "training": QUICK, **options}).fit(frame)
    table, parts = read_frame(frame), []
    grid = torch.tensor(PROBABILITIES, dtype=torch.float64)
    answers = Answers(network=model.network_, settled=model.settled_, table=table, horizon=4)
    for series in range(3):
        for first in 60 * series + np.arange(48, 57):  # all targets lie in the last twelve rows
            windows = Windows(
                table=table, context=model.context_, horizon=0, series=np.array([series]), ends=np.array([first])
            )
            (window,) = answers.batches(windows, 1)
            scale, target = model.network_.scale(window), torch.tensor(table.values[None, first : first + 4])
            with torch.inference_mode():
                quantiles = scale.encode_all(model.network_.uncalibrated(window, grid, None))
                parts.append((scale.encode_all(model.network_(window)), quantiles, scale.encode_all(target)))
    centre, quantiles, target = (torch.cat(column) for column in zip(*parts, strict=True))
    expected, _ = fit_calibration(centre, quantiles, target, torch.ones_like(target, dtype=torch.bool))
    torch.testing.assert_close(factors(model), expected.factors, rtol=1e-4, atol=1e-6)


def test_calibrated_intervals_cover_what_they_say(make_forecaster: MakeForecaster) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"ds": np.arange(1200), "y": 5 + rng.standard_normal(1200)})
    model = make_forecaster(
        horizon=1,
        season=1,
        context=10,
        uncertainty=Uncertainty(head="gaussian", calibration=400),
        training=Training(max_steps=3, batch_size=16),  # far from trained: calibration alone makes it right
    ).fit(frame)
    later = pd.DataFrame({"ds": np.arange(1500), "y": 5 + rng.standard_normal(1500)})
    answers = model._answers(read_frame(later))
    ends = np.arange(100, 1500)
    bounds = answers.quantiles(np.zeros_like(ends), ends, np.array([0.1, 0.25, 0.75, 0.9]))[:, 0, 0]
    truth = later["y"].to_numpy()[ends]
    for low, high, level in ((0, 3, 0.8), (1, 2, 0.5)):
        inside = (bounds[:, low] <= truth) & (truth <= bounds[:, high])
        assert abs(inside.mean() - level) < 0.05


def test_calibration_is_reproducible_with_paths_too(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    options: dict[str, Any] = {
        "strategy": Recursive(samples=30),
        "uncertainty": Uncertainty(head="gaussian", calibration=0.2),
        "training": QUICK,
    }
    frame = make_frame()
    one, two = (make_forecaster(**options).fit(frame) for _ in range(2))
    assert torch.equal(factors(one), factors(two))
    assert (factors(one) != 1).any()


def test_few_windows_are_noted(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster(uncertainty=Uncertainty(calibration=0.2), training=QUICK).fit(make_frame())
    assert model.notes_[-1].startswith("calibration: 27 windows for a step of the horizon are too few for the quantile")


def test_series_too_short_to_calibrate_leave_it_to_the_others(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    short = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-16")]
    options: dict[str, Any] = {"uncertainty": Uncertainty(calibration=0.2), "training": QUICK}
    model = make_forecaster(**options).fit(short)
    assert "1 with no calibration rows of their own; the first is series 's1'" in " ".join(model.notes_)
    levels = model.predict(short, levels=[80])
    assert (levels["y_hat_hi_80"] > levels["y_hat_lo_80"]).all()  # its intervals are those of the others' errors
    few = frame[frame["ds"] < "2024-01-12"]
    message = (
        r"no series is long enough for calibration: .* it needs 4 rows of its own; the longest has 11\. Give longer"
    )
    with pytest.raises(ShortSeriesError, match=message):
        make_forecaster(**options).fit(few)
    spread = make_forecaster(uncertainty=Uncertainty(head="gaussian", calibration=0.2), training=QUICK).fit(few)
    assert "3 with neither calibration nor validation rows" in " ".join(spread.notes_)
    assert (spread.network_.calibration, spread.settled_.calibrated) == (None, 0)


def test_a_whole_number_keeps_so_many_rows(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    share, rows = (
        make_forecaster(uncertainty=Uncertainty(calibration=kept), training=QUICK).fit(frame) for kept in (0.2, 12)
    )
    assert same(weights(share), weights(rows))
    assert torch.equal(factors(share), factors(rows))


# -- once more on all rows -----------------------------------------------------------------------------------


def test_refit_trains_on_all_rows_and_keeps_the_calibration(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    once, again = (
        make_forecaster(uncertainty=Uncertainty(calibration=0.2, refit=refit), training=QUICK).fit(frame)
        for refit in (False, True)
    )
    assert torch.equal(factors(once), factors(again))
    assert not same(weights(once), weights(again))
    assert again.history_.steps == once.history_.steps == 5
    assert "val_loss" not in again.history_
    rows = frame.groupby("unique_id").cumcount()
    moved = frame.assign(y=frame["y"].where(rows != 59, frame["y"] * 3))  # the last row is trained on now
    other = make_forecaster(uncertainty=Uncertainty(calibration=0.2, refit=True), training=QUICK).fit(moved)
    assert not same(weights(again), weights(other))


def test_refit_begins_anew(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    """It is what a training on all rows, with nothing kept apart, gives in as many steps."""
    frame, scaling = make_frame(), Scaling(output="last")
    again = make_forecaster(uncertainty=Uncertainty(calibration=0.2, refit=True), training=QUICK, scaling=scaling)
    plain = make_forecaster(training=dataclasses.replace(QUICK, validation=0.0), scaling=scaling)
    assert same(weights(again.fit(frame)), weights(plain.fit(frame)))


def test_refit_reads_windows_as_the_first_training_did(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Windows] = []
    real = fitting.train

    def watched(ensemble: Any, windows: Windows, *args: Any, **kwargs: Any) -> Any:
        seen.append(windows)
        return real(ensemble, windows, *args, **kwargs)

    monkeypatch.setattr(fitting, "train", watched)
    frame = make_frame()
    short = frame[(frame["unique_id"] != "s1") | (frame["ds"] < "2024-01-15")]  # 14 rows
    options: dict[str, Any] = {"uncertainty": Uncertainty(calibration=0.2, refit=True), "training": QUICK}
    make_forecaster(**options, context=12).fit(short)
    rows_of_context = [
        [
            (
                windows.ends[windows.series == series] - windows.table.offsets[series]
            ).tolist()  # of which twelve are read
            for series in range(3)
        ]
        for windows in seen
    ]
    assert rows_of_context == [
        [list(range(12, 39)), [6], list(range(12, 39))],
        [list(range(12, 57)), [10], list(range(12, 57))],
    ]


def test_refit_makes_as_many_steps_as_early_stopping_allowed(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    training = Training(max_steps=200, batch_size=16, learning_rate=0.5, patience=1, validation=0.1)
    uncertainty = Uncertainty(calibration=0.2, refit=True)
    model = make_forecaster(uncertainty=uncertainty, training=training).fit(make_frame())
    assert 0 < model.history_.steps < 200


# -- the training itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "steps"), [(8, 101), (60, 153), (1500, 1000)])
def test_a_hundred_steps_and_one_for_each_window(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch, rows: int, steps: int
) -> None:
    asked: list[Training] = []

    def stop(*_: Any, training: Training, **__: Any) -> Any:
        asked.append(training)
        raise TrainingError("enough")

    monkeypatch.setattr(fitting, "fit", stop)
    model = make_forecaster(training=Training(validation=0.0), context=4, season=1)
    with pytest.raises(TrainingError):
        model.fit(make_frame(series=1, rows=rows))
    assert asked[0].max_steps == steps


def test_chances_reach_the_batches(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    dealt: list[np.ndarray | None] = []

    class Watched(Batches):
        def __init__(self, *args: Any, chances: np.ndarray | None = None, **kwargs: Any) -> None:
            dealt.append(chances)
            super().__init__(*args, chances=chances, **kwargs)

    monkeypatch.setattr(fitting, "Batches", Watched)
    training = Training(max_steps=2, batch_size=16, validation=0.1, sampling=Sampling(half_life=5))
    make_forecaster(training=training).fit(make_frame())
    assert dealt[0] is not None
    assert dealt[0].sum() == pytest.approx(1)
    assert dealt[1] is None  # validation goes through all of its windows
