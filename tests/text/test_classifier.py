from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import tidegate as tg
from tidegate.errors import DataError, FileFormatError, NotFittedError, ShapeError, SpecError, UnsupportedError
from tidegate.specs import Embedding, TextColumns, Tokens, Training, Wide
from tidegate.testing.files import check_save_load
from tidegate.testing.invariances import check_company, check_series_order, check_threads
from tidegate.testing.trials import ExamplesTrial
from tidegate.text import TextClassifier

Make = Callable[..., TextClassifier]
Labelled = tuple[list[str], list[str]]
QUICK = Training(max_steps=3, batch_size=4, validation=0.25)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"wide": None},
        {"wide": Wide(share=1.0)},
        {"tokens": Tokens(unit="characters"), "pooling": "max"},
        {"tokens": Tokens(unit="subwords", max_vocabulary=60), "members": 2},
        {"class_weight": "balanced", "calibration": 0.2},
        {"training": Training(epochs=15, batch_size=4, learning_rate=3e-2, validation=0)},
    ],
)
def test_it_learns(small_classifier: Make, messages: Labelled, options: dict[str, Any]) -> None:
    texts, labels = messages
    model = small_classifier(**options).fit(texts, labels)
    assert model.score(texts, labels) >= 0.95
    probabilities = model.predict_proba(texts)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert model.predict(texts).tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()  # type: ignore[union-attr]


def test_many_classes_of_whole_numbers(small_classifier: Make) -> None:
    texts, numbers = ["one tide", "two gates", "three ebbs"] * 6, [1, 2, 3] * 6
    model = small_classifier().fit(np.array(texts), pd.Series(numbers))
    assert model.predict(["two gates", "one tide"]).tolist() == [2, 1]  # type: ignore[union-attr]
    assert model.classes_.dtype == np.int64
    assert model.evaluate(texts, numbers)["confusion"] == [[6, 0, 0], [0, 6, 0], [0, 0, 6]]


def test_several_labels(small_classifier: Make, tmp_path: Path) -> None:
    texts = ["high and fast", "high only", "fast only", "neither of both"] * 6
    labels = [["high", "fast"], ["high"], ["fast"], []] * 6
    training = Training(epochs=30, batch_size=4, learning_rate=3e-2, validation=0.25, patience=None)
    model = small_classifier(training=training, class_weight="balanced").fit(texts, labels)
    assert model.several_
    assert model.predict(texts[:4]) == [["fast", "high"], ["high"], ["fast"], []]
    assert model.score(texts, labels) == 1
    scores = model.evaluate(texts[:4], [["high"], ["high"], ["fast"], []])
    assert (scores["accuracy"], scores["f1_micro"]) == (0.75, pytest.approx(6 / 7))
    model.save(tmp_path / "model.safetensors")
    back = TextClassifier.load(tmp_path / "model.safetensors")
    assert back.predict_proba(texts).tobytes() == model.predict_proba(texts).tobytes()


@pytest.mark.parametrize(
    "check", [check_company, check_save_load, check_threads, check_series_order], ids=lambda check: check.__name__
)
def test_what_estimators_promise_holds_for_several_labels(
    small_classifier: Make, check: Callable[[Any, Any], None]
) -> None:
    texts = ["high and fast", "high", "fast", "neither", "so high", "too fast", "fast, high", "so so"]
    labels = [["high", "fast"], ["high"], ["fast"], [], ["high"], ["fast"], ["high", "fast"], []]
    check(small_classifier(training=QUICK, calibration=0.25), ExamplesTrial(texts, labels))


def test_evaluate_is_what_the_metrics_say(small_classifier: Make, messages: Labelled) -> None:
    texts, labels = messages
    model = small_classifier(training=QUICK).fit(texts, labels)
    scores = model.evaluate(texts, labels)
    target = np.array([label == "spam" for label in labels])
    probability = model.predict_proba(texts)[:, 1]
    assert scores["accuracy"] == model.score(texts, labels) == ((probability > 0.5) == target).mean()
    assert scores["log_loss"] == pytest.approx(-np.log(np.where(target, probability, 1 - probability)).mean())
    assert scores["positive"] == "spam"


