"""What the other kinds say over the wire is what their ``predict`` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate import Recurrent, Tagger, Training
from tidegate.data.conll import ConllSentences
from tidegate.errors import UnsupportedError
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds import KINDS, load_served
from tidegate.serve.served import Answer, Asked, Served, joined
from tidegate.testing.examples import ESTIMATORS, TRIALS, example_frame

CLASSIFIER, TEXTS, TAGGER, DETECTOR = "sequence_classifier", "text_classifier", "tagger", "anomaly_detector"
REGRESSOR = "sequence_regressor"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Served]]:
    """Each kind, trained a little, and its model behind the wire."""
    models: dict[str, tuple[Any, Served]] = {}
    for kind in (CLASSIFIER, REGRESSOR, TEXTS, TAGGER, DETECTOR):
        model: Any = next(iter(ESTIMATORS[kind].values()))()
        if kind == DETECTOR:
            model.fit(example_frame())
        else:
            trial: Any = TRIALS[kind]()
            model.fit(trial.inputs, trial.target)
        path = tmp_path_factory.mktemp("kinds") / "model.safetensors"
        model.save(path)
        models[kind] = (model, load_served(path))
    return models


def ask(served: Served, **inputs: np.ndarray) -> Answer:
    return served.run(served.prepare(Asked(inputs=inputs, parameters={}), 100))


def text(*items: Any) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = [item.encode() for item in items]
    return array


def ragged(series: list[np.ndarray]) -> dict[str, np.ndarray]:
    lengths = np.array([len(each) for each in series])
    values = np.full((len(series), int(lengths.max()), series[0].shape[1]), 1e9)
    for row, each in enumerate(series):
        values[row, : len(each)] = each
    return {"values": values, "lengths": lengths}


def test_series_are_classified_as_predict_does(fitted: dict[str, tuple[Any, Served]]) -> None:
    model, served = fitted[CLASSIFIER]
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(length, model.fitted_.design.channels)) for length in (9, 5, 7)]
    answer = ask(served, **ragged(series))
    np.testing.assert_array_equal(answer.outputs["probabilities"], model.predict_proba(series))
    assert [label.decode() for label in answer.outputs["label"]] == model.predict(series).tolist()
    assert json.loads(answer.parameters["classes"]) == model.classes_.tolist()
    parts = [served.prepare(Asked(inputs={"values": each[None]}, parameters={}), 100) for each in series]
    together = served.run(joined(parts)).outputs["probabilities"]  # of unequal lengths
    np.testing.assert_allclose(together, model.predict_proba(series), rtol=1e-5)


def test_numbers_of_series_are_those_of_predict(fitted: dict[str, tuple[Any, Served]]) -> None:
    model, served = fitted[REGRESSOR]
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(length, model.fitted_.design.channels)) for length in (9, 5, 7)]
    np.testing.assert_array_equal(ask(served, **ragged(series)).outputs["prediction"], model.predict(series))
    parts = [served.prepare(Asked(inputs={"values": each[None]}, parameters={}), 100) for each in series]
    together = served.run(joined(parts)).outputs["prediction"]  # of unequal lengths
    np.testing.assert_allclose(together, model.predict(series), rtol=1e-5)


def test_texts_are_classified_as_predict_does(fitted: dict[str, tuple[Any, Served]]) -> None:
    model, served = fitted[TEXTS]
    texts = list(TRIALS[TEXTS]().inputs)[:5]  # type: ignore[attr-defined]
    answer = ask(served, text=text(*texts))
    np.testing.assert_array_equal(answer.outputs["probabilities"], model.predict_proba(texts))
    assert [label.decode() for label in answer.outputs["label"]] == [
        str(name) for name in model.predict(texts).tolist()
    ]


def test_sentences_are_tagged_as_predict_does(fitted: dict[str, tuple[Any, Served]]) -> None:
    model, served = fitted[TAGGER]
    sentences = [list(each) for each in list(TRIALS[TAGGER]().inputs)[:4]]  # type: ignore[attr-defined]
    width = max(map(len, sentences)) + 1
    tokens = np.stack([text(*each, *["x"] * (width - len(each))) for each in sentences])
    answer = ask(served, tokens=tokens, lengths=np.array([len(each) for each in sentences]))
    tags = answer.outputs["tags"]
    assert tags.shape == (4, width)
    for row, expected in enumerate(model.predict(sentences)):
        assert [tag.decode() for tag in tags[row]] == expected + [""] * (width - len(expected))


def test_anomalies_are_those_of_predict(fitted: dict[str, tuple[Any, Served]]) -> None:
    model, served = fitted[DETECTOR]
    rng = np.random.default_rng(0)
    series = [rng.normal(5, 1, (length, 1)) for length in (40, 30)]
    answer = ask(served, **ragged(series))
    for row, each in enumerate(series):
        np.testing.assert_array_equal(answer.outputs["score"][row, : len(each)], model.decision_function(each))
        np.testing.assert_array_equal(answer.outputs["is_anomaly"][row, : len(each)], model.predict(each).astype(bool))
    assert np.isnan(answer.outputs["score"][1, 30:]).all()
    assert not answer.outputs["is_anomaly"][1, 30:].any()


def test_only_equal_steps_are_tagged_together(fitted: dict[str, tuple[Any, Served]]) -> None:
    _, served = fitted[TAGGER]
    two, three = (
        served.prepare(Asked(inputs={"tokens": text(*["a"] * steps)[None]}, parameters={}), 100) for steps in (2, 3)
    )
    assert two.key != three.key


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        (TEXTS, {"text": np.array([b"a", b"\xff"], object)}, "input 'text': element 1 is no UTF-8, at byte 0"),
        (TAGGER, {"tokens": text("a", "")[None]}, "sentence 1, token 2: the token is empty; mend or leave it out"),
        (
            TAGGER,
            {"tokens": text("a", "b")[None], "lengths": np.array([3])},
            "input 'lengths' must lie between 1 and 2, the steps of 'tokens'; got 3",
        ),
        (DETECTOR, {"values": np.zeros((1, 1, 1))}, "a row of input 'values' has 1 steps; the model needs "),
        (CLASSIFIER, {"values": np.full((1, 5, 2), np.inf)}, ""),
    ],
)
def test_bad_requests_are_refused(
    fitted: dict[str, tuple[Any, Served]], kind: str, inputs: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        fitted[kind][1].prepare(Asked(inputs=inputs, parameters={}), 100)
    assert caught.value.status is Status.INVALID
    assert caught.value.message.startswith(message)


def test_what_only_forecasters_do_is_refused(fitted: dict[str, tuple[Any, Served]]) -> None:
    _, served = fitted[TEXTS]
    with pytest.raises(RequestError, match=r"^a text classifier makes no forecasts; ask its page infer$"):
        served.from_rows({})
    with pytest.raises(RequestError, match=r"^a text classifier keeps no sequences; leave sequence_id out$"):
        served.continued(None, Asked(inputs={}, parameters={}))


@pytest.fixture(scope="module")
def with_columns(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tagger, Served]:
    """A tagger that reads two columns beside the tokens."""
    sentences = ConllSentences(
        tokens=(("the", "tidal", "gates"), ("a", "gate")),
        columns=((("DT", "JJ", "NN"), ("x", "y", "y")), (("DT", "NN"), ("x", "y"))),
        tags=(("B-NP", "I-NP", "I-NP"), ("B-NP", "I-NP")),
    )
    network = Recurrent(hidden_size=4)
    model = Tagger(network=network, training=Training(max_steps=3, validation=0), device="cpu").fit(sentences)
    path = tmp_path_factory.mktemp("columns") / "model.safetensors"
    model.save(path)
    return model, load_served(path)


def test_a_tagger_reads_columns_beside_the_tokens(with_columns: tuple[Tagger, Served]) -> None:
    model, served = with_columns
    tokens = np.stack([text("the", "gate", "falls"), text("gates", "rise", "?")])
    columns = np.stack([text("DT", "NN", "VB", "NN", "VB", "?"), text("x", "y", "z", "y", "z", "?")], axis=-1)
    answer = ask(served, tokens=tokens, columns=columns.reshape(2, 3, 2), lengths=np.array([3, 2]))
    given = ConllSentences(
        tokens=(("the", "gate", "falls"), ("gates", "rise")),
        columns=((("DT", "NN", "VB"), ("x", "y", "z")), (("NN", "VB"), ("y", "z"))),
    )
    first, second = model.predict(given)
    assert [[tag.decode() for tag in row] for row in answer.outputs["tags"]] == [first, [*second, ""]]


def test_columns_are_as_many_as_tokens(with_columns: tuple[Tagger, Served]) -> None:
    _, served = with_columns
    with pytest.raises(RequestError, match=r"^input 'columns' has 1 steps; 2 are needed beside 'tokens'$"):
        ask(served, tokens=text("a", "b")[None], columns=text("x", "y").reshape(1, 1, 2))
    with pytest.raises(RequestError, match=r"^input 'columns' is missing; the model needs tokens, columns$"):
        ask(served, tokens=text("a", "b")[None])


def test_other_kinds_are_passed_over(
    fitted: dict[str, tuple[Any, Served]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted[REGRESSOR][0].save(tmp_path / "m.safetensors")
    monkeypatch.delitem(KINDS, REGRESSOR)  # as a kind of a later version is absent
    with pytest.raises(UnsupportedError) as caught:
        load_served(tmp_path / "m.safetensors")
    assert str(caught.value) == (
        f"'{tmp_path}/m.safetensors' holds a 'sequence_regressor', which is not served; served are {', '.join(KINDS)}"
    )
