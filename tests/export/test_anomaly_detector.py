"""Detectors as graphs, beside the scores that they give."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest

import tidegate as tg
from tidegate.errors import SpecError
from tidegate.export import export_onnx
from tidegate.export.verify import Session

GENERATOR = np.random.default_rng(0)
SERIES = 20 + 5 * np.sin(np.arange(60) * 2 * np.pi / 6)[:, None] + GENERATOR.normal(size=(60, 2))
SERIES[[17, 40], 1] = np.nan
TRAINING = tg.Training(max_steps=4)


def fitted(**options: Any) -> tg.AnomalyDetector:
    given = {"context": 6, "network": tg.Recurrent(hidden_size=4), "training": TRAINING, "device": "cpu", **options}
    return tg.AnomalyDetector(**given).fit(SERIES)


def inputs() -> dict[str, np.ndarray[Any, Any]]:
    """Give the series, and the first 31 rows of it again."""
    values = np.stack([SERIES, SERIES])
    return {
        "values": np.nan_to_num(values),
        "observed": ~np.isnan(values),
        "lengths": np.array([60, 31]),
        "series": np.zeros(2, np.int64),
    }


def test_an_autoencoder_gives_its_scores() -> None:
    model = fitted(method=tg.Autoencoder(bottleneck=3), members=2, scaling=tg.Scaling(transform="log"))
    graph = export_onnx(model)
    assert [(port["name"], port["dtype"], port["axes"]) for port in graph.outputs] == [
        ("errors", "double", ["batch", "time", 2]),
        ("errors_causal", "double", ["batch", "time", 2]),
        ("scores", "double", ["batch", "time"]),
        ("scores_causal", "double", ["batch", "time"]),
    ]
    assert graph.nodes["LSTM"] == 4
    _, _, scores, causal = Session(graph.content).run(inputs())
    for found, look_back in ((scores, False), (causal, True)):
        for row, length in enumerate((60, 31)):
            expected = model.decision_function(SERIES[:length], causal=look_back)
            judged = ~np.isnan(found[row, :length])
            assert judged.sum() > length - 8
            np.testing.assert_allclose(found[row, :length][judged], expected[judged], rtol=1e-5)
    said = {entry.key: entry.value for entry in onnx.load_model_from_string(graph.content).metadata_props}
    described = json.loads(said["tidegate.model"])
    assert (described["context"], described["threshold"]) == (6, model.threshold_)
    assert len({trial.time for trial in graph.trials}) == 3
    with pytest.raises(SpecError, match="levels are intervals of forecasts; a detector has none: leave them out"):
        export_onnx(model, levels=[80])


def test_predictions_give_what_goes_into_the_likelihood() -> None:
    method = tg.Prediction(horizon=3, season=6, linear=True, smoothing=4)
    model = fitted(method=method, network=tg.Recurrent(cell="gru", hidden_size=4), likelihood=tg.Likelihood())
    graph = export_onnx(model)
    assert [port["name"] for port in graph.outputs] == ["errors", "errors_causal", "combined", "combined_causal"]
    assert graph.notes[0].startswith("the scores of this detector follow from all errors before them, number by number")
    judge = model._judge(False)
    combined = Session(graph.content).run(inputs())[2][0]
    found = judge._filtered(combined)
    expected = model.decision_function(SERIES)
    judged = ~np.isnan(found)
    np.testing.assert_allclose(found[judged], expected[judged], rtol=1e-4)
    assert graph.nodes["GRU"] == 1
