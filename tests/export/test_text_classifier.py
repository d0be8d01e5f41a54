"""Classifiers of texts as graphs: texts to numbers outside, numbers to probabilities inside."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import tidegate as tg
from tidegate.errors import DataError, SpecError
from tidegate.export import export_onnx, inputs_of
from tidegate.export.verify import Session

TEXTS = [f"The tide {word} {'slowly ' * (row % 4)}." for row, word in enumerate(["falls", "rises", "turns"] * 6)]
LABELS = ["ebb", "flow", "slack"] * 6
UNSEEN = ["Unwritten words", "the tide", "The tide falls and falls, never to rise.", "?"]


def fitted(labels: Any = LABELS, **options: Any) -> tg.TextClassifier:
    given: dict[str, Any] = {
        "embedding": tg.Embedding(size=6),
        "network": tg.Recurrent(hidden_size=6),
        "training": tg.Training(max_steps=8, batch_size=6, learning_rate=3e-2, validation=0.2),
        "device": "cpu",
        **options,
    }
    return tg.TextClassifier(**given).fit(TEXTS, labels)


def with_share(model: tg.TextClassifier, share: float) -> tg.TextClassifier:
    model.fitted_ = dataclasses.replace(model.fitted_, share=share, temperature=1.5)
    return model


def test_networks_and_ngrams_are_mixed_in_the_graph() -> None:
    model = with_share(fitted(wide=tg.Wide(minimum=1, characters=(1, 3)), pooling="attention", members=2), 0.4)
    graph = export_onnx(model)
    assert [(port["name"], port["dtype"], port["axes"]) for port in (*graph.inputs, *graph.outputs)] == [
        ("tokens", "int64", ["batch", "time"]),
        ("lengths", "int64", ["batch"]),
        ("ngrams", "int64", ["batch", "ngram"]),
        ("probabilities", "double", ["batch", 3]),
    ]
    session = Session(graph.content)
    for texts in (TEXTS, UNSEEN, UNSEEN[:1]):
        found = session.run(inputs_of(model, texts))[0]
        np.testing.assert_allclose(found, model.predict_proba(texts), rtol=1e-5)
    assert graph.nodes["LSTM"] == 2
    assert len({trial.time for trial in graph.trials}) == 3
    with pytest.raises(SpecError, match="levels are intervals of forecasts; a classifier of texts has none"):
        export_onnx(model, levels=[80])
    with pytest.raises(DataError, match="row 1: the text is empty"):
        inputs_of(model, ["ebb", " "])


def test_ngrams_alone_of_two_classes() -> None:
    labels = ["ebb" if label == "ebb" else "flow" for label in LABELS]
    model = with_share(fitted(labels, wide=tg.Wide(minimum=1)), 1.0)
    graph = export_onnx(model)
    assert [port["name"] for port in graph.inputs] == ["ngrams"]
    found = Session(graph.content).run(inputs_of(model, UNSEEN))[0]
    np.testing.assert_allclose(found, model.predict_proba(UNSEEN), rtol=1e-6)


def test_networks_alone_with_several_labels() -> None:
    several = [[label, "long"] if len(text) > 25 else [label] for text, label in zip(TEXTS, LABELS, strict=True)]
    model = fitted(several, wide=None)
    graph = export_onnx(model)
    assert [port["name"] for port in graph.inputs] == ["tokens", "lengths"]
    assert graph.outputs[0]["axes"] == ["batch", 4]
    found = Session(graph.content).run(inputs_of(model, UNSEEN))[0]
    np.testing.assert_allclose(found, model.predict_proba(UNSEEN), rtol=1e-5)
