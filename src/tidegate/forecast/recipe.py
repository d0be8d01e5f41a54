"""What a forecaster was asked for, resolved: from its parameters to a request, settled facts and designs."""

from __future__ import annotations

import dataclasses

from tidegate.forecast.covariates import CovariateShapes
from tidegate.forecast.network import Design
from tidegate.forecast.origins import plan_outputs
from tidegate.forecast.plan import Plan, Request, fit_power
from tidegate.forecast.settled import Settled
from tidegate.forecast.tables import pace
from tidegate.specs import Scaling, Smoothing, Training, Uncertainty
from tidegate.specs.members import Member
from tidegate.specs.parts import Network
from tidegate.specs.strategies import Strategy

__all__ = ["Recipe"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A forecaster's parameters with names resolved; what they mean is in `tidegate.Forecaster`."""

    horizon: int
    context: int | None
    season: int | tuple[int, ...] | None
    strategy: Strategy
    network: Network
    training: Training
    scaling: Scaling
    uncertainty: Uncertainty
    members: tuple[Member, ...]
    seed: int

    @property
    def scalings(self) -> tuple[Scaling, ...]:
        """The scaling of each member."""
        return tuple(self.scaling if member.scaling is None else member.scaling for member in self.members)

    def request(self, *, skip_short: bool) -> Request:
        """Say what a plan depends on."""
        return Request(
            horizon=self.horizon,
            context=self.context,
            season=self.season,
            strategy=self.strategy,
            members=self.members,
            validation=self.training.validation,
            calibration=self.uncertainty.calibration,
            skip_short=skip_short,
        )

    def settle(self, plan: Plan) -> Settled:
        """Collect what a plan has settled, and what follows from the rows that may train."""
        table = plan.table
        own = isinstance(self.strategy, Smoothing) and self.strategy.per_series
        powers = tuple(fit_power(plan.rows, scaling, plan.season) for scaling in self.scalings)
        return Settled(
            season=plan.season,
            seasons=plan.seasons,
            segment=plan.segment,
            contexts=plan.contexts,
            least=plan.least,
            columns=table.columns,
            powers=powers,
            outputs=plan_outputs(plan, self.strategy, self.scalings, powers),
            pace=pace(table),
            covariates=CovariateShapes.of(plan.rows, plan.vocabularies),
            categorical=table.categorical,
            vocabularies=plan.vocabularies,
            ids=tuple(table.ids.tolist()) if own else (),
        )

    def designs(self, settled: Settled) -> list[Design]:
        """Describe each member's network."""
        return settled.designs(
            strategy=self.strategy,
            network=self.network,
            scaling=self.scaling,
            uncertainty=self.uncertainty,
            horizon=self.horizon,
            members=self.members,
        )
