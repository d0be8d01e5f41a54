"""Losses between a student's outputs and a teacher's answers, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tidegate.data import Batch
from tidegate.data.ragged import Ragged, RaggedExamples
from tidegate.training import Supervised
from tidegate.training.distillation import Answered, Distilled, soft_binary_cross_entropy, soft_cross_entropy

Array = np.ndarray


def softmax(x: Array) -> Array:
    e = np.exp(x)
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("temperature", [1.0, 3.5])
def test_soft_classes_are_those_of_hinton(temperature: float) -> None:
    output, answer = draw(5, 3), draw(5, 3, seed=1)
    expected = -(softmax(answer / temperature) * np.log(softmax(output / temperature))).sum(-1) * temperature**2
    found = soft_cross_entropy(temperature)(torch.from_numpy(output), torch.from_numpy(answer))
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("temperature", [1.0, 3.5])
def test_soft_labels_are_classes_of_two_each(temperature: float) -> None:
    output, answer = draw(5, 3), draw(5, 3, seed=1)
    pairs = [torch.from_numpy(np.stack([np.zeros_like(x), x], axis=-1)) for x in (output, answer)]
    found = soft_binary_cross_entropy(temperature)(torch.from_numpy(output), torch.from_numpy(answer))
    np.testing.assert_allclose(found, soft_cross_entropy(temperature)(*pairs))


def test_the_gradient_keeps_its_size_at_high_temperatures() -> None:
    output = torch.from_numpy(draw(4, 3)).requires_grad_()
    answer = torch.from_numpy(draw(4, 3, seed=1))
    sizes = []
    for temperature in (100.0, 200.0):
        (slope,) = torch.autograd.grad(soft_cross_entropy(temperature)(output, answer).sum(), output)
        sizes.append(float(slope.abs().sum()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def batch_of(answer: Array | None, weight: Array | None) -> Batch[torch.Tensor]:
    def tensor(array: Array | None) -> torch.Tensor | None:
        return None if array is None else torch.from_numpy(array)

    return Batch(
        values=torch.from_numpy(draw(4, 3, seed=2)),
        target=torch.tensor([0, 2, 1, 1]),
        weight=tensor(weight),
        answer=tensor(answer),
    )


@pytest.mark.parametrize("weight", [None, np.array([2.0, 0.0, 1.0, 0.5])])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_both_losses_are_means_with_the_same_weights(share: float, weight: Array | None) -> None:
    answer, given = draw(4, 3), draw(4, 3, seed=2)
    objective = Distilled(Supervised("cross_entropy"), soft_cross_entropy(2.0), share)
    outcome = objective(nn.Identity(), batch_of(answer, weight))
    logs = np.log(softmax(given))
    truth = -logs[np.arange(4), [0, 2, 1, 1]]
    taught = -4 * (softmax(answer / 2) * np.log(softmax(given / 2))).sum(-1)
    expected = np.average((1 - share) * truth + share * taught, weights=weight)
    assert float(outcome.loss) == pytest.approx(expected)
    assert float(outcome.weight) == (4.0 if weight is None else 3.5)


def test_without_answers_the_truth_alone_counts() -> None:
    truth = Supervised("cross_entropy")
    outcome = Distilled(truth, soft_cross_entropy(2.0), 1.0)(nn.Identity(), batch_of(None, None))
    assert torch.equal(outcome.loss, truth(nn.Identity(), batch_of(None, None)).loss)


def test_answers_come_with_their_examples() -> None:
    examples = RaggedExamples(Ragged.of([np.arange(2.0), np.arange(3.0)]), np.array([0, 1]))
    source = Answered(examples, np.array([[1.0, 2.0], [3.0, 4.0]]))
    found = source.batch(np.array([1, 0]))
    assert found.answer is not None
    assert found.answer.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert found.target is not None
    assert found.target.tolist() == [1, 0]
    assert len(source) == 2
    assert source.lengths.tolist() == [2, 3]


def test_answers_of_each_step_are_padded_like_the_steps() -> None:
    examples = RaggedExamples(Ragged.of([np.arange(2.0), np.arange(3.0)]))
    steps = Ragged.of([np.array([[1.0], [2.0]]), np.array([[3.0], [4.0], [5.0]])])
    found = Answered(examples, steps).batch(np.array([0, 1])).answer
    assert found is not None
    assert found[..., 0].tolist() == [[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]]
