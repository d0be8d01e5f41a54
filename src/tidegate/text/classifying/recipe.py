"""What a classifier of texts is asked for, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

from tidegate.data.labels import Label
from tidegate.errors import SpecError
from tidegate.specs import Training, checks
from tidegate.specs.parts import Network, network_parts
from tidegate.specs.pooling import POOLINGS
from tidegate.specs.text import Embedding, Wide
from tidegate.specs.tokens import Tokens
from tidegate.text.classifying.network import TextDesign

__all__ = ["ClassWeight", "Recipe"]

ClassWeight: TypeAlias = str | Mapping[Label, float] | None

_MOST_MEMBERS = 1_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The arguments of a `tidegate.TextClassifier`, but its device.

    Raises
    ------
    SpecError
        If one cannot be, by name.
    """

    tokens: Tokens
    embedding: Embedding
    network: Network
    pooling: str
    wide: Wide | None
    dropout: float
    class_weight: ClassWeight
    calibration: float
    training: Training
    members: int
    seed: int

    def __post_init__(self) -> None:
        for name, kind in (("tokens", Tokens), ("embedding", Embedding), ("training", Training)):
            if not isinstance(getattr(self, name), kind):
                raise SpecError(f"{name} must be a {kind.__name__}(…); got {getattr(self, name)!r}")
        if self.wide is not None and not isinstance(self.wide, Wide):
            raise SpecError(f"wide must be a Wide(…) or None; got {self.wide!r}")
        network_parts(self.network)
        checks.one_of("pooling", self.pooling, POOLINGS)
        checks.probability("dropout", self.dropout)
        checks.probability("calibration", self.calibration)
        if not self.training.sampling.uniform:
            raise SpecError("training.sampling chooses among the windows of a table; texts have none")
        checks.whole("members", self.members)
        if self.members > _MOST_MEMBERS:
            raise SpecError(
                f"members must be at most {_MOST_MEMBERS:,}; got a number of {len(str(self.members))} digits"
            )
        checks.whole("seed", self.seed, least=0)
        _check_class_weight(self.class_weight)

    def design(self, *, codes: int, size: int, outputs: int) -> TextDesign:
        """Say what to build for so many codes of tokens."""
        return TextDesign(
            codes=codes,
            size=size,
            frozen=self.embedding.frozen,
            token_dropout=self.embedding.dropout,
            network=self.network,
            pooling=self.pooling,
            dropout=self.dropout,
            outputs=outputs,
        )


def _check_class_weight(given: ClassWeight) -> None:
    if not isinstance(given, Mapping):
        checks.one_of("class_weight", given, (None, "balanced"))
        return
    for name, weight in given.items():
        checks.at_least(f"class_weight of {name!r}", weight, 0)
