"""The networks of a forecaster as one module: members, their median, and its calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from tidegate.data import Batch
from tidegate.forecast.channels import apart
from tidegate.forecast.network import Design, ForecastNetwork
from tidegate.nn.calibration import Calibration
from tidegate.nn.scaling import WindowScale
from tidegate.training import Outcome
from tidegate.training.losses import Loss, reduce_loss

__all__ = ["Answers", "EnsembleObjective", "ForecastEnsemble", "median"]

#: From a batch of windows to forecasts of them, ``[answer, batch, horizon, target]`` in the units of the data.
Answers: TypeAlias = Callable[[Batch[Tensor]], Tensor]


class ForecastEnsemble(nn.Module):
    """One or several networks on the same windows; the forecast is their median.

    Members that differ in their context read the end of the windows, which are as long as the longest needs. They
    are trained together: windows are cut once, and one optimiser step serves all.

    Parameters
    ----------
    designs
        One a member.
    calibration
        Corrects quantiles; ``None`` leaves them as the heads give them. Its units are the scaled units of the first
        member.

    Notes
    -----
    Quantiles are combined as quantiles are: the median over members of each (Vincent, 1912), then sorted.
    """

    def __init__(self, designs: Iterable[Design], calibration: Calibration | None = None) -> None:
        super().__init__()
        self.members = nn.ModuleList(ForecastNetwork(design) for design in designs)
        self.calibration = calibration

    @property
    def networks(self) -> list[ForecastNetwork]:
        """The members, typed."""
        return [member for member in self.members if isinstance(member, ForecastNetwork)]

    @property
    def needs_calibration(self) -> bool:
        """Whether the heads have no spread of their own."""
        return any(network.meaning.needs_calibration for network in self.networks)

    def forward(self, batch: Batch[Tensor]) -> Tensor:
        """Give the point forecast, ``[batch, horizon, target]`` in the units of the data."""
        return median([network(batch) for network in self.networks])

    def quantiles(
        self, batch: Batch[Tensor], probabilities: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Give quantiles that do not cross, ``[batch, horizon, target, q]``, in the units of the data.

        Parameters
        ----------
        batch
            Windows to forecast from.
        probabilities
            ``[q]``, ascending.
        generator
            Of the paths that recursive networks draw.
        """
        found = self.uncalibrated(batch, probabilities, generator)
        if self.calibration is None:
            return found
        scale = self.scale(batch)
        centre = scale.encode_all(self(batch))
        corrected = self.calibration(centre, scale.encode_all(found), probabilities)
        return scale.decode(corrected)

    def uncalibrated(self, batch: Batch[Tensor], probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
        """Give the quantiles as the heads see them; shaped as `quantiles`."""
        found = median([network.quantiles(batch, probabilities, generator) for network in self.networks])
        return found.sort(dim=-1).values

    def scale(self, batch: Batch[Tensor]) -> WindowScale:
        """Measure the windows as the first member does, each target by itself."""
        assert batch.observed is not None
        first = self.networks[0]
        context = first.design.context
        scale: WindowScale = first.scaling(batch.values[:, -context:], batch.observed[:, -context:])
        return scale


class EnsembleObjective:
    """The mean of the members' losses on a batch of windows; missing targets do not count.

    Parameters
    ----------
    teacher
        Forecasts to learn from in training, as if they had come; ``None`` for the truth alone.
    share
        How much the loss at these, their mean, counts; the loss at the truth counts for the rest.
    """

    def __init__(self, teacher: Answers | None = None, share: float = 0.0) -> None:
        self.teacher, self.share = teacher, share

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Compare forecasts with targets in the scaled units of each window."""
        if not isinstance(module, ForecastEnsemble):
            raise TypeError(f"expected a ForecastEnsemble, got {type(module).__name__}")
        answers = self.teacher(batch) if self.teacher is not None and module.training else None
        losses: list[Tensor] = []
        weight: float | Tensor = 0.0
        for network in module.networks:
            raw, target, observed, scale = network.compare(batch)
            each = batch.weight
            if each is not None and network.design.independent:
                each = each.repeat(network.design.targets, *[1] * (each.ndim - 1))
            measured = _measured(network, scale.scale, batch.unit)
            loss, weight = reduce_loss(measured, raw, target, observed, each)
            if answers is not None:
                taught = _encoded(answers.to(target.device), network, scale, target)
                expected, _ = reduce_loss(_mean_over(taught, measured), raw, target, observed, each)
                loss = (1 - self.share) * loss + self.share * expected
            losses.append(loss)
        return Outcome(torch.stack(losses).mean(), weight)


def _encoded(answers: Tensor, network: ForecastNetwork, scale: WindowScale, truth: Tensor) -> Tensor:
    """Bring a teacher's answers to where the loss compares, ``[answer, batch, horizon, target]``.

    What a student's transform cannot take, such as a forecast below 0 its logarithm, gives way to the truth.
    """
    if network.design.independent:
        answers = torch.stack([apart(answer) for answer in answers])
    scaled = torch.stack([scale.encode_all(answer) for answer in answers])
    return torch.where(scaled.isfinite(), scaled, truth)


def _mean_over(answers: Tensor, measured: Loss) -> Loss:
    """Give a loss that is taken at each of some answers, whatever the target."""
    return lambda output, _: measured(output, answers).mean(0)


def _measured(network: ForecastNetwork, scale: Tensor, unit: Tensor | None) -> Loss:
    """Give the loss of a network's head, one number an element.

    ``scale`` [batch, 1, target] is that of the windows, ``unit`` [batch, target] that of their series.
    """
    unscaled = network.design.uncertainty.unscaled
    counts: Tensor | None = None
    if unit is not None:
        unit = apart(unit.unsqueeze(1)) if network.design.independent else unit.unsqueeze(1)
        counts = torch.where(unit > 0, scale / unit, 1.0)  # a series that never changes goes by its windows
    elif unscaled:
        counts = 1 + unscaled * scale
        counts = counts / counts.mean()

    def loss(output: Tensor, target: Tensor) -> Tensor:
        elements = network.meaning.loss(output, target, scale)
        return elements if counts is None else elements * counts

    return loss


def median(parts: list[Tensor]) -> Tensor:
    """Give the median over members, of an even number the mean of the middle two."""
    if len(parts) == 1:
        return parts[0]
    ordered = torch.stack(parts).sort(dim=0).values
    middle = len(parts) // 2
    return ordered[middle] if len(parts) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
