from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tidegate.data.batches import Batch
from tidegate.errors import DataError, ShapeError
from tidegate.training.objective import Supervised


class Ragged(nn.Module):
    """Gives its input back and remembers the lengths that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: Tensor | None = None

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        self.seen = lengths
        return values * self.scale


def test_lengths_reach_a_module_that_takes_them() -> None:
    module, lengths = Ragged(), torch.tensor([1, 2])
    Supervised()(module, Batch(values=torch.ones(2, 2, 1), target=torch.ones(2, 2, 1), lengths=lengths))
    assert module.seen is lengths


def test_lengths_do_not_reach_a_module_that_does_not() -> None:
    batch = Batch(values=torch.ones(2, 2, 1), target=torch.ones(2, 2, 1), lengths=torch.tensor([1, 2]))
    assert Supervised()(nn.Identity(), batch).loss.item() == 0


def test_steps_past_the_length_do_not_count() -> None:
    values = torch.tensor([[[1.0], [99.0]], [[2.0], [3.0]]])  # [batch, time, feature]
    outcome = Supervised("mae")(Ragged(), Batch(values=values, target=0 * values, lengths=torch.tensor([1, 2])))
    assert outcome.loss.item() == 2.0  # (1 + 2 + 3) / 3
    assert float(outcome.weight) == 3


def test_a_target_without_steps_is_not_cut_by_lengths() -> None:
    batch = Batch(values=torch.ones(2, 3, 1), target=torch.zeros(2, 1), lengths=torch.tensor([1, 2]))
    head = nn.Sequential(nn.Flatten(), nn.Linear(3, 1))
    assert Supervised()(head, batch).weight == 2


def test_values_and_target_are_cast_to_the_modules_dtype() -> None:
    batch = Batch(values=torch.ones(2, 1, dtype=torch.float64), target=torch.ones(2, 1, dtype=torch.float64))
    outcome = Supervised()(nn.Linear(1, 1), batch)
    assert outcome.loss.dtype == torch.float32


def test_ids_are_not_cast() -> None:
    batch = Batch(values=torch.tensor([[0, 1]]), target=torch.tensor([[1, 0]]))
    outcome = Supervised("cross_entropy")(nn.Embedding(2, 3), batch)
    assert outcome.weight == 2


@pytest.mark.parametrize("loss", ["mse", nn.MSELoss(), lambda output, target: (output - target).square()])
def test_a_flat_target_never_broadcasts(loss: object) -> None:
    target = torch.arange(4.0)
    batch = Batch(values=target.reshape(4, 1), target=target)
    outcome = Supervised(loss)(nn.Identity(), batch)  # type: ignore[arg-type]
    assert outcome.loss.item() == 0  # broadcast to [4, 4] it would be 2.5


def test_no_target_and_no_tensor_are_refused() -> None:
    with pytest.raises(DataError, match="the batch has no target to learn from"):
        Supervised()(nn.Identity(), Batch(values=torch.ones(1, 1)))
    batch = Batch(values=torch.ones(1, 2, 1), target=torch.ones(1, 1))
    with pytest.raises(ShapeError, match=r"returned a tuple, a loss needs one tensor; .* return_state=False"):
        Supervised()(nn.LSTM(1, 1, batch_first=True), batch)


def test_under_autocast_the_loss_is_float32() -> None:
    batch = Batch(values=torch.full((1, 1), 1.0), target=torch.full((1, 1), 1.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outcome = Supervised()(nn.Linear(1, 1), batch)
    assert outcome.output is not None
    assert (outcome.loss.dtype, outcome.output.dtype) == (torch.float32, torch.float32)
