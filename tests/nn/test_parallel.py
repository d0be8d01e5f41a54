from __future__ import annotations

import re

import pytest
import torch

from tidegate.errors import SpecError
from tidegate.nn import Parallel, build_network
from tidegate.specs import Recurrent


def test_outputs_stand_side_by_side() -> None:
    torch.manual_seed(0)
    branches = [build_network(Recurrent(hidden_size=size), 3) for size in (4, 2)]
    module, x, lengths = Parallel(branches), torch.randn(2, 5, 3), torch.tensor([5, 2])
    assert (module.input_size, module.output_size) == (3, 6)
    output = module(x, lengths=lengths)
    torch.testing.assert_close(output[..., :4], branches[0](x, lengths=lengths)[0])
    torch.testing.assert_close(output[..., 4:], branches[1](x, lengths=lengths)[0])
    assert output[1, 2:].abs().sum().item() == 0


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((3,), "branches must be two at least; got 1"),
        ((3, 4), "branches must read the same features; they read 3, 4"),
    ],
)
def test_what_cannot_stand_side_by_side(sizes: tuple[int, ...], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        Parallel(build_network(Recurrent(hidden_size=4), size) for size in sizes)
