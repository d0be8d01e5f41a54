"""Dilated layers one above the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from torch import Tensor, nn

from tidegate import specs
from tidegate.errors import ShapeError, SpecError
from tidegate.nn.dilated import Dilated, SkipState
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.specs import checks

__all__ = ["DilatedStack", "build_dilated"]


class DilatedStack(nn.Module):
    """Dilated layers one above the other, with or without the sum past each of them.

    `build_dilated` makes one from a `tidegate.Dilated`; the constructor takes layers of one's own.

    Parameters
    ----------
    layers
        `nn.Dilated`, each as wide at its input as the one below at its output.
    residual
        Add to the output of every layer but the first what it has read (He et al., 2016; between recurrent layers
        Kim et al., 2017, and Smyl, 2020).
    dropout
        Probability of zeroing an element of what a layer reads from the one below; what is added stays whole.

    Raises
    ------
    SpecError
        If there is no layer, or the widths do not fit.
    """

    bidirectional = False
    streams = True

    def __init__(self, layers: Iterable[Dilated], *, residual: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        checks.flag("residual", residual)
        checks.probability("dropout", dropout)
        layers = list(layers)
        if not layers:
            raise SpecError("a stack needs at least one layer")
        widths = [(layer.input_size, layer.output_size) for layer in layers]
        for index, (below, (read, given)) in enumerate(itertools.pairwise(widths), start=1):
            if below[1] != read:
                raise SpecError(f"layer {index} of a stack reads {read} features, the one below gives {below[1]}")
            if residual and read != given:
                raise SpecError(
                    f"layer {index} reads {read} features and gives {given}: their sum needs as many; "
                    "make the layers equally wide, or residual=False"
                )
        self.input_size = layers[0].input_size
        self.output_size = layers[-1].output_size
        self.residual = residual
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, state: tuple[SkipState, ...] | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, tuple[SkipState, ...]]:
        """Run the layers.

        Parameters
        ----------
        x
            [batch, time, feature].
        state
            What an earlier call returned, to go on where it ended; ``None`` starts from zeros.
        lengths
            As in `Dilated.forward`.

        Returns
        -------
        output : Tensor
            [batch, time, unit].
        state : tuple
            Of every layer. To be handed back; its tensors have the batch on their second axis.

        Raises
        ------
        ShapeError
            If shapes, dtypes or lengths do not fit, or ``state`` comes from another stack.
        """
        if state is not None and len(state) != len(self.layers):
            raise ShapeError(f"expected a state of {len(self.layers)} layers, as forward returns it; got {len(state)}")
        states = []
        for index, layer in enumerate(self.layers):
            read = self.dropout(x) if index else x
            output, after = layer(read, None if state is None else state[index], lengths=lengths)
            x = x + output if index and self.residual else output
            states.append(after)
        return x, tuple(states)


def build_dilated(spec: specs.Dilated, input_size: int) -> DilatedStack:
    """Build what ``spec`` describes.

    Raises
    ------
    SpecError
        If ``input_size`` is not a whole number of at least 1.

    Examples
    --------
    >>> import torch
    >>> stack = build_dilated(specs.Dilated(cell="gru", hidden_size=8, dilations=(1, 24)), input_size=3)
    >>> output, state = stack(torch.randn(2, 48, 3))
    >>> output.shape
    torch.Size([2, 48, 8])
    """
    checks.whole("input_size", input_size)
    cell = GRU if spec.cell == "gru" else LSTM
    inputs = (input_size, *(spec.hidden_size for _ in spec.dilations[1:]))
    layers = [
        Dilated(cell(below, spec.hidden_size), dilation) for below, dilation in zip(inputs, spec.dilations, strict=True)
    ]
    return DilatedStack(layers, residual=spec.residual, dropout=spec.dropout)
