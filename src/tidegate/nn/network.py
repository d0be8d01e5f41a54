"""From the description of a network, of one part or several, to one module."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from torch import Tensor, nn

from tidegate import specs
from tidegate.errors import ShapeError, SpecError, UnsupportedError
from tidegate.nn.build import RecurrentStack, build_stack
from tidegate.nn.convolution import Convolution
from tidegate.nn.dilated_stack import DilatedStack, build_dilated
from tidegate.nn.parallel import Parallel
from tidegate.nn.self_attention import SelfAttention
from tidegate.specs import checks
from tidegate.specs.parts import branch_parts, network_parts

__all__ = ["Network", "PartStack", "build_network"]

#: What a network is stacked of.
Module: TypeAlias = RecurrentStack | DilatedStack | Convolution | SelfAttention | Parallel


class PartStack(nn.Module):
    """Parts of several kinds one above the other.

    `build_network` makes one from a tuple of specs; the constructor takes parts of one's own.

    Parameters
    ----------
    parts
        `nn.RecurrentStack`, `nn.DilatedStack`, `nn.Convolution`, `nn.SelfAttention` and `nn.Parallel`, each as wide at
        its input as the one below at its output.

    Attributes
    ----------
    input_size, output_size
        Features of input and output.
    bidirectional
        Whether the last recurrent part reads from both ends, and no `nn.Parallel` mixes its directions with others.
    streams
        Whether steps one after the other, each with the state that the one before returned, give what one call gives:
        so it is if all parts are recurrent and read forwards.

    Raises
    ------
    SpecError
        If there is no part, or the widths do not fit.

    Examples
    --------
    >>> import torch
    >>> network = PartStack([Convolution(3, 8), build_stack(specs.Recurrent(hidden_size=16), 8)])
    >>> output, state = network(torch.randn(2, 7, 3))
    >>> output.shape
    torch.Size([2, 7, 16])
    """

    def __init__(self, parts: Iterable[Module]) -> None:
        super().__init__()
        parts = list(parts)
        recurrent = [part for part in parts if isinstance(part, RecurrentStack | DilatedStack)]
        directed = [part for part in parts if isinstance(part, RecurrentStack | DilatedStack | Parallel)]
        if not parts:
            raise SpecError("a stack of parts needs one part at least; got none")
        for index, (below, part) in enumerate(itertools.pairwise(parts), start=1):
            if below.output_size != part.input_size:
                raise SpecError(
                    f"part {index} ({type(part).__name__}) reads {part.input_size} features, "
                    f"the one below ({type(below).__name__}) gives {below.output_size}"
                )
        self.input_size = parts[0].input_size
        self.output_size = parts[-1].output_size
        self.bidirectional = bool(directed) and getattr(directed[-1], "bidirectional", False)
        self.streams = len(recurrent) == len(parts) and all(part.streams for part in recurrent)
        self.parts = nn.ModuleList(parts)

    def forward(
        self, x: Tensor, state: tuple[Any, ...] | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Run the parts.

        Parameters
        ----------
        x
            [batch, time, feature].
        state
            What an earlier call returned, to go on where it ended; ``None`` starts from zeros.
        lengths
            Whole numbers [batch], 0 to ``time``: how many steps of each sequence count. Later steps reach nothing,
            and are 0 in the output.

        Returns
        -------
        output : Tensor
            [batch, time, output_size].
        state : tuple
            Of every recurrent part; the others have none.

        Raises
        ------
        ShapeError
            If shapes, dtypes or lengths do not fit, or ``state`` comes from another network.
        UnsupportedError
            If there is a ``state``, but a part reads steps before the first that no state holds.
        """
        recurrent = [isinstance(part, RecurrentStack | DilatedStack) for part in self.parts]
        if state is not None:
            self._check_state(state, recurrent)
        before = iter(state or (None,) * len(recurrent))
        states = []
        for part, has_state in zip(self.parts, recurrent, strict=True):
            if has_state:
                x, after = part(x, next(before), lengths=lengths)
                states.append(after)
            else:
                x = part(x, lengths=lengths)
        return x, tuple(states)

    def _check_state(self, state: tuple[Any, ...], recurrent: list[bool]) -> None:
        if not all(recurrent):
            index = recurrent.index(False)
            raise UnsupportedError(
                f"part {index} ({type(self.parts[index]).__name__}) reads earlier steps, which a state does not hold: "
                "hand in the whole sequence at once, or build the network of recurrent parts only"
            )
        if len(state) != len(recurrent):
            raise ShapeError(
                f"expected a state of {len(recurrent)} recurrent parts, as forward returns it; got {len(state)}"
            )


#: What `build_network` gives: modules of one interface, that of `PartStack`.
Network: TypeAlias = RecurrentStack | DilatedStack | PartStack


def build_network(network: specs.parts.Network, input_size: int) -> Network:
    """Build a network of one part or several.

    A single part is a module as it is alone, so that its ``state_dict`` has the same names, whether or not it stands
    in a tuple.

    Parameters
    ----------
    network
        A `tidegate.Recurrent` or a `tidegate.Dilated`; or a tuple of parts, these or a `tidegate.Convolution`, a
        `tidegate.SelfAttention` or a `tidegate.Parallel`, in the order in which the data flows through them.
    input_size
        Features of its input.

    Returns
    -------
    RecurrentStack, DilatedStack or PartStack
        All of them have ``forward(x, state=None, *, lengths=None) -> (output, state)`` and the attributes
        ``input_size``, ``output_size``, ``bidirectional`` and ``streams``.

    Raises
    ------
    SpecError
        If there is no recurrent part, something else than a part, or a number of heads that does not divide the
        features before it; or ``input_size`` is not a whole number of at least 1.

    Examples
    --------
    >>> import torch
    >>> from tidegate.specs import Convolution, Recurrent, SelfAttention
    >>> parts = (Convolution(channels=8), Recurrent(hidden_size=16), SelfAttention(heads=4))
    >>> network = build_network(parts, input_size=3)
    >>> output, state = network(torch.randn(2, 7, 3))
    >>> output.shape, network.streams
    (torch.Size([2, 7, 16]), False)
    """
    checks.whole("input_size", input_size)
    modules = _stacked(network_parts(network), input_size)
    only = modules[0]
    if len(modules) == 1 and isinstance(only, RecurrentStack | DilatedStack):
        return only
    return PartStack(modules)


def _stacked(parts: tuple[specs.parts.Part, ...], input_size: int) -> list[Module]:
    modules: list[Module] = []
    for part in parts:
        for module in _modules(part, input_size):
            modules.append(module)
            input_size = module.output_size
    return modules


def _modules(part: specs.parts.Part, input_size: int) -> Iterator[Module]:
    if isinstance(part, specs.Recurrent):
        yield build_stack(part, input_size)
    elif isinstance(part, specs.Dilated):
        yield build_dilated(part, input_size)
    elif isinstance(part, specs.Convolution):
        for size in (input_size, *(part.channels for _ in range(part.layers - 1))):
            yield Convolution(
                size,
                part.channels,
                part.kernel_size,
                dilation=part.dilation,
                activation=part.activation,
                causal=part.causal,
                norm=part.norm,
            )
    elif isinstance(part, specs.Parallel):
        yield Parallel(PartStack(_stacked(branch_parts(branch), input_size)) for branch in part.branches)
    else:
        for _ in range(part.layers):
            yield SelfAttention(
                input_size, part.heads, feed_forward=part.feed_forward, dropout=part.dropout, causal=part.causal
            )
