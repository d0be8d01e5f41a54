"""The description of one member of an ensemble."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks
from tidegate.specs.scaling import Scaling
from tidegate.specs.uncertainty import LOSSES

__all__ = ["Member", "resolve_members"]

_MOST = 1_000  # a file that says more is to cost no memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """In what a member of an ensemble differs from the forecaster that it belongs to; each has a seed of its own.

    Parameters
    ----------
    context
        Steps of the past that it reads, ``None`` for the forecaster's.
    loss
        ``"mae"``, ``"mse"`` or ``"huber"``, ``None`` for the forecaster's; only point heads have a loss to choose.
    scaling
        Its scaling, ``None`` for the forecaster's.
    """

    context: int | None = None
    loss: str | None = None
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        if self.context is not None:
            checks.whole("context", self.context)
        if self.loss is not None:
            checks.one_of("loss", self.loss, LOSSES)
        if isinstance(self.scaling, dict):  # from JSON
            object.__setattr__(self, "scaling", Scaling(**self.scaling))
        if self.scaling is not None and not isinstance(self.scaling, Scaling):
            raise SpecError(f"scaling must be a Scaling(…) or None; got {self.scaling!r}")


def resolve_members(members: int | tuple[Member, ...]) -> tuple[Member, ...]:
    """Turn a number of members into that many which differ in their seeds alone. Raises `SpecError`."""
    if isinstance(members, tuple):
        if not members:
            raise SpecError("members must be a number or at least one Member(…); got ()")
        for member in members:
            if not isinstance(member, Member):
                raise SpecError(f"members must be a number or Member(…) each; got {member!r}")
        return members
    checks.whole("members", members)
    if members > _MOST:
        raise SpecError(f"members must be at most {_MOST:,}; got a number of {len(str(members))} digits")
    return (Member(),) * members
