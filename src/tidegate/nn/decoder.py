"""Roll-out: feeding a model its own output, one interface for every task that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["roll_out"]

S = TypeVar("S")


def roll_out(
    step: Callable[[Tensor, S], tuple[Tensor, S]],
    feed: Callable[[Tensor, int], tuple[Tensor, Tensor | None]],
    first: Tensor,
    state: S,
    *,
    steps: int,
) -> Tensor:
    """Run ``step`` on its own output.

    Parameters
    ----------
    step
        ``(input [batch, 1, feature], state) -> (output [batch, 1, out], state)``: the recurrent model.
    feed
        ``(output, k) -> (result, next input)``: what step ``k`` (from 0) contributes to the result, and what the
        model reads next; the next input may be ``None`` after the last step.
    first
        The output [batch, 1, out] that the model gave after it had read the context.
    state
        The model's state at that moment.
    steps
        How many results to make, at least 1.

    Returns
    -------
    Tensor
        The results, [batch, steps, out].
    """
    output, results = first, []
    for k in range(steps):
        result, following = feed(output, k)
        results.append(result)
        if k + 1 < steps:
            if following is None:
                raise ValueError(f"feed gave no input for step {k + 1} of {steps}")
            output, state = step(following, state)
    return torch.cat(results, dim=1)