def test_attention_is_given_to_the_tokens(small_classifier: Make, messages: Labelled) -> None:
    model = small_classifier(members=2, training=QUICK).fit(*messages)
    asked = ["Win CASH!", "home"]
    (first, second) = model.attention(asked)
    assert [token for token, _ in first] == ["win", "cash", "!"]
    assert sum(weight for _, weight in first) == pytest.approx(1, abs=1e-6)
    assert [token for token, _ in second] == ["home"]
    assert second[0][1] == pytest.approx(1, abs=1e-6)
    alone = model.attention(["Win CASH!"])[0]
    assert [weight for _, weight in alone] == pytest.approx([weight for _, weight in first], rel=1e-5)
    other = small_classifier(pooling="mean", training=QUICK).fit(*messages)
    with pytest.raises(UnsupportedError, match=r"take pooling='attention'$"):
        other.attention(asked)


def test_the_share_mixes_network_and_linear_model(small_classifier: Make, messages: Labelled) -> None:
    texts, labels = messages
    model = small_classifier(wide=Wide(characters=None, minimum=1, share=0.25), training=QUICK).fit(texts, labels)
    assert model.share_ == 0.25
    fitted = model.fitted_
    network, linear = (dataclasses.replace(fitted, share=share).probabilities(texts) for share in (0.0, 1.0))
    product = network**0.75 * linear**0.25
    wanted = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(texts), wanted, rtol=1e-9)
    without = small_classifier(wide=None, training=QUICK).fit(texts, labels)
    assert without.predict_proba(texts).tobytes() == network.tobytes()


def test_without_validation_the_share_is_a_half(small_classifier: Make, messages: Labelled) -> None:
    training = Training(max_steps=3, batch_size=4, validation=0)
    assert small_classifier(training=training).fit(*messages).share_ == 0.5
    assert small_classifier(training=training, wide=None).fit(*messages).share_ == 0


def test_calibration_divides_logits(small_classifier: Make, messages: Labelled) -> None:
    model = small_classifier(calibration=0.3, wide=None, training=QUICK).fit(*messages)
    assert model.temperature_ != 1
    texts = messages[0][:6]
    hot = dataclasses.replace(model.fitted_, temperature=1.0).probabilities(texts)
    powers = hot ** (1 / model.temperature_)
    np.testing.assert_allclose(model.predict_proba(texts), powers / powers.sum(axis=1, keepdims=True), rtol=1e-9)


def test_embeddings_come_from_a_file(small_classifier: Make, messages: Labelled, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("win 1 2 3\ncash 4 5 6\nunseen 7 8 9\n")
    embedding = Embedding(path=str(path), frozen=True, size=50)
    model = small_classifier(embedding=embedding, training=QUICK).fit(*messages)
    vocabulary, weights = model.fitted_.vocabulary, model.fitted_.networks[0].embedding.weight  # type: ignore[union-attr]
    rows = vocabulary.rows(["win", "cash", "unseen"])
    assert weights[rows].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]  # type: ignore[index]
    model.save(tmp_path / "model.safetensors")
    path.unlink()
    back = TextClassifier.load(tmp_path / "model.safetensors")
    assert back.predict_proba(["unseen cash"]).tobytes() == model.predict_proba(["unseen cash"]).tobytes()


