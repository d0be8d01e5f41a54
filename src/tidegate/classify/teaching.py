"""What a teacher says of whole series, for a student to learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.classify.network import SeriesNetwork, SeriesObjective
from tidegate.data.batches import Batch
from tidegate.data.ragged import RaggedExamples, RaggedSource
from tidegate.specs.augmentation import Augmentation
from tidegate.training.distillation import Answered, Distilled, mixed
from tidegate.training.losses import Loss
from tidegate.training.members import member_outputs
from tidegate.training.objective import Objective, Outcome

__all__ = ["Lesson"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """A teacher's networks, and how a student's outputs are compared with theirs.

    Where examples are changed at random, the teacher answers to the changed ones, as Beyer et al. (2022), "Knowledge
    distillation: a good teacher is patient and consistent", found best; else to all of them once, before the training.

    Parameters
    ----------
    networks
        The members, in evaluation mode.
    combined
        From their outputs ``[member, series, output]`` to what the student's are compared with, ``[series, output]``.
    loss
        Of the student's outputs and these.
    share
        How much it counts.
    """

    networks: nn.ModuleList
    combined: Callable[[Tensor], Tensor]
    loss: Loss
    share: float

    def answered(self, examples: RaggedExamples, augmentation: Augmentation | None) -> RaggedSource:
        """Put the answers beside the examples, unless these will be changed."""
        if augmentation is not None:
            return examples
        outputs = torch.from_numpy(member_outputs(self.networks, RaggedExamples(examples.sequences)))
        return Answered(examples, self.combined(outputs.double()).numpy().astype(np.float32))

    def objective(self, objective: SeriesObjective, augmentation: Augmentation | None) -> Objective:
        """Give what a student minimises."""
        if augmentation is None:
            return Distilled(objective, self.loss, self.share)
        return _Changing(objective, self)

    def answers(self, values: Tensor, lengths: Tensor | None) -> Tensor:
        """Answer to series ``[batch, time, channel]``."""
        device = next(self.networks.parameters()).device
        values, lengths = values.to(device), None if lengths is None else lengths.to(device)
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            outputs = torch.stack([network(values, lengths=lengths) for network in self.networks])
            return self.combined(outputs.double())


class _Changing:
    """What a student minimises that is shown changed series: its teacher sees the same."""

    def __init__(self, objective: SeriesObjective, lesson: Lesson) -> None:
        self.truth, self.lesson = objective, lesson

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        if not module.training:
            return self.truth(module, batch)
        assert isinstance(module, SeriesNetwork)
        output, changed = module.taught(batch.values, batch.lengths)
        outcome = self.truth.compared(output, batch)
        answer = self.lesson.answers(changed, batch.lengths)
        return mixed(outcome, self.lesson.loss, answer, batch.weight, self.lesson.share)
