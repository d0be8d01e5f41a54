"""What an estimator of whole series is asked for, checked."""

from __future__ import annotations

import dataclasses
from typing import Any

from tidegate.classify.network import Design
from tidegate.errors import SpecError
from tidegate.nn.channel_scaling import CHANNEL_SCALINGS
from tidegate.specs import Training, checks
from tidegate.specs.augmentation import Augmentation
from tidegate.specs.parts import Network, network_parts
from tidegate.specs.pooling import POOLINGS

__all__ = ["Recipe"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The arguments that `SequenceClassifier` and `SequenceRegressor` have in common.

    Raises
    ------
    SpecError
        If one cannot be, by name.
    """

    network: Network
    pooling: str
    dropout: float
    scaling: str | None
    augmentation: Augmentation | None
    training: Training
    members: int
    seed: int

    def __post_init__(self) -> None:
        network_parts(self.network)
        checks.one_of("pooling", self.pooling, POOLINGS)
        checks.probability("dropout", self.dropout)
        checks.one_of("scaling", self.scaling, CHANNEL_SCALINGS)
        if self.augmentation is not None and not isinstance(self.augmentation, Augmentation):
            raise SpecError(f"augmentation must be an Augmentation(…) or None; got {self.augmentation!r}")
        if not isinstance(self.training, Training):
            raise SpecError(f"training must be a Training(…); got {self.training!r}")
        if not self.training.sampling.uniform:
            raise SpecError("training.sampling chooses among the windows of a table; whole series have none")
        checks.whole("members", self.members)
        checks.whole("seed", self.seed, least=0)

    @classmethod
    def of(cls, estimator: Any) -> Recipe:
        """Take them from an estimator, which stores them under these names. Raises `SpecError`."""
        return cls(**{field.name: getattr(estimator, field.name) for field in dataclasses.fields(cls)})

    def design(self, *, channels: int, outputs: int, missing: bool) -> Design:
        """Say what to build for series of so many channels."""
        return Design(
            network=self.network,
            pooling=self.pooling,
            dropout=self.dropout,
            scaling=self.scaling,
            augmentation=self.augmentation,
            channels=channels,
            outputs=outputs,
            missing=missing,
        )
