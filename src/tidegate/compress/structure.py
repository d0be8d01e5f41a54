"""The way of the data through the parts of a network: which numbers belong to which units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from tidegate.compress.units import Features, Group, Span, kept, kept_sizes, read, width, without
from tidegate.errors import UnsupportedError
from tidegate.nn.build import RecurrentStack
from tidegate.nn.convolution import Convolution
from tidegate.nn.dilated_stack import DilatedStack
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.nn.network import PartStack
from tidegate.nn.norm import BatchNorm
from tidegate.nn.parallel import Parallel

__all__ = ["Structure"]

#: The tensors of a recurrent layer that have a row a unit, in so many blocks (``None``: one for each gate); whether
#: they tell how much a unit matters.
_ROWS: tuple[tuple[str, int | None, bool], ...] = (
    ("weight_ih", None, True),
    ("weight_hh", None, True),
    ("bias_ih", None, False),
    ("bias_hh", None, False),
    ("weight_peephole", 3, True),
    ("weight_norm_ih", None, False),
    ("weight_norm_hh", None, False),
    ("weight_norm_c", 1, False),
    ("bias_norm_c", 1, False),
)


class Structure:
    """The groups of units of a model, found by going through its modules.

    Parameters
    ----------
    share
        Of the units of each layer that goes.

    Attributes
    ----------
    groups
        Those found so far.
    factors
        By what a tensor is multiplied when its units are fewer, by its name.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.groups: list[Group] = []
        self.factors: dict[str, float] = {}

    def pruned(self, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Give the tensors of the model without the weakest units of each group."""
        left = without(arrays, self.groups)
        return left | {name: left[name] * np.asarray(factor, left[name].dtype) for name, factor in self.factors.items()}

    def group(self, units: int, keep: int | None = None) -> Group:
        """Begin a group; without ``keep``, the share of its units goes."""
        made = Group(units, kept(units, self.share) if keep is None else keep)
        self.groups.append(made)
        return made

    def network(self, module: nn.Module, name: str, features: Features | None = None) -> Features:
        """Go through what `build_network` gives, or a part of it.

        Parameters
        ----------
        module, name
            The module, and the name under which its tensors stand.
        features
            What it reads; ``None`` for features that all stay.

        Returns
        -------
        Features
            What it gives.

        Raises
        ------
        UnsupportedError
            If a part cannot do with fewer units in the part before it.
        """
        if features is None:
            features = (Span(int(module.input_size)),)  # type: ignore[arg-type]
        if isinstance(module, PartStack):
            for index, part in enumerate(module.parts):
                features = self.network(part, f"{name}.parts.{index}", features)
            return features
        if isinstance(module, Parallel):
            branches = enumerate(module.branches)
            return tuple(
                span
                for index, branch in branches
                for span in self.network(branch, f"{name}.branches.{index}", features)
            )
        if isinstance(module, RecurrentStack):
            return self.stack(module, name, features)[0]
        if isinstance(module, DilatedStack):
            return self._dilated(module, name, features)
        if isinstance(module, Convolution):
            return self._convolution(module, name, features)
        if any(span.group is not None for span in features):
            raise UnsupportedError(
                f"units cannot be pruned before {type(module).__name__}, which adds to the features that it reads and "
                "shares them among its heads; train a network of recurrent layers and convolutions instead, or a "
                "smaller one"
            )
        return features

    def stack(
        self, module: RecurrentStack, name: str, features: Features, shared: Sequence[Group] | None = None
    ) -> tuple[Features, list[Group]]:
        """Go through recurrent layers.

        Parameters
        ----------
        module, name, features
            As of `network`.
        shared
            The groups of another stack of the same sizes, whose units these are too; ``None`` for groups of its own.

        Returns
        -------
        features, groups
            What it gives; the group of each layer and direction.
        """
        layers: list[Any] = list(module.layers)
        sizes = [layer.hidden_size for layer in layers for _ in range(layer.num_layers)]
        counts = iter(kept_sizes(sizes, self.share))
        given = iter(shared) if shared is not None else None
        found: list[Group] = []
        for index, layer in enumerate(layers):
            if index and len(module.norms):
                self._norm(module.norms[index - 1], f"{name}.norms.{index - 1}", features)
            for depth in range(layer.num_layers):
                keep = next(counts)
                groups = self._groups(layer, keep, given)
                features = self._layer(layer, f"{name}.layers.{index}", depth, features, groups)
                found += groups
        return features, found

    def _groups(self, layer: LSTM | GRU, keep: int, given: Iterator[Group] | None) -> list[Group]:
        directions = range(2 if layer.bidirectional else 1)
        return [next(given) if given is not None else self.group(layer.hidden_size, keep) for _ in directions]

    @staticmethod
    def _layer(layer: LSTM | GRU, name: str, depth: int, features: Features, groups: Sequence[Group]) -> Features:
        """Note the tensors of one layer; each direction has a group."""
        gates = 4 if isinstance(layer, LSTM) else 3
        for group, direction in zip(groups, ("", "_reverse"), strict=False):
            suffix = f"_l{depth}{direction}"
            for kind, blocks, weighs in _ROWS:
                if hasattr(layer, kind + suffix):
                    group.use(f"{name}.{kind}{suffix}", 0, blocks=blocks or gates, weighs=weighs)
            group.use(f"{name}.weight_hh{suffix}", 1)
            read(features, f"{name}.weight_ih{suffix}")
        return tuple(Span(layer.hidden_size, group) for group in groups)

    def _dilated(self, module: DilatedStack, name: str, features: Features) -> Features:
        """Go through dilated layers; where outputs are added to what was read, all layers have one group."""
        shared: Group | None = None
        for index, dilated in enumerate(module.layers):
            layer: Any = dilated.layer
            group = self.group(layer.hidden_size) if shared is None else shared
            shared = group if module.residual else None
            features = self._layer(layer, f"{name}.layers.{index}.layer", 0, features, [group])
        return features

    def _convolution(self, module: Convolution, name: str, features: Features) -> Features:
        """Go through a convolution, whose units are its channels."""
        group = self.group(module.output_size)
        group.use(f"{name}.convolution.weight", 0)
        read(features, f"{name}.convolution.weight")
        if module.norm is None:
            group.use(f"{name}.convolution.bias", 0, weighs=False)
        made = (Span(module.output_size, group),)
        if module.norm is not None:
            self._norm(module.norm, f"{name}.norm", made)
        return made

    @staticmethod
    def _norm(module: nn.Module, name: str, features: Features) -> None:
        kinds: tuple[str, ...] = ("weight", "bias")
        if isinstance(module, BatchNorm):
            name, kinds = f"{name}.norm", (*kinds, "running_mean", "running_var")
        for kind in kinds:
            read(features, f"{name}.{kind}", 0, weighs=False)

    def narrowed(self, units: int, features: Features) -> Group:
        """Begin a group of units that a module has as many of as of the features that it reads."""
        return self.group(units, width(features, pruned=True))
