"""Students of taggers: the cross-entropy of whole taggings against all of them, and what is learned."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate.data.conll import ConllSentences
from tidegate.errors import DataError, SpecError
from tidegate.estimator.teaching import Teacher
from tidegate.nn import CRF
from tidegate.specs import TagSchemes, Training
from tidegate.text import Tagger
from tidegate.text.tagging.teaching import path_cross_entropy

Tagged = tuple[list[list[str]], list[list[str]]]
Make = Callable[..., Tagger]
ALLOWED = torch.tensor([[True, True, False], [True, True, True], [True, False, True]])
QUICK = Training(epochs=1, batch_size=3, validation=0)


def make_crf(seed: int) -> CRF:
    torch.manual_seed(seed)
    crf = CRF(3, allowed_transitions=ALLOWED)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf.double()


def log_probabilities(crf: CRF, emissions: Tensor, steps: int, temperature: float) -> Tensor:
    """Score all paths that are allowed."""
    scores = []
    for path in itertools.product(range(3), repeat=steps):
        moves = list(itertools.pairwise(path))
        if all(ALLOWED[move] for move in moves):
            score = crf.start[path[0]] + crf.end[path[-1]]
            score = score + sum(emissions[step, label] for step, label in enumerate(path))
            scores.append((score + sum(crf.transitions[move] for move in moves)) / temperature)
    return torch.log_softmax(torch.stack(scores), 0)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("tags", [[[0, 1, 2, 2], [0, 0, 0, 0]], [[2, 2, 0, 0], [1, 2, 0, 9]]])
def test_it_is_the_cross_entropy_over_all_paths(tags: list[list[int]], temperature: float) -> None:
    student, teacher = make_crf(0), make_crf(1)
    emissions = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    scores, lengths = torch.randn(2, 4, 3, dtype=torch.float64), torch.tensor([4, 3])
    expected = torch.zeros((), dtype=torch.float64)
    for row, steps in enumerate(lengths.tolist()):
        wanted = log_probabilities(teacher, scores[row], steps, temperature).exp().detach()
        expected = expected - (wanted * log_probabilities(student, emissions[row], steps, temperature)).sum()
    found = path_cross_entropy(
        (student, emissions), (teacher, scores), torch.tensor(tags), lengths, temperature=temperature
    )
    assert float(found.detach()) == pytest.approx(float(expected.detach()))
    learned = [emissions, *student.parameters()]
    for one, two in zip(torch.autograd.grad(found, learned), torch.autograd.grad(expected, learned), strict=True):
        torch.testing.assert_close(one, two)
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_student_is_pulled_to_its_teacher_and_not_to_the_tags(tagged: Tagged, small_tagger: Make) -> None:
    sentences, tags = tagged
    teacher = small_tagger(members=2).fit(sentences, tags)
    wrong = [
        ["B-place" if tag == "B-person" else "B-person" if tag == "B-place" else "O" for tag in row] for row in tags
    ]
    taught = small_tagger(seed=1).fit(sentences, wrong, teacher=Teacher(model=teacher, share=1.0))
    assert taught.predict(sentences) == tags
    assert small_tagger(seed=1).fit(sentences, wrong).predict(sentences) == wrong


def test_same_seed_same_bits_and_the_teacher_is_as_it_was(tagged: Tagged, small_tagger: Make) -> None:
    teacher = small_tagger(training=QUICK).fit(*tagged)
    before = [parameter.clone() for parameter in teacher.fitted_.networks.parameters()]
    students = [
        small_tagger(training=QUICK, seed=4).fit(*tagged, teacher=Teacher(model=teacher, temperature=1.5)) for _ in "ab"
    ]
    weights = [[p.detach().numpy() for p in student.fitted_.networks.parameters()] for student in students]
    assert all(np.array_equal(one, two) for one, two in zip(*weights, strict=True))
    for one, two in zip(before, teacher.fitted_.networks.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("options", "change", "error", "message"),
    [
        (
            {},
            {"place": "town"},
            DataError,
            "the teacher tells 'person', 'place' apart, the data have 'person', 'town'; a student learns the "
            "teacher's classes, so give data with just these, or another teacher",
        ),
        (
            {"schemes": TagSchemes(learned="iob2")},
            {},
            SpecError,
            "the teacher has learned tags in the scheme 'iobes', the student is to learn 'iob2'; give both the same "
            "TagSchemes(learned=…)",
        ),
    ],
)
def test_other_tags_are_refused(
    tagged: Tagged,
    small_tagger: Make,
    options: dict[str, Any],
    change: dict[str, str],
    error: type[Exception],
    message: str,
) -> None:
    sentences, tags = tagged
    teacher = small_tagger(training=QUICK).fit(sentences, tags)
    for old, new in change.items():
        tags = [[tag.replace(old, new) for tag in row] for row in tags]
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        small_tagger(**options).fit(sentences, tags, teacher=Teacher(model=teacher))


def test_other_columns_are_refused(tagged: Tagged, small_tagger: Make) -> None:
    sentences, tags = tagged
    teacher = small_tagger(training=QUICK).fit(sentences, tags)
    columns = tuple((tuple("x" for _ in row),) for row in sentences)
    given = ConllSentences(tokens=tuple(map(tuple, sentences)), columns=columns, tags=tuple(map(tuple, tags)))
    message = (
        "the model was trained with 0 columns between token and tag, got 1; give the same columns, as read_conll does"
    )
    with pytest.raises(DataError, match=f"^{message}$"):
        small_tagger().fit(given, teacher=Teacher(model=teacher))
