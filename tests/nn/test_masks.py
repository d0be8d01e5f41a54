from __future__ import annotations

import pytest
import torch

from tidegate.errors import ShapeError
from tidegate.nn.masks import valid_steps


def test_steps_within_the_length_are_marked() -> None:
    mask = valid_steps(torch.tensor([0, 2, 9], dtype=torch.int32), torch.empty(3, 4, 1))
    assert mask.int().tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("lengths", [torch.tensor([1.0, 2.0]), torch.tensor([True, False]), torch.tensor([1, 2, 3])])
def test_other_lengths_are_refused(lengths: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match=r"lengths must be whole numbers of shape \[2\], one a sequence; got torch\."):
        valid_steps(lengths, torch.empty(2, 4, 1))
