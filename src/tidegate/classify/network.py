"""A network that says one thing of a whole series, in the units of the data at its input."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from tidegate import specs
from tidegate.data.batches import Batch
from tidegate.nn import PooledNetwork, Pooling, build_network
from tidegate.nn.augmentation import Augmentation
from tidegate.nn.channel_scaling import ChannelScaling
from tidegate.specs.parts import Network
from tidegate.training.losses import align, reduce_loss, resolve_loss
from tidegate.training.objective import Outcome

__all__ = ["Design", "SeriesNetwork", "SeriesObjective"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """What a `SeriesNetwork` is built from.

    Parameters
    ----------
    network, pooling, dropout, scaling, augmentation
        As the estimators take them.
    channels
        Of the series.
    outputs
        Numbers for each series.
    missing
        Whether there were missing values in training: then a channel beside each says where a value is there.
    """

    network: Network
    pooling: str
    dropout: float
    scaling: str | None
    augmentation: specs.Augmentation | None
    channels: int
    outputs: int
    missing: bool


class SeriesNetwork(nn.Module):
    """Scaling, random changes in training, missing values filled, then parts, pooling and a linear map.

    Parameters
    ----------
    design
        The description.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.scaling = ChannelScaling(design.scaling, design.channels)
        self.augmentation = None if design.augmentation is None else Augmentation(design.augmentation)
        network = build_network(design.network, design.channels * (2 if design.missing else 1))
        pooling = Pooling(network.output_size, design.pooling, bidirectional=network.bidirectional)
        self.body = PooledNetwork(network, pooling, design.outputs, dropout=design.dropout)

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the outputs [batch, outputs] of series [batch, time, channel], NaN where missing."""
        outputs: Tensor = self.body(self.prepared(x, lengths), lengths=lengths)
        return outputs

    def prepared(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give what the parts read: scaled values, 0 where missing, and whether they are there, if that varies."""
        return self._filled(self._changed(x, lengths))

    def taught(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give the outputs, and the series as random changes have left them, in the units of ``x``, for a teacher."""
        changed = self._changed(x, lengths)
        loc, scale = self.scaling.units(x, lengths=lengths)
        return self.body(self._filled(changed), lengths=lengths), changed * scale + loc

    def _changed(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        x = self.scaling(x, lengths=lengths).to(self.body.output.weight.dtype)
        return x if self.augmentation is None else self.augmentation(x, lengths=lengths)

    def _filled(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        filled = x.masked_fill(missing, 0)
        return torch.cat([filled, (~missing).to(filled.dtype)], dim=2) if self.design.missing else filled


class SeriesObjective:
    """The loss of a `SeriesNetwork`: of logits against codes, or of numbers.

    Parameters
    ----------
    loss
        ``"cross_entropy"``, ``"mse"``, ``"mae"`` or ``"huber"``.
    """

    def __init__(self, loss: str) -> None:
        self.loss = resolve_loss(loss)

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Run the network, whose values stay in float64 until they are scaled, and compare."""
        return self.compared(module(batch.values, lengths=batch.lengths), batch)

    def compared(self, output: Tensor, batch: Batch[Tensor]) -> Outcome:
        """Compare outputs ``[batch, output]`` with what is true of the series."""
        assert batch.target is not None
        output = output.float()
        target = batch.target.to(output.dtype) if batch.target.is_floating_point() else batch.target
        target = align(output, target, self.loss)
        weight = None if batch.weight is None else batch.weight.to(output.dtype)
        loss, count = reduce_loss(self.loss, output, target, None, weight)
        return Outcome(loss, count, output, target)
