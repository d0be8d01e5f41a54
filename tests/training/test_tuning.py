"""What a further training is, and that it leaves what it goes on from alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tidegate.data.ragged import Ragged, RaggedExamples
from tidegate.errors import SpecError
from tidegate.specs import Training
from tidegate.training import Supervised
from tidegate.training.tuning import tune_members, tuning

FIRST = Training(epochs=7, batch_size=3, learning_rate=0.02, schedule="one_cycle", patience=4, optimizer="sgd")


def test_a_further_training_is_gentler_unless_it_is_told() -> None:
    given = tuning(FIRST, max_steps=9, learning_rate=None, schedule=None, validation=0.0)
    assert given == Training(
        max_steps=9, batch_size=3, learning_rate=0.002, schedule=None, validation=0.0, patience=None, optimizer="sgd"
    )
    told = tuning(FIRST, max_steps=9, learning_rate=0.5, schedule="cosine", validation=0.25)
    assert (told.learning_rate, told.schedule, told.validation, told.patience) == (0.5, "cosine", 0.25, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "max_steps must be a whole number of at least 1; got 0"),
        ({"learning_rate": -1}, "learning_rate must be more than 0; got -1"),
        ({"schedule": "wavy"}, "schedule must be one of None, 'one_cycle', 'cosine', 'linear'; got 'wavy'"),
        ({"validation": 1}, "validation must be a probability, 0 ≤ validation < 1; got 1"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    given = {"max_steps": 5, "learning_rate": None, "schedule": None, "validation": 0.0, **options}
    with pytest.raises(SpecError) as error:
        tuning(FIRST, **given)
    assert str(error.value) == message


class Mean(nn.Module):
    def __init__(self, start: float) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor([start]))

    def forward(self, x: torch.Tensor, *, lengths: torch.Tensor | None = None) -> torch.Tensor:
        return self.level.expand(len(x))


def test_every_member_goes_on_from_where_it_is_and_the_given_ones_stay() -> None:
    networks = nn.ModuleList([Mean(0.0), Mean(4.0)]).eval()
    sequences = Ragged.of([np.zeros((2, 1)) for _ in range(4)])
    source = RaggedExamples(sequences, np.ones(4, np.float32))
    training = tuning(FIRST, max_steps=1, learning_rate=0.25, schedule=None, validation=0.0)
    tuned, history = tune_members(networks, source, Supervised("mse"), training=training, seed=0)
    # A step of 0.25 along the gradient 2 (level − 1), clipped to a norm of 1.
    assert [level.item() for level in tuned.parameters()] == pytest.approx([0.25, 3.75])
    assert [level.item() for level in networks.parameters()] == [0.0, 4.0]
    assert history["loss"] == [pytest.approx(1.0)]
    assert not tuned.training
