"""What a cell computes: the options that an operator takes beside its tensors."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from tidegate.specs import checks

__all__ = ["GRU_OPTIONS", "LSTM_OPTIONS", "Activation", "CellOptions"]


class Activation(enum.IntEnum):
    """The activations of a cell; the numbers are those in the operators' schemas and never change."""

    TANH = 0
    SIGMOID = 1
    HARD_SIGMOID = 2  # clip(x / 6 + 1 / 2, 0, 1), as in Keras 3
    RELU = 3
    SOFTSIGN = 4
    LINEAR = 5

    @classmethod
    def named(cls, option: str, name: str) -> Activation:
        """Give the activation called ``name``; a refusal names ``option``. Raises `SpecError`.

        >>> Activation.named("activation", "relu")
        <Activation.RELU: 3>
        """
        checks.one_of(option, name, tuple(member.name.lower() for member in cls))
        return cls[name.upper()]


LSTM_OPTIONS = (
    "activation",
    "recurrent_activation",
    "zoneout_hidden",
    "zoneout_cell",
    "batch_first",
    "reverse",
    "return_sequences",
)
GRU_OPTIONS = (
    "activation",
    "recurrent_activation",
    "zoneout_hidden",
    "reset_after",
    "batch_first",
    "reverse",
    "return_sequences",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellOptions:
    """What one direction of one layer computes, as far as its tensors do not say it.

    Peepholes, layer normalisation, the projection and the dropout masks are switched on by the tensors that carry
    them, and zoneout draws where a seed is given; without a seed it takes the expectation.

    Parameters
    ----------
    activation, recurrent_activation
        φ, of candidate and output, and σ, of the gates.
    zoneout_hidden, zoneout_cell
        Probabilities of keeping a unit's old value (Krueger et al., 2017). The cell's belongs to the LSTM.
    reset_after
        GRU: the reset gate applies after the recurrent product (torch, cuDNN) or before it (Cho et al., 2014).
    batch_first
        Input and output are ``[batch, time, feature]`` rather than ``[time, batch, feature]``.
    reverse
        Walk from the last valid step to the first.
    return_sequences
        Give the output of every step; otherwise the output is an empty tensor, and only the final state is given.
    """

    activation: Activation = Activation.TANH
    recurrent_activation: Activation = Activation.SIGMOID
    zoneout_hidden: float = 0.0
    zoneout_cell: float = 0.0
    reset_after: bool = True
    batch_first: bool = False
    reverse: bool = False
    return_sequences: bool = True

    def arguments(self, names: Sequence[str]) -> tuple[Any, ...]:
        """Give the options called ``names`` (`LSTM_OPTIONS` or `GRU_OPTIONS`) in the order of a schema."""
        return tuple(getattr(self, name) for name in names)

    @classmethod
    def from_arguments(cls, names: Sequence[str], values: Sequence[Any]) -> CellOptions:
        """Undo `arguments`.

        >>> options = CellOptions(activation=Activation.RELU, reverse=True)
        >>> CellOptions.from_arguments(GRU_OPTIONS, options.arguments(GRU_OPTIONS)) == options
        True
        """
        named = dict(zip(names, values, strict=True))
        activation, gates = Activation(named.pop("activation")), Activation(named.pop("recurrent_activation"))
        return cls(activation=activation, recurrent_activation=gates, **named)
