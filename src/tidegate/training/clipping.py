"""Limits on gradients."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

__all__ = ["clip_gradients"]


def clip_gradients(parameters: Sequence[nn.Parameter], *, value: float | None, norm: float | None) -> None:
    """Limit each gradient element to ±``value``, then the global Euclidean norm to ``norm`` (Pascanu et al., 2013)."""
    if value is not None:
        nn.utils.clip_grad_value_(parameters, value)
    if norm is not None:
        nn.utils.clip_grad_norm_(parameters, norm)
