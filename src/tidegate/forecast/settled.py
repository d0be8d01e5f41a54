"""What a fit has settled besides weights: enough to build the networks again, and to read tables alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tidegate.errors import SpecError
from tidegate.forecast.covariates import CovariateShapes
from tidegate.forecast.network import Design
from tidegate.specs import Columns, Scaling, Uncertainty, checks, from_dict, to_dict
from tidegate.specs.members import Member
from tidegate.specs.parts import Network
from tidegate.specs.scaling import ORIGINS
from tidegate.specs.strategies import Strategy

__all__ = ["Settled"]

_MOST = 2**31  # steps, series, categories: a file that says more is no model of ours


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settled:
    """What a fit has settled.

    Parameters
    ----------
    season, segment
        In steps; 1 for none.
    seasons
        All that were found or given, for changes and Fourier features.
    contexts
        Steps that each member reads.
    least
        Rows that a series must have to be forecast.
    columns
        With targets and frequency.
    powers
        Box–Cox's λ of each member, ``None`` where it has none to fit.
    outputs
        What the outputs of each member are measured from, as in `Scaling`.
    pace
        Steps from one observed row to the next, as a rule.
    covariates
        Which there are.
    categorical
        Which of the static ones are categories.
    vocabularies
        The categories of each categorical covariate.
    ids
        The series that were trained on, where the strategy has parameters of each; else empty.
    calibrated
        Probabilities at which the calibration has factors, 0 without one.
    """

    season: int
    seasons: tuple[int, ...]
    segment: int
    contexts: tuple[int, ...]
    least: int
    columns: Columns
    powers: tuple[float | None, ...]
    outputs: tuple[str, ...]
    pace: float
    covariates: CovariateShapes = CovariateShapes()
    categorical: tuple[str, ...] = ()
    vocabularies: tuple[tuple[str, ...], ...] = ()
    ids: tuple[str | int, ...] = ()
    calibrated: int = 0

    def __post_init__(self) -> None:
        for name in ("season", "segment", "least"):
            checks.whole(name, getattr(self, name))
        for number in (self.season, self.segment, self.least, *self.contexts, *self.seasons):
            checks.whole("a number of steps", number)
            if number >= _MOST:
                raise SpecError(f"steps must be below 2³¹; got a number of {len(str(number))} digits")
        if not self.contexts or len(self.powers) != len(self.contexts):
            raise SpecError(f"{len(self.contexts)} contexts and {len(self.powers)} powers do not describe members")
        if len(self.outputs) != len(self.contexts):
            raise SpecError(f"{len(self.contexts)} contexts and {len(self.outputs)} outputs do not describe members")
        for output in self.outputs:
            checks.one_of("output", output, ORIGINS)
        if tuple(map(len, self.vocabularies)) != self.covariates.categories:
            raise SpecError("the vocabularies and the sizes of the embeddings do not agree")
        if len(self.categorical) != len(self.vocabularies):
            raise SpecError(f"{len(self.categorical)} categories cannot have {len(self.vocabularies)} vocabularies")
        self._require_names()

    @property
    def context(self) -> int:
        """Steps of a window: what the member with the longest context reads."""
        return max(self.contexts)

    @property
    def waves(self) -> list[int]:
        """Seasons to make Fourier features of."""
        return [season for season in self.seasons if season > 1]

    def designs(
        self,
        *,
        strategy: Strategy,
        network: Network,
        scaling: Scaling,
        uncertainty: Uncertainty,
        horizon: int,
        members: tuple[Member, ...],
    ) -> list[Design]:
        """Describe each member's network. Raises `SpecError` if there are other members than were settled."""
        if len(members) != len(self.contexts):
            raise SpecError(f"{len(members)} members are described, {len(self.contexts)} were settled")
        return [
            Design(
                strategy=strategy,
                network=network,
                scaling=dataclasses.replace(scaling if member.scaling is None else member.scaling, output=output),
                uncertainty=uncertainty,
                loss=uncertainty.loss if member.loss is None else member.loss,
                context=context,
                horizon=horizon,
                targets=len(self.columns.targets),
                season=self.season,
                seasons=self.seasons,
                segment=self.segment,
                power=power,
                covariates=self.covariates,
                series=len(self.ids),
            )
            for member, context, power, output in zip(members, self.contexts, self.powers, self.outputs, strict=True)
        ]

    def _require_names(self) -> None:
        """Refuse what only an altered file says; found later, it would be an error without words."""
        plain = all(isinstance(name, str | int) for name in self.ids)
        words = all(isinstance(name, str) for names in (self.categorical, *self.vocabularies) for name in names)
        if not (plain and words):
            raise SpecError("series and categories are called by texts or whole numbers")
        shapes, columns = self.covariates, self.columns
        static = set(columns.static).difference(self.categorical)
        for what, named, counted in (("past", columns.past, shapes.past), ("static", static, shapes.static)):
            if len(named) != len(counted):
                raise SpecError(f"{len(named)} {what} covariates are named, {len(counted)} described")

    def to_dict(self) -> dict[str, Any]:
        """Describe it in types that JSON knows."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settled:
        """Take back what `to_dict` gave. Raises `SpecError`, `KeyError` or `TypeError` for anything else."""
        return from_dict(
            cls,
            {
                **values,
                "columns": from_dict(Columns, values["columns"]),
                "covariates": from_dict(CovariateShapes, values["covariates"]),
                "pace": float(values["pace"]),
            },
        )
