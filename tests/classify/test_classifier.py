"""`SequenceClassifier`: what it learns, what it answers, what it refuses, and its file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import tidegate as tg
from tidegate import SequenceClassifier
from tidegate.data import LabelledSeries, labelled_frame
from tidegate.errors import DataError, ModelFileError, NotFittedError, ShapeError, SpecError, TidegateError
from tidegate.estimator import load

SMALL: dict[str, Any] = {
    "network": tg.Recurrent(hidden_size=6),
    "training": tg.Training(max_steps=40, batch_size=8, learning_rate=0.02, validation=0.0),
    "device": "cpu",
}


def test_it_tells_the_classes_apart(classifier: SequenceClassifier, draw: Callable[..., Any]) -> None:
    sequences, labels = draw(40, seed=1)
    assert classifier.classes_.tolist() == ["ebb", "flow"]
    assert classifier.score(sequences, labels) >= 0.95
    probabilities = classifier.predict_proba(sequences)
    assert probabilities.shape == (40, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert classifier.predict(sequences).tolist() == classifier.classes_[probabilities.argmax(axis=1)].tolist()
    scores = classifier.evaluate(sequences, labels)
    assert scores["accuracy"] == classifier.score(sequences, labels)
    assert [one["name"] for one in scores["classes"]] == ["ebb", "flow"]


def test_a_series_is_answered_alike_in_any_company(classifier: SequenceClassifier, problem: Any) -> None:
    sequences, _ = problem
    together = classifier.predict_proba(sequences)
    for index in (0, 5):
        np.testing.assert_allclose(classifier.predict_proba([sequences[index]])[0], together[index], atol=1e-6)
    np.testing.assert_allclose(classifier.predict_proba(sequences[::-1])[::-1], together, atol=1e-6)


def test_the_same_seed_gives_the_same_bits(classifier: SequenceClassifier, problem: Any) -> None:
    again = SequenceClassifier(**SMALL).fit(*problem)
    other = SequenceClassifier(**SMALL, seed=1).fit(*problem)
    np.testing.assert_array_equal(again.predict_proba(problem[0]), classifier.predict_proba(problem[0]))
    assert not np.array_equal(other.predict_proba(problem[0]), classifier.predict_proba(problem[0]))


def test_forms_of_input_make_no_difference() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 8, 1)) + np.repeat([0.0, 3.0], 6)[:, None, None]
    y = np.repeat([1, 2], 6)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(12), 8),
            "ds": np.tile(np.arange(8), 12),
            "y": X.ravel(),
            "kind": np.repeat(y, 8),
        }
    )
    data = labelled_frame(frame, "kind")
    models = [
        SequenceClassifier(**SMALL).fit(X, y),
        SequenceClassifier(**SMALL).fit(X[:, :, 0], list(y)),
        SequenceClassifier(**SMALL).fit(list(X), y[:, None]),
        SequenceClassifier(**SMALL).fit(data),
    ]
    for model in models:
        np.testing.assert_array_equal(model.predict_proba(X), models[0].predict_proba(X))
        assert model.predict(X).dtype.kind == "i"
    assert models[0].columns_ is None
    assert models[3].columns_ == data.columns
    assert models[3].score(data) == models[0].score(X, y)


@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "attention", "dropout": 0.2},
        {"pooling": "last", "network": tg.Recurrent(hidden_size=4, bidirectional=True)},
        {"pooling": "mean_max", "scaling": "series"},
        {"pooling": "max", "scaling": None, "class_weight": "balanced"},
        {"network": (tg.Convolution(channels=4), tg.Recurrent(hidden_size=4))},
        {"augmentation": tg.Augmentation(crop=0.1, time_warp=0.1, magnitude_warp=0.1)},
        {"members": 2, "calibration": 0.25},
    ],
    ids=str,
)
def test_options_come_back_from_a_file(options: dict[str, Any], problem: Any, tmp_path: Path) -> None:
    model = SequenceClassifier(**{**SMALL, **options}).fit(*problem)
    model.save(tmp_path / "model.safetensors")
    twin = load(tmp_path / "model.safetensors")
    assert isinstance(twin, SequenceClassifier)
    assert {**twin.get_params(), "device": "cpu"} == model.get_params()
    np.testing.assert_array_equal(twin.predict_proba(problem[0]), model.predict_proba(problem[0]))
    assert (twin.temperature_, twin.classes_.tolist()) == (model.temperature_, ["ebb", "flow"])
    assert twin.history_["loss"] == model.history_["loss"]


def test_the_default_is_a_recurrent_layer_beside_convolutions(problem: Any) -> None:
    training = tg.Training(max_steps=3, validation=0.0)
    model = SequenceClassifier(training=training, device="cpu").fit(*problem)
    network: Any = model.fitted_.networks[0]
    parallel = network.body.network.parts[0]
    assert [type(part).__name__ for branch in parallel.branches for part in branch.parts] == [
        "RecurrentStack",
        *["Convolution"] * 3,
    ]


def test_a_share_of_each_class_stops_the_training(problem: Any) -> None:
    training = tg.Training(epochs=3, batch_size=8, validation=0.25, patience=1)
    model = SequenceClassifier(**{**SMALL, "training": training}).fit(*problem)
    assert len(model.history_["val_loss"]) == len(model.history_["loss"]) > 0
    assert 0 <= model.history_["val_accuracy"][-1] <= 1


def test_calibration_sets_a_temperature_and_changes_no_decision(draw: Callable[..., Any]) -> None:
    sequences, labels = draw(60)
    noisy = labels.copy()
    noisy[::7] = labels[1::7][: len(noisy[::7])]  # so that nobody can be sure
    plain = SequenceClassifier(**SMALL).fit(sequences, noisy)
    assert plain.temperature_ == 1
    model = SequenceClassifier(**SMALL, calibration=0.3).fit(sequences, noisy)
    assert model.temperature_ != 1
    sharp, model.temperature_ = model.predict_proba(sequences), 2 * model.temperature_
    blunt = model.predict_proba(sequences)
    assert (sharp.argmax(axis=1) == blunt.argmax(axis=1)).all()
    assert (blunt.max(axis=1) <= sharp.max(axis=1) + 1e-12).all()


def test_members_are_averaged(problem: Any) -> None:
    model = SequenceClassifier(**SMALL, members=3).fit(*problem)
    logits = model.fitted_.outputs(tg.data.series_of(problem[0])).astype(np.float64)
    each = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    assert np.abs(each[0] - each[1]).max() > 1e-4
    np.testing.assert_allclose(model.predict_proba(problem[0]), each.mean(axis=0))


def test_weights_of_examples_decide_between_contradictions() -> None:
    X, y = np.ones((8, 5, 1)) + np.arange(5.0)[:, None], np.array(["a", "b"] * 4)
    for weight, expected in (([1, 0.01] * 4, "a"), ([0.01, 1] * 4, "b")):
        assert SequenceClassifier(**SMALL).fit(X, y, sample_weight=weight).predict(X)[0] == expected


def test_balanced_classes_weigh_alike() -> None:
    X, y = np.ones((12, 5, 1)) + np.arange(5.0)[:, None], np.array(["a"] * 9 + ["b"] * 3)
    plain = SequenceClassifier(**SMALL).fit(X, y).predict_proba(X)[0]
    balanced = SequenceClassifier(**SMALL, class_weight="balanced").fit(X, y).predict_proba(X)[0]
    np.testing.assert_allclose(plain, [0.75, 0.25], atol=0.06)
    np.testing.assert_allclose(balanced, [0.5, 0.5], atol=0.06)


def test_missing_values_are_told_from_values(problem: Any) -> None:
    sequences = [np.full((6, 1), 1.0) for _ in range(16)]
    labels = np.array(["whole", "broken"] * 8)
    for series in sequences[1::2]:
        series[3] = np.nan
    model = SequenceClassifier(**{**SMALL, "network": tg.Recurrent(hidden_size=8)}).fit(sequences, labels)
    assert model.fitted_.design.missing
    assert model.score(sequences, labels) == 1
    whole = [np.nan_to_num(series, nan=100.0) for series in problem[0]]
    assert not SequenceClassifier(**SMALL).fit(whole, problem[1]).fitted_.design.missing


def test_scikit_learn_takes_it() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(18, 6)) + np.repeat([0, 4, 8], 6)[:, None], np.repeat([0, 1, 2], 6)
    model = clone(SequenceClassifier(**SMALL))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9
    assert model.set_params(network__hidden_size=3).network == tg.Recurrent(hidden_size=3)


def test_callbacks_hear_of_every_member(problem: Any) -> None:
    class Count(tg.Callback):
        begun = 0

        def on_train_begin(self, state: Any) -> None:
            self.begun += 1

    count = Count()
    SequenceClassifier(**SMALL, members=2).fit(*problem, callbacks=[count])
    assert count.begun == 2


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "lstm"}, "a network is a Recurrent, a Dilated, or a tuple of parts ("),
        ({"pooling": "sum"}, "pooling must be one of 'last', 'mean', 'max', 'mean_max', 'attention'; got 'sum'"),
        ({"dropout": 1}, "dropout must be a probability, 0 ≤ dropout < 1; got 1"),
        ({"scaling": "window"}, "scaling must be one of 'train', 'series', None; got 'window'"),
        ({"class_weight": {"a": 2}}, "class_weight must be one of None, 'balanced'; got {'a': 2}"),
        ({"calibration": 1.5}, "calibration must be a probability, 0 ≤ calibration < 1; got 1.5"),
        ({"augmentation": "jitter"}, "augmentation must be an Augmentation(…) or None; got 'jitter'"),
        ({"training": 5}, "training must be a Training(…); got 5"),
        ({"members": 0}, "members must be a whole number of at least 1; got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        SequenceClassifier(**options)


def test_sampling_belongs_to_tables() -> None:
    training = tg.Training(sampling=tg.Sampling(half_life=10))
    with pytest.raises(SpecError, match=r"^training\.sampling chooses among the windows of a table; whole series have"):
        SequenceClassifier(training=training)


@pytest.mark.parametrize(
    ("kind", "X", "y", "message"),
    [
        (
            DataError,
            np.ones((3, 4)),
            ["a", "a", "a"],
            "expected labels of two classes at least, or there is nothing to ",
        ),
        (DataError, np.ones((3, 4)), None, "expected a label or a number for each series; got none: give y"),
        (ShapeError, np.ones((3, 4)), ["a", "b"], "expected one label a series: 3 series; got 2 label(s)"),
        (ShapeError, np.ones((2, 4)), [["a", "b"], ["a", "b"]], "expected labels as [series]; got shape [2, 2]"),
        (
            DataError,
            np.ones((2, 4)),
            ["a", None],
            "expected a label as text, whole number or boolean; the label of row 1",
        ),
        (DataError, np.ones((2, 4)), ["a", 1], "expected labels of one kind; got int and str: make all of them text"),
        (DataError, [], [], "expected one series at least; got none"),
        (DataError, [[1.0], []], ["a", "b"], "series 1 has length 0: there is nothing to read in it; leave it out"),
        (
            DataError,
            [[1.0], [np.inf]],
            ["a", "b"],
            "series 1, step 0, channel 0 is infinite (inf); correct it, or make",
        ),
        (
            DataError,
            [[[1.0, np.nan]], [[2.0, np.nan]]],
            ["a", "b"],
            "channel 1 has no value in any series, all are missing; leave it out",
        ),
    ],
)
def test_series_and_classes_that_cannot_be_learned(kind: type[TidegateError], X: Any, y: Any, message: str) -> None:
    model = SequenceClassifier(**SMALL)
    with pytest.raises(kind, match=f"^{re.escape(message)}"):
        model.fit(X, y)
    with pytest.raises(
        NotFittedError, match=r"^this SequenceClassifier is not fitted; call fit\(…\) before predict\(…\)$"
    ):
        model.predict(X)


def test_labels_twice(problem: Any) -> None:
    data = labelled(problem)
    with pytest.raises(DataError, match=r"^the series have labels of their own; leave y out, or give series without"):
        SequenceClassifier(**SMALL).fit(data, problem[1])


@pytest.mark.parametrize(
    ("weight", "kind", "message"),
    [
        ([1.0], ShapeError, "expected one weight a series, [24]; got shape [1]"),
        ([-1.0] + [1.0] * 23, DataError, "weights must be finite and at least 0; that of series 0 is -1.0"),
        ([0.0] * 24, DataError, "all weights are 0: nothing would be learned"),
    ],
)
def test_weights_that_are_none(problem: Any, weight: list[float], kind: type[TidegateError], message: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        SequenceClassifier(**SMALL).fit(*problem, sample_weight=weight)


def test_what_was_not_seen_in_training(classifier: SequenceClassifier, problem: Any) -> None:
    sequences, _ = problem
    labels = ["ebb"] * 23 + ["slack"]
    for ask in (classifier.score, classifier.evaluate):
        with pytest.raises(
            DataError, match=r"^label 'slack' of row 23 was not seen in training; known: 'ebb', 'flow'$"
        ):
            ask(sequences, labels)
    with pytest.raises(ShapeError, match=r"^this model was trained on series of 2 channel\(s\); got 1$"):
        classifier.predict([[1.0, 2.0]])


def test_a_file_that_was_altered(classifier: SequenceClassifier, tmp_path: Path) -> None:
    learned, arrays = classifier._learned()
    for change in ({"labels": ["flow", "ebb"]}, {"labels": ["a"]}, {"temperature": 0}, {"outputs": 3}, {"channels": 9}):
        with pytest.raises((ModelFileError, TidegateError)):
            SequenceClassifier(**SMALL)._restore({**learned, **change}, arrays)
    classifier.save(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="holds a 'sequence_classifier', not a 'sequence_regressor'"):
        tg.SequenceRegressor.load(tmp_path / "model.safetensors")


def labelled(problem: Any) -> LabelledSeries:
    sequences, labels = problem
    return LabelledSeries(
        sequences=tg.data.series_of(sequences), labels=labels, channels=("x", "z"), ids=np.arange(len(labels))
    )
