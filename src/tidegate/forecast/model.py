"""The network of a forecaster: in and out in the units of the data, scaling included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from tidegate.data import Batch
from tidegate.errors import DataError, ShapeError
from tidegate.forecast.strategies import make_strategy
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import Recurrent, Scaling
from tidegate.training import Outcome
from tidegate.training.losses import Loss, reduce_loss, resolve_loss

__all__ = ["ForecastNetwork", "ForecastObjective", "check_shapes"]


class ForecastNetwork(nn.Module):
    """Scaling, recurrent layers and head in one module, which is also what is exported.

    Parameters
    ----------
    network, scaling
        The specs.
    strategy
        ``"direct"`` or ``"recursive"``.
    horizon, targets
        Steps and variables of a forecast.
    season
        Steps of a season, 1 for none.
    segment
        Steps that a direct network reads at once; the context is a multiple of it.
    power
        Box–Cox's λ, where the scaling leaves it to be fitted.
    """

    def __init__(
        self,
        network: Recurrent,
        scaling: Scaling,
        *,
        strategy: str,
        horizon: int,
        targets: int,
        season: int,
        segment: int = 1,
        power: float | None = None,
    ) -> None:
        super().__init__()
        self.scaling = WindowScaling(scaling, season=season, power=power)
        self.strategy = make_strategy(
            strategy, network, self.scaling, horizon=horizon, targets=targets, segment=segment
        )

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        """Forecast.

        Parameters
        ----------
        values
            [batch, context, target], in the units of the data; what stands at unobserved places is not read.
        observed
            bool, of the same shape.

        Returns
        -------
        Tensor
            [batch, horizon, target] in the units of the data.
        """
        scale = self.scaling(values, observed)
        forecast: Tensor = scale.decode(self.strategy(scale.encode(values, observed), observed))
        return forecast

    def compare(
        self, values: Tensor, observed: Tensor, target: Tensor, target_observed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give output and target as the loss compares them: [batch, horizon, target] each, scaled by the context."""
        scale = self.scaling(values, observed)
        context = scale.encode(values, observed)
        truth = scale.encode(target, target_observed)
        return self.strategy.fitted(context, observed, truth, target_observed), truth


class ForecastObjective:
    """The loss of a `ForecastNetwork` on a batch of windows; missing targets do not count."""

    def __init__(self, loss: str | Loss) -> None:
        self.loss = resolve_loss(loss)

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Compare forecasts with targets in the scaled units of each window."""
        if not isinstance(module, ForecastNetwork):
            raise TypeError(f"expected a ForecastNetwork, got {type(module).__name__}")
        if batch.target is None or batch.observed is None or batch.target_observed is None:
            raise DataError("a forecaster is trained on windows with targets and masks")
        output, target = module.compare(batch.values, batch.observed, batch.target, batch.target_observed)
        loss, weight = reduce_loss(self.loss, output, target, batch.target_observed, batch.weight)
        return Outcome(loss, weight, output, target, batch.target_observed)


def check_shapes(network: nn.Module, arrays: Mapping[str, Any]) -> None:
    """Hold ``arrays`` against a network, which may lie on the meta device. Raises `ShapeError`."""
    for name, tensor in network.state_dict().items():
        if name not in arrays:
            raise ShapeError(f"the network described has a tensor {name!r}, which is absent")
        if tuple(arrays[name].shape) != tuple(tensor.shape):
            raise ShapeError(f"expected {name!r} of shape {list(tensor.shape)}, got {list(arrays[name].shape)}")
