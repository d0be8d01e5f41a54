"""The long short-term memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from tidegate.errors import ShapeError
from tidegate.kernels import ops
from tidegate.nn.options import LayerOptions, LayerShape
from tidegate.nn.recurrent import RecurrentLayer

__all__ = ["LSTM"]


class LSTM(RecurrentLayer):
    """LSTM layers (Hochreiter & Schmidhuber, 1997; Gers et al., 2000): `torch.nn.LSTM`, and what it lacks.

    Arguments, defaults, ``state_dict``, results and meaning are torch's; the keyword-only options below are new.
    On a CPU it runs on compiled kernels where they are installed, on torch's own or a slow reference elsewhere;
    `tidegate.kernels.explain` tells which and why.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        As in `torch.nn.LSTM`.
    activation, recurrent_activation
        Of candidate and output, and of the gates: ``"tanh"``, ``"sigmoid"``, ``"hard_sigmoid"`` (Keras 3's,
        clip(x/6 + 1/2, 0, 1)), ``"relu"``, ``"softsign"`` or ``"linear"``.
    return_sequences
        Give the output of every step; otherwise the final one, ``[batch, merged]``: forwards at the last valid step,
        backwards at the first.
    return_state
        Give the final state beside the output.
    stateful
        Start each call from the state in which the last one ended, detached, until `reset_states`. A state given as
        ``hx`` wins and goes on. Another batch size is refused.
    go_backwards
        Turn the valid part of the input round; the output is in the order in which it was computed, as in Keras.
    merge_mode
        How the outputs of two directions meet: ``"concat"``, ``"sum"``, ``"mul"`` or ``"ave"``, in every layer.
    peephole
        Let the gates see the cell state (Gers & Schmidhuber, 2000).
    layer_norm
        Normalise the two products of every step and the cell that the output sees (Ba et al., 2016).
    input_dropout, recurrent_dropout
        Probabilities for masks on input and hidden state, one a sequence, layer and direction, the same at all steps
        (Gal & Ghahramani, 2016).
    zoneout_hidden, zoneout_cell
        Probabilities with which a unit keeps its old value for a step (Krueger et al., 2017); the expectation in
        ``eval()``.
    unit_forget_bias
        Start the forget gate's bias at 1; by default with ``init="keras"`` only.
    init
        ``"torch"``, ``"keras"``, ``"xavier"``, ``"he"`` or ``"orthogonal"``: see `tidegate.nn.init`.

    Raises
    ------
    SpecError
        If an option has no such value, or options cannot go together.

    Examples
    --------
    >>> layer = LSTM(3, 5, batch_first=True, peephole=True, recurrent_dropout=0.2)
    >>> output, (h_n, c_n) = layer(torch.randn(2, 7, 3), lengths=torch.tensor([7, 4]))
    >>> output.shape, h_n.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    >>> bool((output[1, 4:] == 0).all())
    True
    """

    _cell = ops.LSTM

    def __init__(  # noqa: PLR0913 - torch's arguments and Keras', every one by name
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        return_sequences: bool = True,
        return_state: bool = True,
        stateful: bool = False,
        go_backwards: bool = False,
        merge_mode: str = "concat",
        peephole: bool = False,
        layer_norm: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout_hidden: float = 0.0,
        zoneout_cell: float = 0.0,
        unit_forget_bias: bool | None = None,
        init: str = "torch",
    ) -> None:
        shape = LayerShape(
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            proj_size=proj_size,
        )
        options = LayerOptions(
            activation=activation,
            recurrent_activation=recurrent_activation,
            return_sequences=return_sequences,
            return_state=return_state,
            stateful=stateful,
            go_backwards=go_backwards,
            merge_mode=merge_mode,
            peephole=peephole,
            layer_norm=layer_norm,
            input_dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            zoneout_hidden=zoneout_hidden,
            zoneout_cell=zoneout_cell,
            unit_forget_bias=unit_forget_bias,
            init=init,
        )
        super().__init__(shape, options, device=device, dtype=dtype)

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch's own name
        hx: tuple[Tensor, Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
    ) -> Any:
        """Run the layers.

        Parameters
        ----------
        input
            ``[time, batch, feature]``, or ``[batch, time, feature]`` with ``batch_first``; ``[time, feature]`` of one
            sequence; or a ``PackedSequence``, which is answered in kind.
        hx
            h_0 and c_0, ``[layers · directions, batch, unit]`` (without ``batch`` for one sequence); zeros if None.
        lengths
            Valid steps of each row, whole numbers ``[batch]``, 0 to ``time``. Past them the output is 0 and the
            state stays.

        Returns
        -------
        ``output, (h_n, c_n)``, or ``output`` alone without ``return_state``.

        Raises
        ------
        ShapeError
            If shapes, dtypes or lengths do not fit.
        StateError
            If a stateful layer holds the state of another batch size.
        """
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise ShapeError(f"expected hx as two tensors, (h_0, c_0); got {type(hx).__name__}")
        output, states = self._run(input, None if hx is None else tuple(hx), lengths)
        return (output, states) if self.options.return_state else output

    def _cell_name(self) -> str:
        return "lstm"

    def _state_names(self) -> tuple[str, ...]:
        return ("state_h", "state_c")

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def _parameter_shapes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        units, outputs = self._state_sizes()[1], self._state_sizes()[0]
        gates = 4 * units
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, input_size), "weight_hh": (gates, outputs)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (outputs, units)
        if self.options.peephole:
            shapes["weight_peephole"] = (3 * units,)
        if self.options.layer_norm:
            shapes |= {"weight_norm_ih": (gates,), "weight_norm_hh": (gates,), "weight_norm_c": (units,)}
            if self.bias:
                shapes["bias_norm_c"] = (units,)
        return shapes
