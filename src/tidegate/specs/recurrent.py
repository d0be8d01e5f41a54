"""The description of a stack of recurrent layers."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["ACTIVATIONS", "INITS", "Recurrent"]

ACTIVATIONS = ("tanh", "sigmoid", "hard_sigmoid", "relu", "softsign", "linear")
INITS = ("torch", "keras", "xavier", "he", "orthogonal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recurrent:
    """A stack of LSTM or GRU layers.

    Parameters
    ----------
    cell
        ``"lstm"`` or ``"gru"``.
    hidden_size
        Units of every layer, or one number a layer (``(64, 32)``).
    num_layers
        How many layers; with several hidden sizes it must agree with them or stay 1.
    bidirectional
        Read each sequence from both ends; the outputs of the two directions are concatenated.
    activation
        Of candidate and output, one of `ACTIVATIONS`.
    dropout
        Probability of zeroing an output element between layers, a new mask for every element.
    input_dropout, recurrent_dropout
        Probabilities of Gal & Ghahramani's (2016) masks: one mask a sequence, the same at every step.
    peephole
        LSTM only: gates see the cell state (Gers & Schmidhuber, 2000).
    layer_norm
        Normalise inside the cell (Ba et al., 2016).
    norm
        Normalise between layers: ``None``, ``"layer"`` or ``"batch"`` (statistics over batch and time).
    init
        One of `INITS`.
    """

    kind: ClassVar[str] = "recurrent"

    cell: str = "lstm"
    hidden_size: int | tuple[int, ...] = 64
    num_layers: int = 1
    bidirectional: bool = False
    activation: str = "tanh"
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    peephole: bool = False
    layer_norm: bool = False
    norm: str | None = None
    init: str = "torch"

    def __post_init__(self) -> None:
        checks.one_of("cell", self.cell, ("lstm", "gru"))
        checks.one_of("activation", self.activation, ACTIVATIONS)
        checks.one_of("init", self.init, INITS)
        checks.one_of("norm", self.norm, (None, "layer", "batch"))
        for name in ("bidirectional", "peephole", "layer_norm"):
            checks.flag(name, getattr(self, name))
        for name in ("dropout", "input_dropout", "recurrent_dropout"):
            checks.probability(name, getattr(self, name))
        checks.whole("num_layers", self.num_layers)
        if isinstance(self.hidden_size, tuple):
            if not self.hidden_size:
                raise SpecError("hidden_size must be a whole number or at least one of them; got ()")
            if self.num_layers not in (1, len(self.hidden_size)):
                raise SpecError(
                    f"num_layers is {self.num_layers}, but hidden_size gives {len(self.hidden_size)} layers: "
                    f"{self.hidden_size}; leave num_layers out"
                )
        for size in self.hidden_size if isinstance(self.hidden_size, tuple) else (self.hidden_size,):
            checks.whole("hidden_size", size)
        if self.peephole and self.cell == "gru":
            raise SpecError("peephole belongs to the LSTM, which has a cell state to look at; cell is 'gru'")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, from the input upwards."""
        return self.hidden_size if isinstance(self.hidden_size, tuple) else (self.hidden_size,) * self.num_layers

    @property
    def output_size(self) -> int:
        """Features of the stack's output."""
        return self.sizes[-1] * (2 if self.bidirectional else 1)
