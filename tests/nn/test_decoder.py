"""Roll-out: the model reads what it said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tidegate.nn.decoder import roll_out


def test_each_step_reads_the_result_before_it() -> None:
    def step(value: Tensor, state: int) -> tuple[Tensor, int]:
        return value * 2 + state, state + 1

    first = torch.tensor([[[1.0]], [[3.0]]])
    result = roll_out(step, lambda output, k: (output + k, output + k), first, 10, steps=3)
    # 1 → (1 · 2 + 10) + 1 = 13 → (13 · 2 + 11) + 2 = 39
    assert result.squeeze(-1).tolist() == [[1, 13, 39], [3, 17, 47]]


def test_a_roll_out_that_is_not_fed_says_so() -> None:
    with pytest.raises(ValueError, match="no input for step 1 of 2"):
        roll_out(
            lambda value, state: (value, state), lambda output, _: (output, None), torch.zeros(1, 1, 1), 0, steps=2
        )
