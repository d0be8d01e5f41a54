"""The gated recurrent unit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from tidegate.errors import ShapeError
from tidegate.kernels import ops
from tidegate.nn.options import LayerOptions, LayerShape
from tidegate.nn.recurrent import RecurrentLayer

__all__ = ["GRU"]


class GRU(RecurrentLayer):
    """GRU layers (Cho et al., 2014): `torch.nn.GRU`, and what it lacks.

    Arguments, defaults, ``state_dict``, results and meaning are torch's; the keyword-only options below are new.
    On a CPU it runs on compiled kernels where they are installed, on torch's own or a slow reference elsewhere;
    `tidegate.kernels.explain` tells which and why.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        As in `torch.nn.GRU`.
    activation, recurrent_activation
        Of the candidate, and of the gates: ``"tanh"``, ``"sigmoid"``, ``"hard_sigmoid"`` (Keras 3's,
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
    layer_norm
        Normalise the two products of every step (Ba et al., 2016).
    input_dropout, recurrent_dropout
        Probabilities for masks on input and hidden state, one a sequence, layer and direction, the same at all steps
        (Gal & Ghahramani, 2016).
    zoneout_hidden
        Probability with which a unit keeps its old value for a step (Krueger et al., 2017); the expectation in
        ``eval()``.
    reset_after
        Let the reset gate apply after the recurrent product, as in torch and cuDNN, or before it (Cho et al., 2014).
    init
        ``"torch"``, ``"keras"``, ``"xavier"``, ``"he"`` or ``"orthogonal"``: see `tidegate.nn.init`.

    Raises
    ------
    SpecError
        If an option has no such value, or options cannot go together.

    Examples
    --------
    >>> layer = GRU(3, 5, batch_first=True, return_sequences=False, return_state=False, reset_after=False)
    >>> layer(torch.randn(2, 7, 3)).shape
    torch.Size([2, 5])
    """

    _cell = ops.GRU

    def __init__(  # noqa: PLR0913 - torch's arguments and Keras', every one by name
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
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
        layer_norm: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout_hidden: float = 0.0,
        reset_after: bool = True,
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
        )
        options = LayerOptions(
            activation=activation,
            recurrent_activation=recurrent_activation,
            return_sequences=return_sequences,
            return_state=return_state,
            stateful=stateful,
            go_backwards=go_backwards,
            merge_mode=merge_mode,
            layer_norm=layer_norm,
            input_dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            zoneout_hidden=zoneout_hidden,
            reset_after=reset_after,
            init=init,
        )
        super().__init__(shape, options, device=device, dtype=dtype)

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch's own name
        hx: Tensor | None = None,
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
            h_0, ``[layers · directions, batch, unit]`` (without ``batch`` for one sequence); zeros if None.
        lengths
            Valid steps of each row, whole numbers ``[batch]``, 0 to ``time``. Past them the output is 0 and the
            state stays.

        Returns
        -------
        ``output, h_n``, or ``output`` alone without ``return_state``.

        Raises
        ------
        ShapeError
            If shapes, dtypes or lengths do not fit.
        StateError
            If a stateful layer holds the state of another batch size.
        """
        if hx is not None and not isinstance(hx, Tensor):
            raise ShapeError(f"expected hx as one tensor, h_0; got {type(hx).__name__}")
        output, states = self._run(input, None if hx is None else (hx,), lengths)
        return (output, states[0]) if self.options.return_state else output

    def _cell_name(self) -> str:
        return "gru"

    def _state_names(self) -> tuple[str, ...]:
        return ("state_h",)

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def _parameter_shapes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        gates, units = 3 * self.hidden_size, self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, input_size), "weight_hh": (gates, units)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.options.layer_norm:
            shapes |= {"weight_norm_ih": (gates,), "weight_norm_hh": (gates,)}
        return shapes
