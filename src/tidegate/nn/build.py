"""From the description of a recurrent network to its layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from torch import Tensor, nn

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.nn.norm import BatchNorm, LayerNorm
from tidegate.specs import Recurrent, checks

__all__ = ["RecurrentStack", "State", "build_stack"]

State: TypeAlias = tuple[Any, ...]  # one entry a layer: (h, c) of an LSTM, h of a GRU


class RecurrentStack(nn.Module):
    """Recurrent layers one above the other, with normalisation and dropout between them.

    `build_stack` makes one from a `Recurrent`; the constructor takes layers of one's own.

    Parameters
    ----------
    layers
        `nn.LSTM` or `nn.GRU`, batch-first, returning sequences and states; each as wide at its input as the one
        below at its output. A layer may itself have several layers.
    norms
        Between each layer and the next a `LayerNorm` or a `BatchNorm`; none at all if empty.
    dropout
        Probability of zeroing an element between two of these layers, after the norm.

    Attributes
    ----------
    input_size, output_size
        Features of input and output.
    bidirectional
        Whether the last layer reads from both ends.
    streams
        Whether steps one after the other, each with the state that the one before returned, give what one call gives.

    Raises
    ------
    SpecError
        If there is no layer, a layer returns anything else than a batch of sequences and its state, or there is
        another number of norms than there are places for them.
    """

    def __init__(
        self,
        layers: Iterable[LSTM | GRU],
        norms: Iterable[BatchNorm | LayerNorm] = (),
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        checks.probability("dropout", dropout)
        layers, norms = list(layers), list(norms)
        if not layers:
            raise SpecError("a stack needs at least one layer")
        for index, layer in enumerate(layers):
            wanted = {
                "batch_first": layer.batch_first,
                "return_sequences": layer.options.return_sequences,
                "return_state": layer.options.return_state,
            }
            if missing := [name for name, given in wanted.items() if not given]:
                raise SpecError(f"layer {index} of a stack needs {'=True and '.join(missing)}=True")
        if len(norms) not in (0, len(layers) - 1):
            raise SpecError(
                f"norms stand between layers: {len(layers)} layers take {len(layers) - 1} of them or none; "
                f"got {len(norms)}"
            )
        self.input_size = layers[0].input_size
        self.output_size = _output_size(layers[-1])
        self.bidirectional = layers[-1].bidirectional
        self.streams = not any(layer.bidirectional or layer.options.go_backwards for layer in layers)
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(norms)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, state: State | None = None, *, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Run the layers.

        Parameters
        ----------
        x
            [batch, time, feature].
        state
            What an earlier call returned, to go on where it ended; ``None`` starts from zeros.
        lengths
            Whole numbers [batch]: how many steps of each sequence count. Later steps change no state, enter no
            statistic, and are 0 in the output.

        Returns
        -------
        output : Tensor
            [batch, time, hidden], or [batch, time, 2 · hidden] if bidirectional: the last layer's.
        state : tuple
            Of every layer, after the last step of each sequence. To be handed back, not to be looked into.

        Raises
        ------
        ShapeError
            If ``x`` is not of that shape, or ``state`` comes from another stack.
        """
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            raise ShapeError(f"expected [batch, time, {self.input_size}]; got {list(x.shape)}")
        if state is not None and len(state) != len(self.layers):
            raise ShapeError(f"expected a state of {len(self.layers)} layers, as forward returns it; got {len(state)}")
        states = []
        for index, layer in enumerate(self.layers):
            if index:
                x = self.dropout(self._normalised(index - 1, x, lengths))
            x, after = layer(x, None if state is None else state[index], lengths=lengths)
            states.append(after)
        return x, tuple(states)

    def _normalised(self, index: int, x: Tensor, lengths: Tensor | None) -> Tensor:
        if not len(self.norms):
            return x
        norm = self.norms[index]
        normalised: Tensor = norm(x, lengths=lengths) if isinstance(norm, BatchNorm) else norm(x)
        return normalised


def build_stack(spec: Recurrent, input_size: int) -> RecurrentStack:
    """Build what ``spec`` describes.

    Layers of one size without a norm between them become one multi-layer module, which leaves the kernels the most
    to work with; otherwise each layer is a module of its own.

    Parameters
    ----------
    spec
        The network.
    input_size
        Features of its input.

    Raises
    ------
    SpecError
        If ``input_size`` is not a whole number of at least 1.

    Examples
    --------
    >>> import torch
    >>> from tidegate.specs import Recurrent
    >>> stack = build_stack(Recurrent(cell="gru", hidden_size=(8, 4), norm="layer"), input_size=3)
    >>> output, state = stack(torch.randn(2, 5, 3))
    >>> output.shape
    torch.Size([2, 5, 4])
    >>> further, state = stack(torch.randn(2, 1, 3), state)  # one step more
    """
    checks.whole("input_size", input_size)
    if spec.norm is None and len(set(spec.sizes)) == 1:
        return RecurrentStack([_layer(spec, input_size, spec.sizes[0], num_layers=len(spec.sizes))])
    directions = 2 if spec.bidirectional else 1
    inputs = (input_size, *(size * directions for size in spec.sizes[:-1]))
    layers = [_layer(spec, below, size) for below, size in zip(inputs, spec.sizes, strict=True)]
    return RecurrentStack(layers, [_norm(spec, size) for size in inputs[1:] if spec.norm], dropout=spec.dropout)


def _output_size(layer: LSTM | GRU) -> int:
    side_by_side = layer.bidirectional and layer.options.merge_mode == "concat"
    return (layer.proj_size or layer.hidden_size) * (2 if side_by_side else 1)


def _layer(spec: Recurrent, input_size: int, hidden_size: int, *, num_layers: int = 1) -> LSTM | GRU:
    options: dict[str, Any] = {
        "batch_first": True,
        "bidirectional": spec.bidirectional,
        "dropout": spec.dropout if num_layers > 1 else 0.0,  # it lies between layers; elsewhere a layer warns of it
        "activation": spec.activation,
        "input_dropout": spec.input_dropout,
        "recurrent_dropout": spec.recurrent_dropout,
        "layer_norm": spec.layer_norm,
        "init": spec.init,
    }
    if spec.cell == "gru":
        return GRU(input_size, hidden_size, num_layers, **options)
    return LSTM(input_size, hidden_size, num_layers, peephole=spec.peephole, **options)


def _norm(spec: Recurrent, size: int) -> BatchNorm | LayerNorm:
    return BatchNorm(size) if spec.norm == "batch" else LayerNorm(size)
