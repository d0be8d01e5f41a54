"""Heads: what the raw outputs of a forecaster mean."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.errors import SpecError
from tidegate.nn.heads.base import Head
from tidegate.nn.heads.gaussian import GaussianHead
from tidegate.nn.heads.negative_binomial import NegativeBinomialHead
from tidegate.nn.heads.point import PointHead
from tidegate.nn.heads.quantiles import QuantileHead
from tidegate.nn.heads.student_t import StudentTHead
from tidegate.specs import Uncertainty

__all__ = ["Head", "make_head"]


def make_head(uncertainty: Uncertainty, loss: str) -> Head:
    """Build the head that `tidegate.Uncertainty` names.

    Parameters
    ----------
    uncertainty
        The spec.
    loss
        Of a point: ``"mae"``, ``"mse"`` or ``"huber"``. The other heads have a loss of their own, and refuse all but
        the default, ``"mae"``.

    Raises
    ------
    SpecError
        If ``loss`` is none of these, or the head has its own.
    """
    if uncertainty.head == "point":
        return PointHead(loss)
    if loss != "mae":
        raise SpecError(
            f"a head {uncertainty.head!r} is trained by a loss of its own; loss={loss!r} belongs to head='point'. "
            "Leave loss at 'mae', or take Uncertainty(head='point')"
        )
    if uncertainty.head == "quantiles":
        return QuantileHead(uncertainty.quantiles)
    plain: dict[str, Callable[[], Head]] = {
        "gaussian": GaussianHead,
        "student_t": StudentTHead,
        "negative_binomial": NegativeBinomialHead,
    }
    return plain[uncertainty.head]()
