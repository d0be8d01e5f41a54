"""Models of whole series as graphs, beside what they predict."""

from __future__ import annotations

import numpy as np
import pytest

import tidegate as tg
from tidegate.errors import SpecError
from tidegate.export import export_onnx
from tidegate.export.verify import Session

GENERATOR = np.random.default_rng(0)
SERIES = [GENERATOR.normal(loc=index % 2, size=(5 + index, 2)) for index in range(12)]
TRAINING = tg.Training(max_steps=4, batch_size=6)


def padded() -> dict[str, np.ndarray]:
    lengths = np.array([len(series) for series in SERIES])
    values = np.zeros((len(SERIES), lengths.max(), 2))
    for row, series in enumerate(SERIES):
        values[row, : len(series)] = series
    return {"values": values, "lengths": lengths}


def test_a_classifier_gives_its_probabilities() -> None:
    model = tg.SequenceClassifier(
        network=tg.Recurrent(cell="gru", hidden_size=4, bidirectional=True), training=TRAINING, members=2
    ).fit(SERIES, ["up", "down"] * 6)
    graph = export_onnx(model)
    assert graph.outputs[0]["name"] == "probabilities"
    assert graph.outputs[0]["axes"] == ["batch", 2]
    assert graph.nodes["GRU"] == 4  # two members in two directions
    found = Session(graph.content).run(padded())[0]
    np.testing.assert_allclose(found, model.predict_proba(SERIES), rtol=1e-5)
    with pytest.raises(SpecError, match="levels are intervals of forecasts; a model of whole series has none"):
        export_onnx(model, levels=[80])


def test_a_regressor_gives_its_numbers() -> None:
    model = tg.SequenceRegressor(network=tg.Recurrent(hidden_size=4), training=TRAINING)
    model.fit(SERIES, np.arange(12.0))
    graph = export_onnx(model)
    found = Session(graph.content).run(padded())[0]
    np.testing.assert_allclose(found, model.predict(SERIES), rtol=1e-5)
