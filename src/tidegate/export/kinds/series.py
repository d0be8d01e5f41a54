"""Classifiers and regressors of whole series as one graph: scaling, networks, the mean of the members, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.classify import SequenceClassifier, SequenceRegressor
from tidegate.errors import SpecError
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.ports import Port
from tidegate.export.program import for_inference
from tidegate.specs.base import plain

__all__ = ["exportable"]

_TIMES = (1, 7, 33)


def exportable(model: SequenceClassifier | SequenceRegressor, levels: Sequence[float] | None = None) -> Exportable:
    """Make a classifier or a regressor of series ready for export. Raises `SpecError` for ``levels``."""
    if levels:
        raise SpecError("levels are intervals of forecasts; a model of whole series has none: leave them out")
    design = model.fitted_.design
    members = for_inference(model.fitted_.networks)
    module: nn.Module
    if isinstance(model, SequenceClassifier):
        module = _Probabilities(members, model.temperature_)
        meaning = "of each class, in the order of the file's list of classes: [batch, class]"
        output = Port(name="probabilities", meaning=meaning)
        said: dict[str, Any] = {"classes": list(model.labels_.names)}
    else:
        module = _Number(members, loc=model.loc_, scale=model.scale_)
        output = Port(name="number", meaning="in the units of training: [batch]")
        said = {}

    def reference(given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return (module(given["values"], given["lengths"]),)

    meaning = "the series, in the units of the data, NaN where missing; what stands past a length is not read"
    return Exportable(
        kind=model.kind,
        module=module,
        positional=2,
        inputs=(
            Port(name="values", axes=("batch", "time", design.channels), meaning=meaning),
            Port(name="lengths", axes=("batch",), meaning="steps of each series, at least 1"),
        ),
        outputs=(output,),
        reference=reference,
        sample=lambda generator, batch, time: _sample(generator, batch, time, channels=design.channels),
        times=_TIMES,
        metadata={
            "params": {name: plain(value) for name, value in model.get_params(deep=False).items()},
            "channels": design.channels,
            **said,
        },
    )


class _Probabilities(nn.Module):
    """The mean probability over members, made as sure as it is right."""

    def __init__(self, members: nn.Module, temperature: float) -> None:
        super().__init__()
        self.members = members
        self._temperature = temperature

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Give ``[batch, class]``."""
        logits = _answers(self.members, values, lengths)
        logs = torch.log_softmax(logits, dim=2).exp().mean(0).log()
        return torch.softmax(logs / self._temperature, dim=1)


class _Number(nn.Module):
    """The mean of the members, in the units of training."""

    def __init__(self, members: nn.Module, *, loc: float, scale: float) -> None:
        super().__init__()
        self.members = members
        self._loc, self._scale = loc, scale

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Give ``[batch]``."""
        return _answers(self.members, values, lengths).mean(0).squeeze(1) * self._scale + self._loc


def _answers(members: Any, values: Tensor, lengths: Tensor) -> Tensor:
    """Give each member's outputs, ``[member, batch, output]`` of float64."""
    return torch.stack([member(values, lengths=lengths) for member in members]).double()


def _sample(generator: np.random.Generator, batch: int, time: int, *, channels: int) -> Arrays:
    values = generator.normal(size=(batch, time, channels))
    lengths = np.full(batch, time)
    lengths[1::2] = generator.integers(1, time + 1, size=len(lengths[1::2]))
    return {"values": values, "lengths": lengths}
