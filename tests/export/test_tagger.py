"""Taggers as graphs: sentences to numbers outside, numbers to tags inside."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest

import tidegate as tg
from tidegate.data.conll import ConllSentences
from tidegate.errors import DataError, SpecError, UnsupportedError
from tidegate.export import Exported, export_onnx, inputs_of
from tidegate.export.verify import Session

SENTENCES = [["The", "tide", "turns"], ["gates", "close"], ["the", "red", "gates", "open", "at", "10"], ["tides"]] * 2
TAGS = [["B-NP", "I-NP", "B-VP"], ["B-NP", "B-VP"], ["B-NP", "I-NP", "I-NP", "B-VP", "O", "O"], ["B-NP"]] * 2
COLUMNS = tuple((tuple("DNV"[len(token) % 3] for token in tokens),) for tokens in SENTENCES)
UNSEEN = [["A", "grey", "gate", "opens"], ["tides"], ["Unwritten", "X-9", "close", "the", "tide", "at", "7"]]
UNSEEN_COLUMNS = tuple((tuple("DNVX"[len(token) % 4] for token in tokens),) for tokens in UNSEEN)
TRAINING = tg.Training(max_steps=30, batch_size=4, learning_rate=3e-2, validation=0)


def fitted(*, columns: bool = False, **options: Any) -> tg.Tagger:
    features = {"size": 6, "character_size": 4, "affix_size": 3, "buckets": 64, **options.pop("features", {})}
    model = tg.Tagger(
        features=tg.WordFeatures(**features),
        network=tg.Recurrent(hidden_size=6, bidirectional=True),
        training=TRAINING,
        device="cpu",
        **options,
    )
    tags = tuple(map(tuple, TAGS))
    if not columns:
        return model.fit(SENTENCES, TAGS)
    return model.fit(ConllSentences(tokens=tuple(map(tuple, SENTENCES)), columns=COLUMNS, tags=tags))


@pytest.fixture(scope="module")
def exported() -> tuple[tg.Tagger, Exported]:
    """One with all that a tagger can read."""
    model = fitted(columns=True, features={"context": 256}, schemes=tg.TagSchemes(predicted="iob2"))
    model.fitted_.__dict__["offset"] = 0.5
    return model, export_onnx(model)


def tagged(graph: Exported, inputs: Any) -> list[list[str]]:
    entries = {entry.key: entry.value for entry in onnx.load_model_from_string(graph.content).metadata_props}
    tags = json.loads(entries["tidegate.model"])["tags"]
    (paths,) = Session(graph.content).run(inputs)
    return [[tags[code] for code in row[:length]] for row, length in zip(paths, inputs["lengths"], strict=True)]


def test_a_graph_finds_the_tags_of_the_model(exported: tuple[tg.Tagger, Exported]) -> None:
    model, graph = exported
    for tokens, columns in ((SENTENCES, COLUMNS), (UNSEEN, UNSEEN_COLUMNS)):
        sentences = ConllSentences(tokens=tuple(map(tuple, tokens)), columns=columns)
        expected = model.predict(sentences)
        assert tagged(graph, inputs_of(model, sentences)) == expected
        assert len({tag for row in expected for tag in row}) > 2
    assert graph.nodes["Scan"] == 2  # the best path, forth and back
    assert graph.nodes["LSTM"] == 4  # words and letters, two directions


def test_inputs_are_named_and_typed(exported: tuple[tg.Tagger, Exported]) -> None:
    _, graph = exported
    assert [(port["name"], port["dtype"], port["axes"]) for port in (*graph.inputs, *graph.outputs)] == [
        ("tokens", "int64", ["batch", "time"]),
        ("lengths", "int64", ["batch"]),
        ("words", "int64", ["word"]),
        ("hashes", "int64", ["word", 5]),
        ("letters", "int64", ["word", "letter"]),
        ("letter_lengths", "int64", ["word"]),
        ("columns", "int64", ["batch", "time", 1]),
        ("tags", "int64", ["batch", "time"]),
    ]
    assert {trial.time for trial in graph.trials} == {1, 6, 17}
    assert any(trial.ragged for trial in graph.trials)


def test_words_alone_two_members_and_a_scheme_that_a_graph_does_not_write() -> None:
    model = fitted(
        features={"characters": None, "affixes": (), "shape": False}, schemes=tg.TagSchemes(predicted="iob1"), members=2
    )
    graph = export_onnx(model)
    assert [port["name"] for port in graph.inputs] == ["tokens", "lengths", "words"]
    assert graph.notes == ("the graph gives tags of the scheme iobes; predict writes the same spans in iob1",)
    model.schemes = tg.TagSchemes(predicted="iobes")
    assert tagged(graph, inputs_of(model, UNSEEN)) == model.predict(UNSEEN)


def test_bad_requests(exported: tuple[tg.Tagger, Exported]) -> None:
    model, _ = exported
    with pytest.raises(SpecError, match="levels are intervals of forecasts; a tagger has none: leave them out"):
        export_onnx(model, levels=[80])
    with pytest.raises(DataError, match="expected one sentence at least; got none"):
        inputs_of(model, [])
    with pytest.raises(DataError, match="the model was trained with 1 column between token and tag, got 0"):
        inputs_of(model, UNSEEN)
    forecaster = tg.Forecaster(horizon=1)
    forecaster.network_ = np.zeros(1)  # type: ignore[assignment]
    with pytest.raises(UnsupportedError) as caught:
        inputs_of(forecaster, [])
    assert str(caught.value) == (
        "the graph of a model of kind 'forecaster' takes values as they are, in arrays; docs/export.md says how"
    )
