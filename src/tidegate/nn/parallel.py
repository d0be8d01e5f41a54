"""Branches that read the same steps, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError

__all__ = ["Parallel"]


class Parallel(nn.Module):
    """Branches on the same input, their outputs put side by side, feature by feature.

    `build_network` makes one from `tidegate.Parallel`; the constructor takes branches of one's own. The recurrent
    states of the branches are not given back.

    Parameters
    ----------
    branches
        `nn.PartStack` or another module of its interface; all read as many features.

    Attributes
    ----------
    input_size, output_size
        Features of input and output.

    Raises
    ------
    SpecError
        If there are fewer than two branches, or they read differently many features.

    Examples
    --------
    >>> from tidegate.nn import build_network
    >>> from tidegate.specs import Recurrent
    >>> branches = [build_network(Recurrent(hidden_size=size), 3) for size in (8, 2)]
    >>> Parallel(branches)(torch.randn(2, 7, 3)).shape
    torch.Size([2, 7, 10])
    """

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        parts: list[Any] = list(branches)
        if len(parts) < 2:
            raise SpecError(f"branches must be two at least; got {len(parts)}")
        sizes = [int(branch.input_size) for branch in parts]
        if len(set(sizes)) > 1:
            raise SpecError(f"branches must read the same features; they read {', '.join(map(str, sizes))}")
        self.input_size = sizes[0]
        self.output_size = sum(int(branch.output_size) for branch in parts)
        self.branches = nn.ModuleList(parts)

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Run the branches.

        Parameters
        ----------
        x
            [batch, time, feature].
        lengths
            Whole numbers [batch]: how many steps of each sequence count. Later steps reach nothing, and are 0 in the
            output.

        Returns
        -------
        Tensor
            [batch, time, output_size].

        Raises
        ------
        ShapeError
            If shapes, dtypes or lengths do not fit.
        """
        return torch.cat([branch(x, lengths=lengths)[0] for branch in self.branches], dim=-1)
