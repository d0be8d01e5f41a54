"""What may stand beside recurrent layers in a network, and how parts make a network."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeAlias

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.specs.base import from_tagged
from tidegate.specs.recurrent import ACTIVATIONS, Recurrent

__all__ = [
    "PARTS",
    "Convolution",
    "Dilated",
    "Network",
    "Parallel",
    "Part",
    "SelfAttention",
    "branch_parts",
    "flat_parts",
    "network_parts",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convolution:
    """Convolutions over time, one above the other, each followed by its norm and its activation.

    Parameters
    ----------
    channels
        Features of every layer's output.
    kernel_size
        Steps that an output sees: its own and those before it, or about it.
    layers
        How many layers.
    dilation
        Distance between the steps that an output sees, the same in every layer.
    activation
        One of `ACTIVATIONS`.
    causal
        See the step itself and those before it only; otherwise as many after it as before it.
    norm
        Normalise before the activation: ``None`` or ``"batch"`` (statistics over batch and time).
    """

    kind: ClassVar[str] = "convolution"

    channels: int = 32
    kernel_size: int = 3
    layers: int = 1
    dilation: int = 1
    activation: str = "relu"
    causal: bool = True
    norm: str | None = None

    def __post_init__(self) -> None:
        for name in ("channels", "kernel_size", "layers", "dilation"):
            checks.whole(name, getattr(self, name))
        checks.one_of("activation", self.activation, ACTIVATIONS)
        checks.flag("causal", self.causal)
        checks.one_of("norm", self.norm, (None, "batch"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dilated:
    """Recurrent layers that skip: in each, a step goes on from the one ``dilation`` steps before (Chang et al., 2017).

    Parameters
    ----------
    cell
        ``"lstm"`` or ``"gru"``.
    hidden_size
        Units of every layer.
    dilations
        The distance of each layer, from the input upwards; 1 is a plain layer.
    residual
        Add to the output of every layer but the first what it has read.
    dropout
        Probability of zeroing an element of what a layer reads from the one below, a new mask for every element; what
        ``residual`` adds is left whole.
    """

    kind: ClassVar[str] = "dilated"

    cell: str = "lstm"
    hidden_size: int = 64
    dilations: tuple[int, ...] = (1, 2, 4)
    residual: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        checks.one_of("cell", self.cell, ("lstm", "gru"))
        checks.whole("hidden_size", self.hidden_size)
        if not isinstance(self.dilations, tuple) or not self.dilations:
            raise SpecError(f"dilations must be one whole number a layer, such as (1, 2, 4); got {self.dilations!r}")
        for dilation in self.dilations:
            checks.whole("each of dilations", dilation)
        checks.flag("residual", self.residual)
        checks.probability("dropout", self.dropout)

    @property
    def output_size(self) -> int:
        """Features of the output."""
        return self.hidden_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfAttention:
    """Encoder blocks of a Transformer, the norm before each branch (Vaswani et al., 2017; Xiong et al., 2020).

    A block has no notion of place: what it reads has to tell steps apart, as the output of a recurrent part does.

    Parameters
    ----------
    heads
        Attentions side by side; they share the features evenly, so that their number must divide that of the features
        of the part before.
    layers
        How many blocks.
    feed_forward
        Units between the two linear layers that follow the attention; ``None`` is four times the features.
    dropout
        Probability of dropping a weight of the attention, a unit of the feed-forward part, and an element of what
        either branch adds.
    causal
        Let a step attend to itself and those before it only; otherwise to all.
    """

    kind: ClassVar[str] = "self_attention"

    heads: int = 4
    layers: int = 1
    feed_forward: int | None = None
    dropout: float = 0.1
    causal: bool = True

    def __post_init__(self) -> None:
        checks.whole("heads", self.heads)
        checks.whole("layers", self.layers)
        if self.feed_forward is not None:
            checks.whole("feed_forward", self.feed_forward)
        checks.probability("dropout", self.dropout)
        checks.flag("causal", self.causal)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parallel:
    """Branches that read the same steps; their outputs are put side by side, feature by feature.

    An LSTM beside a stack of convolutions is LSTM-FCN (Karim et al., 2018).

    Parameters
    ----------
    branches
        Two at least; each a part, or a tuple of parts in the order in which data flows through them.
    """

    kind: ClassVar[str] = "parallel"

    branches: tuple[Part | tuple[Part, ...], ...]

    def __post_init__(self) -> None:
        if not isinstance(self.branches, tuple) or len(self.branches) < 2:
            raise SpecError(f"branches must be two at least, each a part or a tuple of parts; got {self.branches!r}")
        object.__setattr__(self, "branches", tuple(map(_branch, self.branches)))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all branches."""
        return tuple(part for branch in self.branches for part in branch_parts(branch))


Part: TypeAlias = Recurrent | Convolution | Dilated | SelfAttention | Parallel
Network: TypeAlias = Recurrent | Dilated | Parallel | tuple[Part, ...]

#: Every class of part; `from_tagged` takes it as it is.
PARTS: tuple[type[Part], ...] = (Recurrent, Convolution, Dilated, SelfAttention, Parallel)


def network_parts(network: Network) -> tuple[Part, ...]:
    """Give the parts of a network in the order in which data flows through them, one of them recurrent at least.

    Raises
    ------
    SpecError
        If there is none, or something else than a part.

    Examples
    --------
    >>> network_parts(Dilated(hidden_size=8, dilations=(1,)))
    (Dilated(cell='lstm', hidden_size=8, dilations=(1,), residual=True, dropout=0.0),)
    """
    parts = network if isinstance(network, tuple) else (network,)
    for part in parts:
        if not isinstance(part, PARTS):
            names = ", ".join(kind.__name__ for kind in PARTS)
            raise SpecError(f"a network is a Recurrent, a Dilated, or a tuple of parts ({names}); got {part!r}")
    if not any(isinstance(part, Recurrent | Dilated) for part in flat_parts(parts)):
        came = ", ".join(type(part).__name__ for part in parts) or "no part at all"
        raise SpecError(f"a network needs a recurrent part, a Recurrent or a Dilated; got {came}")
    return parts


def branch_parts(branch: Part | tuple[Part, ...]) -> tuple[Part, ...]:
    """Give the parts of one branch of a `Parallel`."""
    return branch if isinstance(branch, tuple) else (branch,)


def flat_parts(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Give the parts, and in the place of each `Parallel` those of its branches.

    >>> len(flat_parts((Parallel(branches=(Dilated(), (Convolution(), Dilated()))), SelfAttention())))
    4
    """
    return tuple(
        inner for part in parts for inner in (flat_parts(part.parts) if isinstance(part, Parallel) else (part,))
    )


def _branch(given: Any) -> Part | tuple[Part, ...]:
    """Check a branch; what JSON describes is built."""
    if isinstance(given, tuple):
        parts = tuple(map(_part, given))
        if not parts:
            raise SpecError("a branch must have one part at least; got ()")
        return parts
    return _part(given)


def _part(given: Any) -> Part:
    part: Any = from_tagged(given, PARTS) if isinstance(given, dict) else given
    if not isinstance(part, PARTS):
        names = ", ".join(kind.__name__ for kind in PARTS)
        raise SpecError(f"a branch is a part ({names}) or a tuple of them; got {part!r}")
    return part
