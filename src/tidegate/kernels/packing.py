"""Weights packed once for many calls of inference.

The compiled kernels lay the weights of a layer into panels at the start of every call. That is little beside a batch
of sequences, but a third of a call with a single short one. Packing once is an explicit step with an end, never a
cache: an edit of a weight inside the block is not seen.

Layers whose attribute ``int8`` is True are packed as int8: a weight is a whole number in [-127, 127] times a scale of
its gate's unit, the greatest weight of its row / 127, so that weights which are such multiples already stay what they
are. Input and hidden state are quantised in the same way at every step, row by row (a row of a single feature loses
nothing). Sums are int32 and the same on every processor; what follows, biases, norms, gates and states, is float32.
A row that holds NaN or infinity gives NaN. `dispatch.INT8_UNITS` says which layers are too small to gain.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tidegate.kernels import dispatch

if TYPE_CHECKING:
    from tidegate.kernels.ops import Cell

__all__ = ["Packable", "pack", "packed", "packed_context", "packed_weights", "run_packed"]

_ACTIVE: contextvars.ContextVar[Mapping[Any, Sequence[Tensor]] | None] = contextvars.ContextVar("packed", default=None)


@runtime_checkable
class Packable(Protocol):
    """A layer whose weights can be packed."""

    def pack(self) -> Sequence[Tensor] | None:
        """Give the packed weights of each layer's directions; None where the compiled kernels do not run it."""
        ...


class HasModules(Protocol):
    """A ``torch.nn.Module``."""

    def modules(self) -> Iterable[Any]:
        """Give the module itself and all those in it."""
        ...


@contextlib.contextmanager
def packed(module: HasModules) -> Iterator[None]:
    """Pack the weights of all recurrent layers of ``module`` for the calls of inference in a block.

    Inside the block, layers in ``eval()`` mode that are called without gradients (``torch.inference_mode()`` or
    ``torch.no_grad()``) run on the weights as they were at its start. Calls of another kind, layers of other devices
    and with a projection, and calls from other threads run as ever. Without the compiled kernels the block does
    nothing: layers that ask for int8 then run on their weights as they are.

    Parameters
    ----------
    module
        A layer or a network that holds some.

    Examples
    --------
    >>> from tidegate import nn
    >>> layer, x = nn.LSTM(1, 50, batch_first=True).eval(), torch.zeros(1, 20, 1)
    >>> with packed(layer), torch.inference_mode():
    ...     outputs = [layer(x)[0] for _ in range(3)]
    """
    token = _ACTIVE.set({**(_ACTIVE.get() or {}), **_packed_layers(module)})
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def packed_context(module: HasModules) -> contextvars.Context:
    """Pack as `packed` does, for calls that are made by ``run`` of the context that is given back.

    It serves an object that lives on, and is asked again and again from places that know nothing of each other. The
    weights are let go with the context.

    Parameters
    ----------
    module
        A layer or a network that holds some.

    Examples
    --------
    >>> from tidegate import nn
    >>> layer, x = nn.LSTM(1, 50, batch_first=True).eval(), torch.zeros(1, 20, 1)
    >>> context = packed_context(layer)
    >>> with torch.inference_mode():
    ...     output, _ = context.run(layer, x)
    """
    context = contextvars.copy_context()
    context.run(_ACTIVE.set, _packed_layers(module))
    return context


def _packed_layers(module: HasModules) -> dict[Any, Sequence[Tensor]]:
    return {layer: weights for layer in module.modules() if isinstance(layer, Packable) and (weights := layer.pack())}


def packed_weights(layer: Any) -> Sequence[Tensor] | None:
    """Give the packed weights that a call of ``layer`` may use now; None where there are none."""
    if torch.compiler.is_compiling():  # asked first: a context variable would break the graph
        return None
    active = _ACTIVE.get()
    if active is None or layer.training or torch.is_grad_enabled() or dispatch.forced_implementation() is not None:
        return None
    # Under autocast the products want another dtype than the packed weights have.
    return None if torch.is_autocast_enabled("cpu") else active.get(layer)


def pack(cell: Cell, weights: Sequence[Tensor | None], scalars: Sequence[Any], *, int8: bool = False) -> Tensor:
    """Pack the weights of one direction of one layer: uint8, opaque, for this process and its instruction set.

    Parameters
    ----------
    cell
        `ops.LSTM` or `ops.GRU`.
    weights
        The operator's tensors from ``weight_ih`` on, without masks and seed.
    scalars
        The operator's scalars but for the last three.
    int8
        Pack the weights as int8; whatever the dtype, the rest is then computed in float32.
    """
    from tidegate.kernels import ops  # loads the compiled library, which `import tidegate.kernels` alone shall not

    weight = weights[0]
    assert weight is not None
    like = weight.new_empty(0, 0, weight.shape[1])
    operator = torch.ops.tidegate.pack_lstm if cell is ops.LSTM else torch.ops.tidegate.pack_gru
    with torch.no_grad():
        none: tuple[None, ...] = (None,) * cell.states
        result: Tensor = operator(like, None, *none, *weights, None, None, None, *scalars, False, False, True, int8)
    return result


def run_packed(
    packed: Tensor,
    values: Tensor,
    lengths: Tensor | None,
    states: Sequence[Tensor | None],
    flags: tuple[bool, bool, bool],
) -> tuple[Tensor, ...]:
    """Run packed weights.

    Parameters
    ----------
    packed
        As `pack` gives them.
    values, lengths, states
        As the operators take them: the states are h_0 and, for an LSTM, c_0.
    flags
        The operators' last three scalars: batch_first, reverse and return_sequences.

    Returns
    -------
    The output and the final states, as the operators give them.
    """
    h_0, c_0 = (*states, None)[:2]
    results = torch.ops.tidegate.run_packed.default(packed, values, lengths, h_0, c_0, *flags)
    return results[: 1 + len(states)]  # type: ignore[no-any-return]
