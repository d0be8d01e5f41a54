"""New rows for a fitted model: read alone (`update`), or trained on a little (`fine_tune`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tidegate import Columns, Forecaster, Scaling, Training, Uncertainty
from tidegate.data import Windows, read_frame
from tidegate.errors import (
    ColumnError,
    DataError,
    NotFittedError,
    ShortSeriesError,
    SpecError,
    StateError,
    TimeStampError,
    TrainingError,
)
from tidegate.forecast import fitting
from tidegate.training import Callback

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]

QUICK = Training(max_steps=5, batch_size=16, learning_rate=1e-2, validation=0.1)


def between(frame: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    """Keep some rows of each series."""
    rows = frame.groupby("unique_id").cumcount()
    return frame[(rows >= start) & (rows < stop)].reset_index(drop=True)


def weights(model: Forecaster) -> dict[str, torch.Tensor]:
    return {name: part.clone() for name, part in model.network_.state_dict().items()}


def apart(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """Give the largest distance of two weights."""
    return max(float((one[name].double() - two[name].double()).abs().max()) for name in one)


# -- update --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [(60,), (40, 60), (4, 5, 6, 30, 31, 60), tuple(range(4, 61))], ids=str)
def test_pieces_give_the_forecast_of_all_rows(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, cuts: tuple[int, ...]
) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    for start, stop in zip((0, *cuts), cuts, strict=False):
        assert model.update(between(frame, start, stop)) is model
    pd.testing.assert_frame_equal(model.predict(), model.predict(frame))
    assert model.recent_.lengths.max() == min(model.context_ + 1, 60)  # no more than a forecast reads


def test_it_serves_covariates_too(
    make_shop: MakeFrame, make_forecaster: MakeForecaster, make_future: MakeFrame, covariates: Columns
) -> None:
    shop = make_shop()
    columns = dataclasses.replace(covariates, weight="w")
    model = make_forecaster(columns=columns, context=12, training=QUICK).fit(shop)
    model.update(between(shop, 0, 50)).update(between(shop, 50, 51).drop(columns="w")).update(between(shop, 51, 60))
    future = make_future(shop)
    pd.testing.assert_frame_equal(model.predict(future=future), model.predict(shop, future=future), rtol=1e-9)
    with pytest.raises(DataError, match=r"must be given for the 4 steps after the end of each series, for series 's0'"):
        model.predict()


def test_gaps_become_missing_rows(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    model.update(between(frame, 0, 40)).update(between(frame, 43, 45)).update(between(frame, 48, 50))
    holes = frame.copy()
    rows = frame.groupby("unique_id").cumcount()
    holes.loc[rows.between(40, 42) | rows.between(45, 47), "y"] = np.nan
    pd.testing.assert_frame_equal(model.predict(), model.predict(between(holes, 0, 50)))


def test_a_gap_among_a_few_new_rows_is_no_slower_pace(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    every_fourth = frame[frame.groupby("unique_id").cumcount() % 4 == 0]
    few, many = between(every_fourth, 0, 4), between(every_fourth, 0, 5)  # nine and twelve distances
    assert model.update(few).predict()["ds"].min() == pd.Timestamp("2024-01-14")
    model.update(between(frame, 13, 40)).update(between(every_fourth, 10, 15))
    assert model.predict()["ds"].min() == pd.Timestamp("2024-02-27")  # of all rows, most follow each other
    with pytest.raises(TimeStampError, match="this table has one every 4 steps: resample it"):
        make_forecaster(training=QUICK).fit(frame).update(many)


def test_new_series_join_and_others_may_rest(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    first = frame[frame["unique_id"] != "s1"]
    model.update(between(first, 0, 50)).update(frame[frame["unique_id"] == "s1"])
    forecast = model.predict()
    assert forecast["unique_id"].unique().tolist() == ["s0", "s2", "s1"]
    expected = pd.concat([model.predict(between(first, 0, 50)), model.predict(frame[frame["unique_id"] == "s1"])])
    pd.testing.assert_frame_equal(forecast, expected.reset_index(drop=True), rtol=1e-6)


def test_rows_that_are_there_already_are_refused_and_change_nothing(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    model.update(between(frame, 0, 50))
    before = model.predict()
    with pytest.raises(TimeStampError) as caught:
        model.update(between(frame, 49, 60))
    assert str(caught.value) == (
        "new rows must come after the old: series 's0' has rows up to 2024-02-19, and the new ones begin at "
        "2024-02-19; give only what has come since"
    )
    with pytest.raises(ColumnError, match="the target column 'y' is not in the table"):
        model.update(between(frame, 50, 60).rename(columns={"y": "z"}))
    with pytest.raises(ColumnError, match="the old rows have the id column 'unique_id', the new ones have none"):
        model.update(between(frame, 50, 60).head(5).drop(columns="unique_id"))
    pd.testing.assert_frame_equal(model.predict(), before)
    model.update(between(frame, 50, 60))
    pd.testing.assert_frame_equal(model.predict(), model.predict(frame))


def test_what_is_needed_first(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    for action in ("update", "fine_tune"):
        with pytest.raises(NotFittedError, match=rf"call fit\(…\) before {action}\(…\)"):
            getattr(make_forecaster(), action)(frame)
    model = make_forecaster(training=QUICK).fit(frame)
    with pytest.raises(StateError) as caught:
        model.predict()
    assert str(caught.value) == "predict without rows needs those of update(…), and there are none yet; give the rows"
    model.update(between(frame, 0, 2))
    with pytest.raises(ShortSeriesError, match="series 's0' has 2 rows, at least 4 are needed"):
        model.predict()
    model.fit(frame)  # another model: its rows are its own
    with pytest.raises(StateError, match="predict without rows needs those of update"):
        model.predict()


def test_values_outside_the_transforms_domain_are_refused(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK, scaling=Scaling(transform="log")).fit(frame)
    with pytest.raises(DataError, match="'log' needs values above 0; column 'y' of series 's0' has -1"):
        model.update(frame.assign(y=-1.0))


def test_a_file_holds_none_of_the_rows(make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    model.save(tmp_path / "before")
    secret = frame.assign(unique_id=frame["unique_id"] + "-secret", y=frame["y"] * 1.1)
    secret.loc[3, "y"] = np.nan
    model.update(secret)
    model.save(tmp_path / "after")
    content = (tmp_path / "after").read_bytes()
    assert content == (tmp_path / "before").read_bytes()
    assert b"secret" not in content
    with pytest.raises(StateError, match="predict without rows needs those of update"):
        Forecaster.load(tmp_path / "after").predict()


def test_no_weight_moves(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=QUICK, uncertainty=Uncertainty(calibration=0.2)).fit(frame)
    before, settled, history = weights(model), model.settled_, model.history_.to_dict()
    model.update(between(frame, 0, 50)).update(between(frame, 50, 60))
    model.predict(levels=[80])
    assert apart(weights(model), before) == 0
    assert (model.settled_, model.history_.to_dict()) == (settled, history)


# -- fine_tune -----------------------------------------------------------------------------------------------


def test_it_moves_the_weights_a_little_and_settles_nothing_anew(
    make_shop: MakeFrame, make_forecaster: MakeForecaster, covariates: Columns
) -> None:
    shop = make_shop()
    options: dict[str, Any] = {"columns": covariates, "context": 12, "uncertainty": Uncertainty(calibration=0.2)}
    model = make_forecaster(training=QUICK, scaling=Scaling(transform="boxcox"), **options).fit(shop)
    before, settled, network = weights(model), model.settled_, model.network_
    later = shop.assign(ds=shop["ds"] + pd.Timedelta("60D"), y=shop["y"] * 1.2, price=shop["price"] + 1)
    assert model.fine_tune(later, max_steps=7) is model
    assert model.history_.steps == 7
    assert model.settled_ == settled
    assert model.network_ is not network
    assert not model.network_.training
    after = weights(model)
    for name, part in before.items():
        if name.endswith(("_mean", "_spread", "factors", "probabilities")):
            assert torch.equal(part, after[name]), name
    # Adam moves a weight by its learning rate at most, here a tenth of that of the training.
    assert 0 < apart(before, after) <= 7 * 1e-3 * 1.01


def test_the_learning_rate_is_constant(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Training] = []
    real = fitting.train

    def watched(*args: Any, **kwargs: Any) -> Any:
        asked.append(args[3])
        return real(*args, **kwargs)

    frame = make_frame()
    training = Training(epochs=2, batch_size=16, learning_rate=1e-2, schedule="one_cycle", patience=1)
    model = make_forecaster(training=training).fit(frame)
    monkeypatch.setattr(fitting, "train", watched)
    model.fine_tune(frame)
    model.fine_tune(frame, max_steps=3, learning_rate=0.5)
    for given, steps, rate in zip(asked, (50, 3), (1e-3, 0.5), strict=True):
        assert (given.epochs, given.max_steps, given.learning_rate) == (None, steps, rate)
        assert (given.schedule, given.patience, given.batch_size) == (None, None, 16)
    assert model.training == training


def tuned_windows(
    monkeypatch: pytest.MonkeyPatch, model: Forecaster, rows: pd.DataFrame
) -> tuple[Windows, set[tuple[str, int]]]:
    """Give the windows of a fine tuning, and the days (from 2024-01-01 on) that are their targets."""
    seen: list[Windows] = []
    real = fitting.train

    def watched(ensemble: Any, windows: Windows, *args: Any, **kwargs: Any) -> Any:
        seen.append(windows)
        return real(ensemble, windows, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "train", watched)
        model.fine_tune(rows, max_steps=1)
    (windows,) = seen
    days = (windows.times(np.arange(len(windows))) - np.datetime64("2024-01-01")) // np.timedelta64(1, "D")
    ids = windows.table.ids[windows.series]
    return windows, {(str(name), int(day)) for name, row in zip(ids, days, strict=True) for day in row}


def test_every_target_lies_in_the_new_rows(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = make_frame(rows=80)
    model = make_forecaster(training=QUICK).fit(between(frame, 0, 50))
    first = frame[frame["unique_id"] != "s2"]
    model.update(between(first, 0, 50))
    new = pd.concat([first[first["unique_id"] == "s0"].iloc[50:60], frame[frame["unique_id"] == "s2"].iloc[50:70]])
    windows, targets = tuned_windows(monkeypatch, model, new)
    assert {day for name, day in targets if name == "s0"} == set(range(50, 60))
    assert not any(name == "s1" for name, _ in targets)  # it has no new rows
    assert {day for name, day in targets if name == "s2"} == set(range(54, 70))  # its first four rows are its context
    begin = windows.batch(np.array([0]))  # the first target of s0 has a whole context of older rows
    assert begin.observed is not None
    assert begin.observed.all()
    expected = frame.loc[frame["unique_id"] == "s0", "y"].iloc[50 - model.context_ : 50]
    np.testing.assert_array_equal(begin.values[0, :, 0], expected)


def test_without_earlier_rows_the_table_brings_its_own_contexts(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = make_frame(rows=80)
    model = make_forecaster(training=QUICK).fit(between(frame, 0, 50))
    _, targets = tuned_windows(monkeypatch, model, between(frame, 50, 70))
    assert targets == {(name, day) for name in ("s0", "s1", "s2") for day in range(54, 70)}
    with pytest.raises(ShortSeriesError, match="no series has a window with observed values of 4 context and 4 target"):
        model.fine_tune(between(frame, 50, 57))
    model.update(between(frame, 0, 50))
    with pytest.raises(ShortSeriesError, match="within the bounds given"):
        model.fine_tune(between(frame, 50, 53))  # three rows hold no horizon of four


def test_it_is_reproducible_and_learns(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    training = Training(max_steps=60, batch_size=32, learning_rate=1e-2)
    upside_down = frame.assign(y=11 * 10.0 ** frame["unique_id"].str[1:].astype(int) - frame["y"])
    one, two = (make_forecaster(training=training, scaling=Scaling(output="last")).fit(frame) for _ in range(2))
    before = one.score(upside_down)
    one.fine_tune(upside_down, max_steps=20, learning_rate=5e-3)
    torch.manual_seed(9)
    two.fine_tune(upside_down, max_steps=20, learning_rate=5e-3)
    assert apart(weights(one), weights(two)) == 0
    pd.testing.assert_frame_equal(one.predict(frame), two.predict(frame))
    assert one.score(upside_down) > before


def test_a_saved_file_stays_as_it_is_and_a_new_one_holds_the_new_weights(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path
) -> None:
    frame = make_frame()
    make_forecaster(training=QUICK).fit(frame).save(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    model = Forecaster.load(tmp_path / "m").fine_tune(frame, max_steps=3)
    assert (tmp_path / "m").read_bytes() == content
    model.save(tmp_path / "tuned")
    back = Forecaster.load(tmp_path / "tuned")
    assert apart(weights(back), weights(model)) == 0
    assert back.history_.to_dict() == model.history_.to_dict()
    assert apart(weights(back), weights(Forecaster.load(tmp_path / "m"))) > 0


def test_a_tuning_that_fails_leaves_the_model_as_it_was(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    class Breaking(Callback):
        def on_batch_end(self, *_: Any) -> None:
            raise RuntimeError("broken off")

    frame = make_frame()
    model = make_forecaster(training=QUICK).fit(frame)
    before, history, network = weights(model), model.history_, model.network_
    with pytest.raises(RuntimeError, match="broken off"):
        model.fine_tune(frame, max_steps=5, learning_rate=0.1, callbacks=[Breaking()])
    with pytest.raises(TrainingError):
        model.fine_tune(frame, max_steps=20, learning_rate=1e38)
    with pytest.raises(SpecError, match="max_steps must be a whole number of at least 1; got 0"):
        model.fine_tune(frame, max_steps=0)
    assert apart(weights(model), before) == 0
    assert model.history_ is history
    assert model.network_ is network
    assert not model.network_.training


def test_series_keep_the_parameters_that_are_theirs(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    """Smoothing has coefficients of each series: new rows in another order, or of other series, must not mix them."""
    frame = make_frame()
    options: dict[str, Any] = {"strategy": "smoothing", "training": Training(max_steps=5, learning_rate=0.05)}
    model = make_forecaster(**options).fit(frame)
    turned = pd.concat([frame[frame["unique_id"] == name] for name in ("s2", "s1")]).replace({"s1": "new"})
    before = weights(model)
    model.fine_tune(turned, max_steps=3, learning_rate=0.01)
    after = weights(model)
    profiles = "members.0.strategy.smoothing.series_profiles.0"
    changed = (after[profiles] != before[profiles]).any(dim=(1, 2)).tolist()
    assert changed == [False, False, True]  # there are new rows of s2 alone; "new" has no profile


def test_rows_have_weights_in_a_tuning_too(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame().assign(w=1.0)
    fitted = between(frame, 0, 40)
    new = between(frame, 40, 60)
    last = new.groupby("unique_id").cumcount() == 19
    weighted = new.assign(w=np.where(last, 0.0, 1.0))
    tuned = []
    for rows in (weighted, weighted.assign(y=weighted["y"].where(~last, 1e6)), new):
        model = make_forecaster(training=QUICK, columns=Columns(weight="w")).fit(fitted)
        model.update(fitted.drop(columns="w"))
        tuned.append(weights(model.fine_tune(rows, max_steps=4)))
    assert apart(tuned[0], tuned[1]) == 0
    assert apart(tuned[0], tuned[2]) > 0
    with pytest.raises(ColumnError, match="the weight column 'w' is not in the table"):
        model.fine_tune(new.drop(columns="w"))


def test_a_table_may_be_given_as_it_was_read(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    one, two = (make_forecaster(training=QUICK).fit(frame) for _ in range(2))
    one.update(read_frame(between(frame, 0, 40))).fine_tune(read_frame(between(frame, 40, 60)), max_steps=3)
    two.update(between(frame, 0, 40)).fine_tune(between(frame, 40, 60), max_steps=3)
    assert apart(weights(one), weights(two)) == 0
