"""An estimator that is small enough to see through."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from tidegate.estimator import Estimator, registry
from tidegate.specs import checks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    power: float = 1.0
    sizes: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        checks.at_least("power", self.power, 0)


class Mean(Estimator):
    """Learns a mean."""

    kind: ClassVar[str] = "test-mean"
    specs: ClassVar[Mapping[str, type]] = {"shape": Shape}

    def __init__(self, *, shape: Shape = Shape(), most: int | None = None, seed: int = 0, device: str = "auto") -> None:
        checks.whole("seed", seed, least=0)
        self.shape = shape
        self.most = most
        self.seed = seed
        self.device = device

    def fit(self, values: Any) -> Self:
        self.mean_ = np.asarray(np.mean(values) ** self.shape.power)
        self.best_ = float("nan")
        return self

    def predict(self, steps: int) -> list[float]:
        self._require_fitted("predict")
        return [float(self.mean_)] * steps

    def _is_fitted(self) -> bool:
        return hasattr(self, "mean_")

    def _learned(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        return {"best": self.best_, "curve": [1.0, float("inf")]}, {"mean": self.mean_}

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.best_ = learned["best"]
        self.mean_ = arrays["mean"]


@pytest.fixture
def mean() -> Mean:
    """Give an unfitted estimator."""
    return Mean()


@pytest.fixture
def known_kinds(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Estimator]]:
    """Give a registry of this test's own, empty."""
    own: dict[str, type[Estimator]] = {}
    monkeypatch.setattr(registry, "_KINDS", own)
    return own
