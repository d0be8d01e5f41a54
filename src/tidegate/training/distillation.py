"""Learning from another model's answers, beside the truth."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.data.batches import Batch, IntArray
from tidegate.data.ragged import Ragged, RaggedSource
from tidegate.training.losses import Loss, reduce_loss
from tidegate.training.objective import Objective, Outcome

__all__ = ["Answered", "Distilled", "mixed", "soft_binary_cross_entropy", "soft_cross_entropy"]


class Answered:
    """Examples, each with a teacher's answer to it as ``answer`` of the batch.

    Parameters
    ----------
    source
        The examples.
    answers
        An answer each, ``[example, …]``; `Ragged` where there is one a step, padded with 0 like the steps.
    """

    def __init__(self, source: RaggedSource, answers: npt.NDArray[Any] | Ragged) -> None:
        self.source, self.answers = source, answers

    def __len__(self) -> int:
        return len(self.source)

    @property
    def lengths(self) -> IntArray:
        """Steps of each example, ``[example]``."""
        return self.source.lengths

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Copy the examples at ``indices`` and the answers to them into a batch."""
        given = self.answers
        answer = given.padded(indices)[0] if isinstance(given, Ragged) else given[indices]
        return dataclasses.replace(self.source.batch(indices), answer=answer)


class Distilled:
    """An objective, and beside it a loss between the output and a teacher's answers (Hinton et al., 2015).

    The loss is ``(1 − share) · loss(output, target) + share · loss'(output, answer)``. Both are means over the same
    elements with the same weights. A batch without answers, as those of a validation are, counts by the first alone: a
    student is judged by the truth.

    Parameters
    ----------
    objective
        Of the truth. Its outcomes must have the output.
    loss
        Between the output and the answers ``(output, answer)``, one number an element of ``objective``'s loss.
    share
        Of the second, 0 to 1.
    """

    def __init__(self, objective: Objective, loss: Loss, share: float) -> None:
        self.objective, self.loss, self.share = objective, loss, share

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Run the module, and compare with both."""
        outcome = self.objective(module, batch)
        if batch.answer is None:
            return outcome
        return mixed(outcome, self.loss, batch.answer, batch.weight, self.share)


def mixed(outcome: Outcome, loss: Loss, answer: Tensor, weight: Tensor | None, share: float) -> Outcome:
    """Mix the loss of an outcome with that between its output and a teacher's answer, as `Distilled` does."""
    output = outcome.output
    assert output is not None
    weight = None if weight is None else weight.to(output.dtype)
    taught, _ = reduce_loss(loss, output, answer.to(output.device, output.dtype), None, weight)
    return dataclasses.replace(outcome, loss=(1 - share) * outcome.loss + share * taught)


def soft_cross_entropy(temperature: float) -> Loss:
    """Give the cross-entropy of softened classes, ``T² · −Σ softmax(answer / T) · log softmax(output / T)``.

    Hinton et al. (2015), "Distilling the knowledge in a neural network". The factor T² keeps the size of the gradient
    whatever the temperature.

    Parameters
    ----------
    temperature
        T; above 1 the unlikely classes, and which of them the teacher takes for likelier, count for more.

    Returns
    -------
    callable
        From logits of the student and of the teacher, ``[batch, …, class]``, to ``[batch, …]``.
    """

    def loss(output: Tensor, answer: Tensor) -> Tensor:
        wanted = torch.softmax(answer / temperature, dim=-1)
        return -(wanted * torch.log_softmax(output / temperature, dim=-1)).sum(-1) * temperature**2

    return loss


def soft_binary_cross_entropy(temperature: float) -> Loss:
    """Give the same as `soft_cross_entropy` for labels that do not exclude each other.

    Returns
    -------
    callable
        From logits of the student and of the teacher, ``[batch, …, label]``, to one number each.
    """

    def loss(output: Tensor, answer: Tensor) -> Tensor:
        wanted = torch.sigmoid(answer / temperature)
        found = functional.binary_cross_entropy_with_logits(output / temperature, wanted, reduction="none")
        return found * temperature**2

    return loss