def test_embeddings_that_do_not_fit_are_refused(small_classifier: Make, messages: Labelled, tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("nothing 1 2\n")
    message = (
        f"none of the tokens of the training texts is in {str(path)!r}; do both have small letters, or the same unit?"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        small_classifier(embedding=Embedding(path=str(path))).fit(*messages)
    path.write_text("win 1 x\n")
    with pytest.raises(FileFormatError, match=r"line 1: expected 2 numbers after the word, got 'x'$"):
        small_classifier(embedding=Embedding(path=str(path))).fit(*messages)


def test_a_megabyte_without_a_space_is_one_text_among_others(small_classifier: Make, messages: Labelled) -> None:
    texts, labels = messages
    model = small_classifier(wide=Wide(), training=QUICK).fit([*texts, "w" * 1_000_000], [*labels, "spam"])
    assert model.notes_ == (
        "1 of 25 texts hold more than is read of them: 400 words, 100 characters of a word, 5,000 characters for "
        "n-grams",
    )
    assert model.predict_proba(["!" * 1_000_000]).shape == (1, 2)


def test_labels_and_texts_may_come_from_a_file(small_classifier: Make, messages: Labelled, tmp_path: Path) -> None:
    path = tmp_path / "messages.csv"
    path.write_text("kind,body\n" + "".join(f"{label},{text}\n" for text, label in zip(*messages, strict=True)))
    table = tg.data.read_text_csv(path, TextColumns(text="body", label="kind"))
    model = small_classifier(training=QUICK).fit(table)
    assert model.columns_ == TextColumns(text="body", label="kind")
    assert model.score(table) == model.score(*messages)
    with pytest.raises(DataError, match=r"^the texts have labels of their own; leave labels out"):
        model.score(table, messages[1])


def test_the_same_seed_gives_the_same_bits(small_classifier: Make, messages: Labelled) -> None:
    model = small_classifier(training=QUICK, wide=None)
    one, two = (clone(model).fit(*messages).predict_proba(messages[0]) for _ in range(2))
    assert one.tobytes() == two.tobytes()
    other = clone(model).set_params(seed=1, tokens__lower=False).fit(*messages).predict_proba(messages[0])
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    ("texts", "labels", "kind", "message"),
    [
        (["a", ""], ["x", "y"], DataError, "row 1: the text is empty, there is nothing to read; leave such rows out"),
        (["a", None], ["x", "y"], DataError, "row 1: the text is missing; leave such rows out, or say what they are"),
        (["a", "b\0"], ["x", "y"], DataError, "row 1: the text holds a NUL character, which no text has; remove it"),
        (["a", "b"], ["x"], ShapeError, "expected one label a text: 2 texts; got 1 label(s)"),
        (
            ["a", "b"],
            ["x", "x"],
            DataError,
            "expected labels of two classes at least, or there is nothing to tell apart; got only 'x'",
        ),
        (
            ["a", "b"],
            ["x", None],
            DataError,
            "expected a label as text, whole number or boolean; the label of row 1 is None: leave such rows out, or "
            "say what they are",
        ),
        (
            ["a", "b"],
            [[], []],
            DataError,
            "expected one label at least among the examples; got none: there is nothing to learn",
        ),
        (
            ["a", "b"],
            [["x"], "y"],
            DataError,
            "expected the labels of an example as a list, which may be empty; row 1 has 'y'",
        ),
        (["a", "b"], None, DataError, "expected a label for each text; got none: give labels"),
        (
            ["a", "b"],
            ["x", "y"],
            DataError,
            "none of 2 examples can be held out: no class has two; give more examples",
        ),
    ],
)
def test_bad_input_is_refused(
    small_classifier: Make, texts: list[Any], labels: list[Any] | None, kind: type, message: str
) -> None:
    model = small_classifier()
    with pytest.raises(kind) as raised:
        model.fit(texts, labels)
    assert str(raised.value) == message
    assert not hasattr(model, "fitted_")


def test_a_label_unseen_in_training_is_refused(small_classifier: Make, messages: Labelled) -> None:
    model = small_classifier(training=QUICK).fit(*messages)
    for ask in (model.score, model.evaluate):
        with pytest.raises(DataError) as raised:
            ask(["ok", "no"], ["ham", "eggs"])
        assert str(raised.value) == "label 'eggs' of row 1 was not seen in training; known: 'ham', 'spam'"
    with pytest.raises(DataError, match=r"^row 0: the text is empty, there is nothing to read; leave such rows out$"):
        model.predict([" "])


def test_nothing_is_told_before_it_is_fitted(small_classifier: Make) -> None:
    with pytest.raises(NotFittedError):
        small_classifier().attention(["a"])
    with pytest.raises(NotFittedError):
        small_classifier().decide(np.ones((1, 2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": "words"}, "tokens must be a Tokens(…); got 'words'"),
        ({"embedding": None}, "embedding must be a Embedding(…); got None"),
        ({"wide": 2}, "wide must be a Wide(…) or None; got 2"),
        ({"pooling": "sum"}, "pooling must be one of 'last', 'mean', 'max', 'mean_max', 'attention'; got 'sum'"),
        ({"class_weight": "even"}, "class_weight must be one of None, 'balanced'; got 'even'"),
        ({"class_weight": {"ham": -1}}, "class_weight of 'ham' must be at least 0; got -1"),
        ({"calibration": 1}, "calibration must be a probability, 0 ≤ calibration < 1; got 1"),
        ({"members": 0}, "members must be a whole number of at least 1; got 0"),
        ({"members": 10**9}, "members must be at most 1,000; got a number of 10 digits"),
        (
            {"training": Training(sampling=tg.Sampling(half_life=2.0))},
            "training.sampling chooses among the windows of a table; texts have none",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        TextClassifier(**options)
    assert str(raised.value) == message
