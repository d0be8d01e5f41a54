"""Forecasters as graphs: each strategy with a cell, a head and a scaling, beside what the model predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import tidegate as tg
from tidegate import nn
from tidegate.errors import NotFittedError, SpecError, StateError, UnsupportedError
from tidegate.export import Exported, export_onnx, to_onnx
from tidegate.export.verify import Session, relative_difference
from tidegate.forecast.frames import probabilities_of

HORIZON, CONTEXT, SEASON = 4, 12, 6
GRU = tg.Recurrent(cell="gru", hidden_size=5)
LSTM = tg.Recurrent(hidden_size=5)

# Every strategy; among them every cell, kind of part, head, scaling and kind of covariate that a graph can have.
MODELS: dict[str, dict[str, Any]] = {
    "direct": {
        "strategy": "direct",
        "network": tg.Recurrent(hidden_size=4, bidirectional=True),
        "scaling": tg.Scaling(method="robust", transform="boxcox"),
        "uncertainty": tg.Uncertainty(calibration=0.2),
    },
    "recursive": {"strategy": "recursive", "network": LSTM},
    "encoder_decoder": {
        "strategy": tg.EncoderDecoder(attention=True),
        "network": tg.Recurrent(hidden_size=5, layer_norm=True),
        "uncertainty": tg.Uncertainty(head="gaussian"),
    },
    "segments": {"strategy": "segments", "network": GRU, "uncertainty": tg.Uncertainty(head="quantiles")},
    "smoothing": {
        "strategy": tg.Smoothing(per_series=True),
        "network": tg.Dilated(hidden_size=4, dilations=(1, 3)),
        "scaling": tg.Scaling(transform="log"),
    },
}


def table(*, covariates: bool = False) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    steps = np.tile(np.arange(60), 2)
    y = 20 + 5 * np.sin(steps * 2 * np.pi / SEASON) + generator.normal(size=120)
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 60), "ds": steps, "y": y})
    if covariates:
        frame["price"], frame["rain"] = generator.normal(size=(2, 120))
        frame["size"], frame["kind"] = np.repeat([1.0, 3.0], 60), np.repeat(["shop", "hall"], 60)
    return frame


def fitted(options: Mapping[str, Any], *, horizon: int = HORIZON, covariates: bool = False) -> tg.Forecaster:
    training = tg.Training(max_steps=4)
    settings: dict[str, Any] = {"context": CONTEXT, "season": SEASON, "training": training, **options}
    if covariates:
        settings["columns"] = tg.Columns(known=("price",), past=("rain",), static=("size", "kind"))
    return tg.Forecaster(horizon=horizon, **settings).fit(table(covariates=covariates))


@pytest.fixture(scope="module")
def graphs() -> dict[str, tuple[tg.Forecaster, Exported]]:
    """Hold each export of a model, which takes seconds, for all tests that look at it."""
    return {}


def graph_of(graphs: dict[str, tuple[tg.Forecaster, Exported]], name: str) -> tuple[tg.Forecaster, Exported]:
    if name not in graphs:
        model = fitted(MODELS[name])
        graphs[name] = model, export_onnx(model)
    return graphs[name]


def inputs_of(frame: pd.DataFrame, *, time: int) -> dict[str, np.ndarray[Any, Any]]:
    """Give the last ``time`` rows of each series as the graph takes them."""
    rows = [part.tail(time) for _, part in frame.groupby("unique_id")]
    values = np.stack([part["y"].to_numpy() for part in rows])[:, :, None]
    observed = ~np.isnan(values)
    return {
        "values": np.where(observed, values, 0.0),
        "observed": observed,
        "lengths": np.full(len(rows), time),
        "series": np.arange(len(rows)),
        "position": np.full(len(rows), 60),
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_gives_what_the_model_predicts(graphs: dict[str, tuple[tg.Forecaster, Exported]], name: str) -> None:
    model, graph = graph_of(graphs, name)
    frame = table()
    frame.loc[[50, 57, 118], "y"] = np.nan
    levels = (80.0, 95.0) if len(graph.outputs) > 1 else ()
    expected = model.predict(frame, levels=levels)
    found = Session(graph.content).run(inputs_of(frame, time=30))
    forecast = found[0].reshape(-1)
    np.testing.assert_allclose(forecast, expected["y_hat"], rtol=1e-6)
    if levels:
        lower = found[1][..., probabilities_of(levels).index(0.1)].reshape(-1)
        np.testing.assert_allclose(lower, expected["y_hat_lo_80"], rtol=1e-6)
    assert graph.worst < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_stays_within_the_operators_of_its_kind(
    graphs: dict[str, tuple[tg.Forecaster, Exported]], name: str
) -> None:
    _, graph = graph_of(graphs, name)
    cells = {kind: graph.nodes.get(kind, 0) for kind in ("LSTM", "GRU", "Scan", "Loop")}
    assert (
        cells
        == {
            "direct": {"LSTM": 2, "GRU": 0, "Scan": 0, "Loop": 0},
            "recursive": {"LSTM": 2, "GRU": 0, "Scan": 1, "Loop": 0},  # reading, and a step of the roll-out
            "encoder_decoder": {"LSTM": 0, "GRU": 0, "Scan": 2, "Loop": 0},  # layer norm
            "segments": {"LSTM": 0, "GRU": 2, "Scan": 0, "Loop": 0},  # reading and making
            "smoothing": {"LSTM": 2, "GRU": 0, "Scan": 1, "Loop": 0},
        }[name]
    )


def test_node_counts_do_not_depend_on_horizon_and_context(
    graphs: dict[str, tuple[tg.Forecaster, Exported]],
) -> None:
    _, graph = graph_of(graphs, "recursive")
    longer = export_onnx(fitted({**MODELS["recursive"], "context": 18}, horizon=9))
    assert longer.nodes == graph.nodes


def test_every_kind_of_covariate_and_several_members() -> None:
    graph = export_onnx(fitted({"strategy": "direct", "network": GRU, "members": 2}, covariates=True))
    assert graph.nodes["GRU"] == 2
    assert [(port["name"], port["axes"]) for port in graph.inputs][3:] == [
        ("past", ["batch", "time", 1]),
        ("known", ["batch", f"time+{HORIZON}", 1]),
        ("static", ["batch", 1]),
        ("categories", ["batch", 1]),
    ]
    assert graph.worst < 1e-5


def test_a_file_says_what_it_is(graphs: dict[str, tuple[tg.Forecaster, Exported]], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    _, graph = graph_of(graphs, "segments")
    graph.write(tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    assert said["tidegate.kind"] == "forecaster"
    assert said["tidegate.version"] == tg.__version__
    assert [port["name"] for port in json.loads(said["tidegate.outputs"])] == ["forecast", "quantiles"]
    described = json.loads(said["tidegate.model"])
    assert (described["context"], described["horizon"], described["season"]) == (CONTEXT, HORIZON, SEASON)
    assert described["probabilities"] == [0.025, 0.1, 0.9, 0.975]
    assert described["params"]["network"]["cell"] == "gru"
    assert proto.opset_import[0].version == graph.opset
    assert proto.graph.input[0].doc_string == "the series, in the units of the data"


def test_drawn_intervals_are_left_out_and_refused_where_asked_for() -> None:
    model = fitted({"strategy": "recursive", "network": LSTM, "uncertainty": tg.Uncertainty(head="gaussian")})
    with pytest.raises(UnsupportedError) as caught:
        export_onnx(model, levels=[80])
    assert str(caught.value) == (
        "levels [80.0]: the intervals of a recursive model are drawn at random, path by path, which a graph cannot "
        "repeat; export the point forecast alone (levels=()), or fit another strategy"
    )


def test_levels_of_a_model_of_points_are_refused() -> None:
    with pytest.raises(SpecError, match="need a model with quantiles, and this one gives points alone"):
        export_onnx(fitted({"strategy": "direct", "network": LSTM}), levels=[80])


def test_a_head_for_counts_is_refused() -> None:
    counts: dict[str, Any] = {
        "uncertainty": tg.Uncertainty(head="negative_binomial"),
        "scaling": tg.Scaling(method="mean", output="centre"),
    }
    model = tg.Forecaster(horizon=4, context=12, season=6, training=tg.Training(max_steps=2), network=LSTM, **counts)
    with pytest.raises(UnsupportedError) as caught:
        export_onnx(model.fit(table().round({"y": 0})))
    assert str(caught.value) == (
        "a head 'negative_binomial' searches for its quantiles with functions that ONNX lacks, which cannot be "
        "exported yet; fit with another head, such as 'quantiles'"
    )


def test_a_model_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(NotFittedError, match=r"this Forecaster is not fitted; call fit\(…\) before export_onnx"):
        export_onnx(tg.Forecaster(horizon=3))


def test_a_graph_that_answers_otherwise_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, inputs: [part * 1.001 for part in run(self, inputs)])
    layer = nn.GRU(3, 4, batch_first=True, return_state=False)
    with pytest.raises(StateError) as caught:
        to_onnx(layer, {"input": torch.zeros(2, 6, 3)}, tmp_path / "model.onnx")
    assert str(caught.value) == (
        "the exported graph answers otherwise than the model: 'output' differs by 0.001 relative with 1 rows of 1 "
        "steps, and at most 0.0001 is allowed; nothing was written"
    )
    assert list(tmp_path.iterdir()) == []


def test_differences_are_relative_to_the_row_and_exact_in_whole_numbers() -> None:
    one = np.array([[1.0, 1000.0], [2.0, np.nan]])
    assert relative_difference(one + np.array([[0.0, 1.0], [0.02, 0.0]]), one) == pytest.approx(0.01)
    assert relative_difference(np.array([[1.0, 2.0], [2.0, 1.0]]), one) == float("inf")
    assert relative_difference(np.array([1, 2]), np.array([1, 3])) == float("inf")
    assert relative_difference(np.array([1, 2]), np.array([1, 2])) == 0.0
    assert relative_difference(np.zeros((1, 2)), np.zeros((2, 1))) == float("inf")
