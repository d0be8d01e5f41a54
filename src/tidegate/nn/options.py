"""The options of ``nn.LSTM`` and ``nn.GRU``, and the refusal of those that cannot go together."""

from __future__ import annotations

import dataclasses
import numbers
import warnings

from tidegate.errors import SpecError
from tidegate.kernels.options import Activation, CellOptions
from tidegate.specs import checks

__all__ = ["MERGE_MODES", "LayerOptions", "LayerShape"]

MERGE_MODES = ("concat", "sum", "mul", "ave")
INITS = ("torch", "keras", "xavier", "he", "orthogonal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerShape:
    """The arguments that torch's own layers take too; the meaning is theirs."""

    input_size: int
    hidden_size: int
    proj_size: int = 0
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False

    def __post_init__(self) -> None:
        for name in ("input_size", "hidden_size", "num_layers"):
            checks.whole(name, getattr(self, name))
        checks.whole("proj_size", self.proj_size, least=0)
        for name in ("bias", "batch_first", "bidirectional"):
            _flag(name, getattr(self, name))
        if self.proj_size >= self.hidden_size:
            raise SpecError(
                f"proj_size must be less than hidden_size, which is {self.hidden_size}; got {self.proj_size}"
            )
        dropout = self.dropout
        if not isinstance(dropout, numbers.Real) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise SpecError(f"dropout must be a probability, 0 ≤ dropout ≤ 1; got {dropout!r}")
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                f"dropout lies between layers, but there is one layer only; got dropout={dropout} and num_layers=1. "
                "input_dropout and recurrent_dropout work within a layer",
                stacklevel=4,
            )

    @property
    def directions(self) -> int:
        """1, or 2 where the layer is bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Features of one direction's output: ``proj_size``, or ``hidden_size`` without a projection."""
        return self.proj_size or self.hidden_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """The options that torch's own layers lack, as `nn.LSTM` and `nn.GRU` describe them."""

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    return_sequences: bool = True
    return_state: bool = True
    stateful: bool = False
    go_backwards: bool = False
    merge_mode: str = "concat"
    peephole: bool = False
    layer_norm: bool = False
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout_hidden: float = 0.0
    zoneout_cell: float = 0.0
    reset_after: bool = True
    unit_forget_bias: bool | None = None
    init: str = "torch"

    def __post_init__(self) -> None:
        for name in ("activation", "recurrent_activation"):
            Activation.named(name, getattr(self, name))
        for name in ("input_dropout", "recurrent_dropout", "zoneout_hidden", "zoneout_cell"):
            checks.probability(name, getattr(self, name))
        flags = (
            "return_sequences",
            "return_state",
            "stateful",
            "go_backwards",
            "peephole",
            "layer_norm",
            "reset_after",
        )
        for name in flags:
            _flag(name, getattr(self, name))
        if self.unit_forget_bias is not None:
            _flag("unit_forget_bias", self.unit_forget_bias)
        checks.one_of("merge_mode", self.merge_mode, MERGE_MODES)
        checks.one_of("init", self.init, INITS)
        if self.layer_norm and not self.reset_after:
            raise SpecError(
                "layer_norm cannot go together with reset_after=False, which never forms the product to normalise; "
                "drop one of them"
            )

    def check(self, shape: LayerShape) -> None:
        """Refuse what cannot go together with the shape of the layer. Raises `SpecError`."""
        if shape.bidirectional:
            if self.go_backwards:
                raise SpecError(
                    "go_backwards cannot go together with bidirectional, which walks backwards anyway; drop one of them"
                )
            if self.stateful:
                raise SpecError(
                    "stateful cannot go together with bidirectional: the backward direction would have to start "
                    "from a future that has not been seen; drop one of them"
                )
        elif self.merge_mode != "concat":
            raise SpecError(
                f"merge_mode={self.merge_mode!r} merges two directions; set bidirectional=True or leave it out"
            )
        if self.unit_forget_bias and not shape.bias:
            raise SpecError("unit_forget_bias needs a bias; set bias=True or drop unit_forget_bias")

    def opens_forget_gate(self, shape: LayerShape) -> bool:
        """Say whether the forget gate's bias starts at 1: where asked for, and with Keras' initialisation."""
        return shape.bias and (self.init == "keras" if self.unit_forget_bias is None else self.unit_forget_bias)

    def beyond_torch(self, shape: LayerShape, *, training: bool) -> tuple[str, ...]:
        """Name the options at work that torch's own kernels lack."""
        at_work = {
            f"activation={self.activation!r}": self.activation != "tanh",
            f"recurrent_activation={self.recurrent_activation!r}": self.recurrent_activation != "sigmoid",
            "peephole": self.peephole,
            "layer_norm": self.layer_norm,
            "reset_after=False": not self.reset_after,
            "zoneout_hidden": self.zoneout_hidden > 0,  # at inference too: the expectation
            "zoneout_cell": self.zoneout_cell > 0,
            "recurrent_dropout": training and self.recurrent_dropout > 0,
            # One mask a direction; in one direction it can be applied beforehand.
            "input_dropout in two directions": training and self.input_dropout > 0 and shape.bidirectional,
        }
        return tuple(name for name, active in at_work.items() if active)

    def cell(self, *, batch_first: bool, reverse: bool, return_sequences: bool) -> CellOptions:
        """Give the options of one direction of one layer as the operators take them."""
        return CellOptions(
            activation=Activation.named("activation", self.activation),
            recurrent_activation=Activation.named("recurrent_activation", self.recurrent_activation),
            zoneout_hidden=float(self.zoneout_hidden),
            zoneout_cell=float(self.zoneout_cell),
            reset_after=self.reset_after,
            batch_first=batch_first,
            reverse=reverse,
            return_sequences=return_sequences,
        )


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SpecError(f"{name} must be True or False; got {value!r}")
