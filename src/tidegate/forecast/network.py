"""The network of a forecaster: in and out in the units of the data, scaling included."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from tidegate.data import Batch
from tidegate.errors import DataError, SpecError
from tidegate.forecast.channels import apart, together
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.covariates import CovariateInputs, CovariateShapes
from tidegate.forecast.strategies import RecursiveStrategy, make_strategy
from tidegate.nn.heads import make_head
from tidegate.nn.scaling import WindowScale, WindowScaling
from tidegate.specs import Scaling, Uncertainty
from tidegate.specs.parts import Network
from tidegate.specs.strategies import Strategy

__all__ = ["Design", "ForecastNetwork"]

_MARK = 8  # numbers that tell targets apart where each is forecast by itself


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """All that one network is built from, settled.

    Parameters
    ----------
    strategy, network, scaling, uncertainty, loss
        As the forecaster was given them, strategies resolved.
    context, horizon, targets
        Of the windows.
    season, segment
        In steps; 1 for none.
    seasons
        All seasons, whose changes are read.
    power
        Box–Cox's λ, where the scaling leaves it to be fitted.
    covariates
        Which there are.
    series
        Series that were trained on.
    """

    strategy: Strategy
    network: Network
    scaling: Scaling
    uncertainty: Uncertainty
    loss: str
    context: int
    horizon: int
    targets: int
    season: int
    seasons: tuple[int, ...]
    segment: int
    power: float | None = None
    covariates: CovariateShapes = CovariateShapes()
    series: int = 0

    @property
    def independent(self) -> bool:
        """Whether each target is forecast by itself."""
        return getattr(self.strategy, "channels", "joint") == "independent" and self.targets > 1


class ForecastNetwork(nn.Module):
    """Scaling, covariates, recurrent layers and head in one module, which is also what is exported.

    Batches come and forecasts go in the units of the data; what stands at unobserved places is not read. A batch may
    hold more context than the network reads, which then takes its end.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.scaling = WindowScaling(design.scaling, season=design.season, power=design.power)
        self.covariates = CovariateInputs(design.covariates)
        self.meaning = make_head(design.uncertainty, design.loss)
        self.meaning.check_scaling(design.scaling)
        past, known, static = design.covariates.widths
        self.marks = nn.Embedding(design.targets, _MARK) if design.independent else None
        self.strategy = make_strategy(
            design.strategy,
            design.network,
            self.scaling,
            self.meaning,
            Sizes(
                context=design.context,
                horizon=design.horizon,
                targets=1 if design.independent else design.targets,
                lags=tuple(season for season in design.seasons if 1 < season < design.context),
                segment=design.segment,
                past=past,
                known=known,
                static=static + (_MARK if design.independent else 0),
                series=design.series,
            ),
        )

    def forward(self, batch: Batch[Tensor]) -> Tensor:
        """Give the point forecast, ``[batch, horizon, target]``."""
        raw, scale = self.raw(batch)
        centre = scale.decode(self.meaning.centre(raw, scale.scale))
        return together(centre, self.design.targets) if self.design.independent else centre

    def quantiles(self, batch: Batch[Tensor], probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
        """Give quantiles, ``[batch, horizon, target, q]``, for probabilities ``[q]`` in ascending order.

        A recursive network draws paths by ``generator`` and gives theirs; other networks have quantiles in closed
        form and draw nothing.
        """
        context, scale = self.prepared(batch)
        if isinstance(self.strategy, RecursiveStrategy) and not self.meaning.needs_calibration:
            scaled = self._sampled(self.strategy, context, probabilities, generator)
        else:
            scaled = self.meaning.quantiles(self.strategy(context), probabilities, scale.scale)
        found = scale.decode(scaled)
        return together(found, self.design.targets) if self.design.independent else found

    def compare(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor, Tensor, WindowScale]:
        """Give raw output, target and its mask as the loss compares them, scaled by the context, and the scale.

        The shapes are ``[batch, horizon, target, size]``, ``[batch, horizon, target]`` twice; independent targets are
        rows of the batch there, all rows of the first target first.
        """
        if batch.target is None or batch.observed is None or batch.target_observed is None:
            raise DataError("a forecaster is trained on windows with targets and masks")
        context, scale = self.prepared(batch)
        target, seen = batch.target, batch.target_observed
        if self.design.independent:
            target, seen = apart(target), apart(seen)
        truth = scale.encode(target, seen)
        return self.strategy.fitted(context, truth, seen), truth, seen, scale

    def raw(self, batch: Batch[Tensor]) -> tuple[Tensor, WindowScale]:
        """Give the raw outputs of the head, and the scale that they are measured in."""
        context, scale = self.prepared(batch)
        return self.strategy(context), scale

    def prepared(self, batch: Batch[Tensor]) -> tuple[Context, WindowScale]:
        """Scale a batch by its context: what the strategy reads, and how to come back."""
        assert batch.observed is not None
        surplus = batch.values.shape[1] - self.design.context
        batch = _ending(batch, surplus) if surplus > 0 else batch
        ready = self.covariates(batch)
        static, values, observed, given = ready.static, batch.values, batch.observed, batch.given
        past, known, series, position = ready.past, ready.known, batch.series, batch.position
        assert observed is not None
        if self.marks is not None:
            copies = self.design.targets
            static = self._marked(static, values.shape[0], copies)
            values, observed = apart(values), apart(observed)
            given = None if given is None else apart(given)
            past, known, series, position = (_again(part, copies) for part in (past, known, series, position))
        scale = self.scaling(values, observed)
        context = Context(
            values=scale.encode(values, observed),
            observed=observed,
            scale=scale.scale,
            past=past,
            known=known,
            static=static,
            series=series,
            position=position,
            given=None if given is None else scale.encode_all(given),
        )
        return context, scale

    def _marked(self, static: Tensor | None, batch: int, copies: int) -> Tensor:
        assert self.marks is not None
        marks = self.marks.weight.repeat_interleave(batch, dim=0)
        again = _again(static, copies)
        return marks if again is None else torch.cat([again, marks], dim=-1)

    def _sampled(
        self, strategy: RecursiveStrategy, context: Context, probabilities: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        if generator is None:
            raise SpecError("the quantiles of a recursive network are drawn; give a generator")
        paths = strategy.spec.samples
        drawn = strategy.sampled(context, generator, paths=paths)  # [batch · path, horizon, target]
        drawn = drawn.view(-1, paths, *drawn.shape[1:])
        found = torch.quantile(drawn, probabilities.to(drawn.dtype), dim=1)  # [q, batch, horizon, target]
        return found.movedim(0, -1)


def _ending(batch: Batch[Tensor], surplus: int) -> Batch[Tensor]:
    """Leave out the first steps of the context."""
    assert batch.observed is not None
    return dataclasses.replace(
        batch,
        values=batch.values[:, surplus:],
        observed=batch.observed[:, surplus:],
        past=None if batch.past is None else batch.past[:, surplus:],
        known=None if batch.known is None else batch.known[:, surplus:],
    )


def _again(part: Tensor | None, copies: int) -> Tensor | None:
    """Repeat the whole batch for each target, as `apart` lays targets out."""
    return None if part is None else part.repeat(copies, *[1] * (part.ndim - 1))
