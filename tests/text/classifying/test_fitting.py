from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tidegate.specs import Tokens, Training, Wide
from tidegate.text import TextClassifier

Make = Callable[..., TextClassifier]
Labelled = tuple[list[str], list[str]]
QUICK = Training(max_steps=3, batch_size=4, validation=0.25)


def test_tokens_of_texts_that_are_kept_apart_are_not_known(small_classifier: Make) -> None:
    texts = [f"word{number} {'rain' if number % 2 else 'sun'}" for number in range(40)]
    model = small_classifier(training=QUICK, calibration=0.25).fit(texts, ["wet", "dry"] * 20)
    known = [token for token in model.fitted_.vocabulary.tokens if token.startswith("word")]
    assert len(known) == 22  # of 40 texts 10 are apart, and of 30 in two classes 8 are held out


def test_the_future_of_a_text_kept_apart_changes_no_weight(small_classifier: Make) -> None:
    """Change every text that sets the temperature: nothing but the temperature may change."""
    texts = [f"w{number} {'rain' if number % 2 else 'sun'}" for number in range(40)]
    labels = ["wet", "dry"] * 20
    model = small_classifier(training=QUICK, calibration=0.25).fit(texts, labels)
    apart = {f"w{number}" for number in range(40)} - words_of(model, texts)
    changed = ["something else" if text.split()[0] in apart and not is_held(model, text) else text for text in texts]
    assert changed != texts
    other = small_classifier(training=QUICK, calibration=0.25).fit(changed, labels)
    one, two = model.fitted_.arrays(), other.fitted_.arrays()
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    assert model.temperature_ != other.temperature_


def words_of(model: TextClassifier, texts: list[str]) -> set[str]:
    return {text.split()[0] for text in texts if text.split()[0] in model.fitted_.vocabulary.tokens}


def is_held(model: TextClassifier, text: str) -> bool:
    """Say whether the linear model, which is fitted on the validation texts too, knows a text's own word."""
    from tidegate.text.classifying.wide import WideTexts

    assert model.fitted_.wide is not None
    word = text.split(maxsplit=1)[0]
    asked = WideTexts.of([word], [[word]], model.fitted_.tokenizer)
    return len(model.fitted_.wide.ngrams.columns(asked.tokens, asked.written).flat) > 0


def test_the_linear_model_sees_the_validation_texts_in_the_end(small_classifier: Make) -> None:
    texts = [f"word{number} {'rain' if number % 2 else 'sun'}" for number in range(40)]
    model = small_classifier(training=QUICK).fit(texts, ["wet", "dry"] * 20)
    assert all(is_held(model, text) for text in texts)


def test_few_of_a_class_are_spread_over_training_and_validation(small_classifier: Make) -> None:
    texts = ["sun", "rain"] * 10 + ["fog"]
    model = small_classifier(training=QUICK).fit(texts, ["dry", "wet"] * 10 + ["grey"])
    assert model.classes_.tolist() == ["dry", "grey", "wet"]
    np.testing.assert_allclose(model.fitted_.frequencies, [8 / 17, 1 / 17, 8 / 17])


def test_notes_say_how_many_texts_were_cut(small_classifier: Make, messages: Labelled) -> None:
    model = small_classifier(tokens=Tokens(max_length=3), training=QUICK).fit(*messages)
    assert model.notes_ == ("16 of 24 texts hold more than is read of them: 3 words, 100 characters of a word",)
    characters = small_classifier(tokens=Tokens(unit="characters", max_length=10), wide=Wide(), training=QUICK)
    assert characters.fit(*messages).notes_ == (
        "20 of 24 texts hold more than is read of them: 10 characters, 5,000 characters for n-grams",
    )
