"""Best tags and confidences, against all taggings of a short sentence."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import pytest
import torch

from tidegate.data.conll import ConllSentences
from tidegate.data.tagschemes import Span, convert, first_fault, spans_of
from tidegate.errors import DataError, SpecError
from tidegate.metrics.spans import span_scores
from tidegate.specs import TagSchemes
from tidegate.text import Tagger
from tidegate.text.tagging.answers import OFFSETS, pooled_crf, written
from tidegate.text.tagging.examples import TaggedExamples, encoded

Tagged = tuple[list[list[str]], list[list[str]]]


def every_tagging(tagger: Tagger, tokens: Sequence[str]) -> dict[tuple[str, ...], float]:
    """Give the probability of each tagging of a sentence: the slow oracle."""
    answers = tagger._answers
    given = ConllSentences(tokens=(tuple(tokens),))
    table, (values,) = encoded([given], answers.vocabulary, answers.features)
    batch = TaggedExamples(values).batch(torch.arange(1).numpy())
    with torch.no_grad():
        scores = []
        for network in answers.members:
            rows, lengths = torch.from_numpy(batch.values), torch.tensor([len(tokens)])
            scores.append(network.emissions(network.encode(table), table, rows, lengths)[0])
        emissions = torch.stack(scores).mean(dim=0)
        crf = pooled_crf(answers.members)
        paths = []
        for codes in itertools.product(range(len(answers.labels)), repeat=len(tokens)):
            tags = tuple(answers.labels[code] for code in codes)
            if first_fault(tags, answers.scheme) is None:
                score = crf.start[codes[0]] + crf.end[codes[-1]] + emissions[range(len(tokens)), codes].sum()
                score = score + sum(crf.transitions[one, two] for one, two in itertools.pairwise(codes))
                paths.append((tags, score))
        weights = torch.stack([score for _, score in paths]).softmax(dim=0)
    return {tags: float(weight) for (tags, _), weight in zip(paths, weights, strict=True)}


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("learned", ["iob2", "iobes"])
def test_confidence_is_the_probability_of_just_this_span(
    small_tagger: Callable[..., Tagger], tagged: Tagged, learned: str, members: int
) -> None:
    # Hardly trained, so that it is not sure.
    tagger = small_tagger(schemes=TagSchemes(learned=learned), members=members)
    tagger.set_params(training__epochs=6).fit(*tagged)
    seen = 0
    for tokens in (["New", "York", "Ann"], ["York", "Rome"], ["Bob"], ["York", "met"]):
        taggings = every_tagging(tagger, tokens)
        best = max(taggings, key=lambda tags: taggings[tags])
        assert tagger.predict([tokens]) == [convert(best, learned, "iob2")]
        (spans,) = tagger.predict_spans([tokens])
        assert [Span(span.start, span.stop, span.type) for span in spans] == spans_of(best, learned)
        for span in spans:
            having = [
                weight
                for tags, weight in taggings.items()
                if Span(span.start, span.stop, span.type) in spans_of(tags, learned)
            ]
            assert span.confidence == pytest.approx(sum(having), rel=1e-4)
            assert span.text == " ".join(tokens[span.start : span.stop])
            seen += 1
    assert seen


def test_many_sentences_come_back_in_their_order(
    small_tagger: Callable[..., Tagger], tagged: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = small_tagger().fit(*tagged)
    sentences = tagged[0] * 3
    expected = tagger.predict(sentences)
    spans = tagger.predict_spans(sentences)
    monkeypatch.setattr("tidegate.text.tagging.answers._BLOCK", 4)
    monkeypatch.setattr("tidegate.text.tagging.answers._BATCH", 2)
    monkeypatch.setattr("tidegate.text.tagging.answers._WORDS", 3)
    assert tagger.predict(sentences) == expected == tagged[1] * 3
    again = tagger.predict_spans(sentences)
    assert [[span.text for span in row] for row in again] == [[span.text for span in row] for row in spans]


@pytest.mark.parametrize(("scheme", "wanted"), list(itertools.product(["iob2", "iobes"], ["iob1", "iob2", "iobes"])))
def test_codes_are_written_in_any_scheme(scheme: str, wanted: str) -> None:
    tags = {"iob2": ["B-x", "I-x", "B-x", "O"], "iobes": ["B-x", "E-x", "S-x", "O"]}[scheme]
    labels = sorted(set(tags))
    found = written([[labels.index(tag) for tag in tags]], labels, scheme, wanted)
    assert found == [convert(tags, scheme, wanted)]


def test_an_offset_moves_decisions_and_no_probability(small_tagger: Callable[..., Tagger], tagged: Tagged) -> None:
    tagger = small_tagger().set_params(training__epochs=8).fit(*tagged)
    answers = tagger._answers
    given = ConllSentences(tokens=tuple(map(tuple, tagged[0])))
    all_of_them = dataclasses.replace(answers, offset=20.0)
    none_of_them = dataclasses.replace(answers, offset=-20.0)
    assert all(code for path in all_of_them.codes(given) for code in path)
    assert not any(code for path in none_of_them.codes(given) for code in path)
    sure = {(span.start, span.stop, span.type): span.confidence for span in answers.spans(given)[0]}
    moved = {(span.start, span.stop, span.type): span.confidence for span in all_of_them.spans(given)[0]}
    shared = sure.keys() & moved.keys()
    assert shared
    assert all(moved[span] == pytest.approx(sure[span], rel=1e-5) for span in shared)


def test_the_best_offset_is_that_of_the_highest_f1(small_tagger: Callable[..., Tagger], tagged: Tagged) -> None:
    tagger = small_tagger(decide="f1").set_params(training__epochs=8)
    tagger.fit(*tagged, validation=tagged)
    answers = tagger._answers
    given = ConllSentences(tokens=tuple(map(tuple, tagged[0])))
    f1 = {}
    for offset in OFFSETS:
        paths = dataclasses.replace(answers, offset=offset).codes(given)
        f1[offset] = span_scores(tagged[1], written(paths, answers.labels, answers.scheme, "iob2")).f1
    best = [offset for offset in OFFSETS if f1[offset] == max(f1.values())]
    assert answers.offset == min(best, key=abs)
    assert tagger.score(*tagged) == max(f1.values())


def test_without_validation_there_is_nothing_to_choose_by(small_tagger: Callable[..., Tagger], tagged: Tagged) -> None:
    with pytest.raises(DataError, match="decide='f1' chooses on validation sentences, and there are none; give fit"):
        small_tagger(decide="f1").fit(*tagged)
    with pytest.raises(SpecError, match="decide must be one of 'likelihood', 'f1'; got 'recall'"):
        small_tagger(decide="recall")
