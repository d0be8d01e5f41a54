"""A file brings every kind of model back to the bit: its arrays, its description, its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tidegate import (
    Columns,
    Convolution,
    Dilated,
    Direct,
    EncoderDecoder,
    Forecaster,
    Member,
    Recurrent,
    Recursive,
    Sampling,
    Scaling,
    Segments,
    SelfAttention,
    Smoothing,
    Training,
    Uncertainty,
)
from tidegate.errors import ModelFileError
from tidegate.estimator import inspect_model
from tidegate.estimator.modelfile import read_model, write_model
from tidegate.forecast.learned import arrays_of, restored_ensemble

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]

STEP = Training(max_steps=1, batch_size=8, validation=0.1)
STRATEGIES: list[Any] = [
    Direct(highway=6, experts=2),
    Recursive(samples=5),
    EncoderDecoder(),
    Segments(length=3),
    Smoothing(),
]
HEADS = ("point", "quantiles", "gaussian", "student_t", "negative_binomial")
COUNTS = Scaling(method="mean", output="centre")
CASES = [
    # Each strategy with each head, once with and once without each of members, calibration and covariates.
    (strategy, head, (number + turn) % 2 == 0, (number // 2 + turn) % 2 == 0, (number // 4 + turn) % 2 == 0)
    for turn in (0, 1)
    for number, (strategy, head) in enumerate((strategy, head) for strategy in STRATEGIES for head in HEADS)
    if (strategy.kind, head) != ("smoothing", "negative_binomial")
]


def options_of(strategy: Any, head: str, columns: Columns, *, members: bool, calibration: bool) -> dict[str, Any]:
    if (strategy.kind, head) == ("direct", "negative_binomial"):
        strategy = Direct()  # counts have no highway
    plain = Scaling(transform="boxcox" if strategy.kind == "direct" else "identity", output="last")
    chosen = (Member(context=12), Member(context=18, scaling=Scaling(method="robust", output="last")), Member())
    if head == "negative_binomial":
        plain, chosen = COUNTS, (Member(context=12), Member(context=18), Member())
    if strategy.kind == "recursive":
        columns = dataclasses.replace(columns, past=())
    return {
        "context": 12,
        "strategy": strategy,
        "network": Recurrent(hidden_size=4),
        "training": STEP,
        "scaling": plain,
        "uncertainty": Uncertainty(head=head, calibration=0.2 if calibration else 0),
        "columns": columns,
        "members": chosen if members else 1,
    }


def assert_comes_back(model: Forecaster, path: Path, frame: pd.DataFrame, **asked: Any) -> Forecaster:
    model.save(path)
    back = Forecaster.load(path)
    mine, other = model.network_.state_dict(), back.network_.state_dict()
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert back.settled_ == model.settled_
    assert {**back.get_params(), "device": "cpu"} == {**model.get_params(), "device": "cpu"}
    assert back.history_.to_dict() == model.history_.to_dict()
    pd.testing.assert_frame_equal(back.predict(frame, **asked), model.predict(frame, **asked), check_exact=True)
    back.save(path.with_name("again"))
    assert inspect_model(path.with_name("again")).digest == inspect_model(path).digest
    return back


@pytest.mark.parametrize(
    ("strategy", "head", "members", "calibration", "with_covariates"),
    CASES,
    ids=lambda value: getattr(value, "kind", str(value)),
)
def test_every_strategy_with_every_head_comes_back(
    make_shop: MakeFrame,
    make_future: MakeFrame,
    covariates: Columns,
    tmp_path: Path,
    strategy: Any,
    head: str,
    *,
    members: bool,
    calibration: bool,
    with_covariates: bool,
) -> None:
    shop = make_shop(series=2, rows=40)
    columns = covariates if with_covariates else Columns()
    options = options_of(strategy, head, columns, members=members, calibration=calibration)
    model = Forecaster(horizon=4, season=6, device="cpu", **options).fit(shop)
    asked: dict[str, Any] = {"future": make_future(shop)} if with_covariates else {}
    assert_comes_back(model, tmp_path / "m", shop, **asked)
    if head != "point" or calibration:
        back = Forecaster.load(tmp_path / "m")
        asked |= {"levels": [80], "point": "mean"}
        pd.testing.assert_frame_equal(back.predict(shop, **asked), model.predict(shop, **asked), check_exact=True)


@pytest.mark.parametrize(
    "strategy",
    [Direct(channels="independent"), EncoderDecoder(attention=False, channels="independent"), Segments(highway=6)],
    ids=lambda spec: spec.kind,
)
def test_independent_targets_come_back(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path, strategy: Any
) -> None:
    wide = make_frame().pivot_table(index="ds", columns="unique_id", values="y").reset_index()
    uncertainty = Uncertainty(head="quantiles", quantiles=(0.1, 0.5, 0.9), calibration=0.2)
    model = make_forecaster(strategy=strategy, training=STEP, uncertainty=uncertainty, context=12).fit(wide)
    back = assert_comes_back(model, tmp_path / "m", wide, levels=[80])
    assert back.network_.networks[0].design.independent


@pytest.mark.parametrize(
    "network",
    [
        Dilated(hidden_size=4, dilations=(1, 3)),
        (Convolution(channels=4, layers=2), Recurrent(cell="gru", hidden_size=4), SelfAttention(heads=2)),
    ],
    ids=["dilated", "parts"],
)
def test_every_network_comes_back(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path, network: Any
) -> None:
    training = dataclasses.replace(STEP, sampling=Sampling(half_life=10, balance="root"))
    frame = make_frame(series=2)
    assert_comes_back(make_forecaster(network=network, training=training).fit(frame), tmp_path / "m", frame)


def test_several_seasons_come_back(make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path) -> None:
    frame = make_frame(series=2)
    back = assert_comes_back(make_forecaster(season=(6, 3), training=STEP).fit(frame), tmp_path / "m", frame)
    assert back.season == (6, 3)


def test_ids_that_are_numbers_keep_their_parameters(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path
) -> None:
    frame = make_frame().assign(unique_id=lambda table: table["unique_id"].str[1:].astype(int) + 10)
    training = Training(max_steps=5, batch_size=8, learning_rate=0.1)
    model = make_forecaster(strategy="smoothing", training=training).fit(frame)
    assert model.settled_.ids == (10, 11, 12)
    back = assert_comes_back(model, tmp_path / "m", frame)
    turned = frame[frame["unique_id"] != 10].sort_values("unique_id", ascending=False, kind="stable")
    whole = model.predict(frame).set_index(["unique_id", "ds"])["y_hat"]
    part = back.predict(turned).set_index(["unique_id", "ds"])["y_hat"]
    pd.testing.assert_series_equal(part, whole.loc[part.index])


def test_loading_leaves_the_callers_generator_alone(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path
) -> None:
    make_forecaster(training=STEP).fit(make_frame()).save(tmp_path / "m")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Forecaster.load(tmp_path / "m")
    assert torch.equal(torch.rand(3), expected)


def test_arrays_are_copies(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    model = make_forecaster(training=STEP).fit(frame)
    before, arrays = model.predict(frame), arrays_of(model.network_)
    designs = [network.design for network in model.network_.networks]
    restored = restored_ensemble(designs, 0, arrays, torch.device("cpu"))
    with torch.no_grad():
        for parameter in restored.parameters():
            parameter.zero_()
    pd.testing.assert_frame_equal(model.predict(frame), before)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"network": [{"kind": "recurrent", "num_layers": 10**9}]}, "1000000000 layers are described, the file has"),
        (
            {"network": [{"kind": "recurrent"}, {"kind": "self_attention", "layers": 10**9}]},
            "1000000001 layers are described, the file has",
        ),
        ({"members": 3}, "3 members are described, 1 were settled"),
        ({"members": 10**12}, "members must be at most 1,000; got a number of 13 digits"),
    ],
)
def test_more_than_the_file_holds_is_not_built(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, tmp_path: Path, params: dict[str, Any], message: str
) -> None:
    make_forecaster(training=STEP).fit(make_frame()).save(tmp_path / "m")
    content = read_model(tmp_path / "m")
    info = content.info
    write_model(
        tmp_path / "m", kind=info.kind, params={**info.params, **params}, learned=info.learned, arrays=content.arrays
    )
    with pytest.raises(ModelFileError, match=message):
        Forecaster.load(tmp_path / "m")
