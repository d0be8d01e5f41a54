"""Targets as rows of a batch, and back."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tidegate.forecast.channels import apart, together


def test_rows_of_the_first_target_come_first() -> None:
    values = torch.arange(12).view(2, 3, 2)  # [batch, time, target]
    rows = apart(values)
    assert rows.shape == (4, 3, 1)
    assert rows[0, :, 0].tolist() == [0, 2, 4]  # target 0 of window 0
    assert rows[1, :, 0].tolist() == [6, 8, 10]  # target 0 of window 1
    assert rows[2, :, 0].tolist() == [1, 3, 5]


@given(batch=st.integers(0, 4), steps=st.integers(1, 4), targets=st.integers(1, 4), numbers=st.integers(0, 3))
def test_together_undoes_apart_with_any_numbers_behind(batch: int, steps: int, targets: int, numbers: int) -> None:
    values = torch.arange(batch * steps * targets).view(batch, steps, targets)
    assert torch.equal(together(apart(values), targets), values)
    if batch and numbers:
        several = torch.stack([apart(values) + 100 * number for number in range(numbers)], dim=-1)
        expected = torch.stack([values + 100 * number for number in range(numbers)], dim=-1)
        assert torch.equal(together(several, targets), expected)
