"""The descriptions of how a detector judges a point, and of what follows the errors of its score."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, TypeAlias

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["METHODS", "Autoencoder", "Likelihood", "Method", "Prediction", "resolve_method"]

_LOSSES = ("mae", "mse", "huber")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """A window is put into a few numbers and built again; a point is abnormal by the error of that.

    Encoder, repeat, decoder, one dense layer a step (Malhotra et al., 2016). The decoder works from the last step of
    the window back to the first, as theirs does.

    Parameters
    ----------
    bottleneck
        Numbers that a window has to pass through. Fewer are harder to build an anomaly from.
    loss
        Of the training: ``"mae"``, ``"mse"`` or ``"huber"``. The first and the last let anomalies among the training
        rows count less.
    smoothing
        Rows that batch scores are averaged over, the row in their middle, as the root of the mean square. For where
        an anomaly is a stretch, and finding it counts for more than its edges. Scores without look ahead have none.
    """

    kind: ClassVar[str] = "autoencoder"

    bottleneck: int = 8
    loss: str = "huber"
    smoothing: int = 1

    def __post_init__(self) -> None:
        checks.whole("bottleneck", self.bottleneck)
        checks.whole("smoothing", self.smoothing)
        checks.one_of("loss", self.loss, _LOSSES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The steps after a window are predicted; a point is abnormal by the error of its predictions.

    As Malhotra et al. (2015) and Hundman et al. (2018).

    Parameters
    ----------
    horizon
        Steps that are predicted from each window; with several, a point has as many predictions.
    loss
        As of `Autoencoder`.
    season
        Steps of a season, at least ``horizon``, or 0 for none. What came a season before is read beside what came
        last, so that a window takes a season more of rows.
    linear
        Add a linear prediction from what is read, solved by ridge regression before the training, which then begins
        there and learns what it leaves. It needs few rows.
    together
        How the errors of a point's predictions become one: ``"median"``, which a single bad one does not move, or
        ``"mean"``.
    smoothing
        As of `Autoencoder`.
    """

    kind: ClassVar[str] = "prediction"

    horizon: int = 1
    loss: str = "huber"
    season: int = 0
    linear: bool = False
    together: str = "median"
    smoothing: int = 1

    def __post_init__(self) -> None:
        checks.whole("horizon", self.horizon)
        checks.one_of("loss", self.loss, _LOSSES)
        checks.whole("season", self.season, least=0)
        checks.whole("smoothing", self.smoothing)
        checks.flag("linear", self.linear)
        checks.one_of("together", self.together, ("median", "mean"))
        if 0 < self.season < self.horizon:
            raise SpecError(
                f"season must be 0 or at least the horizon, since what came a season before must be known; got "
                f"season={self.season}, horizon={self.horizon}"
            )


Method: TypeAlias = Autoencoder | Prediction

METHODS: dict[str, type[Method]] = {method.kind: method for method in (Autoencoder, Prediction)}


def resolve_method(method: str | Method) -> Method:
    """Turn a name of `METHODS` into a spec with its defaults. Raises `SpecError` for anything else."""
    if isinstance(method, Autoencoder | Prediction):
        return method
    if not isinstance(method, str) or method not in METHODS:
        names = ", ".join(map(repr, METHODS))
        raise SpecError(f"method must be one of {names}, an Autoencoder(…) or a Prediction(…); got {method!r}")
    return METHODS[method]()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Likelihood:
    """Judge an error by those before it: by how unlikely the mean of the last few is.

    The anomaly likelihood of Ahmad et al. (2017): the mean of the last ``short`` errors, held against the mean and the
    spread of the ``long`` past, as the tail of a normal distribution. A score s says that it is exceeded with
    probability 10⁻ˢ. Where errors become larger for good, as they do when data drift, scores come back to normal.

    Parameters
    ----------
    long
        Steps over which mean and spread are remembered; their weight decays with that time constant.
    short
        Errors that are averaged.
    log
        Take logarithms of the errors first, whose distribution is nearer to a normal one.
    rest
        For so many steps after a score only higher ones are given, and 0 for the others: an anomaly then raises one
        alarm, and not one at each of its points. 0 for none.
    """

    long: int = 2000
    short: int = 5
    log: bool = False
    rest: int = 0

    def __post_init__(self) -> None:
        checks.whole("long", self.long, least=2)
        checks.whole("short", self.short)
        checks.flag("log", self.log)
        checks.whole("rest", self.rest, least=0)
        if self.short >= self.long:
            raise SpecError(f"short must be less than long; got short={self.short}, long={self.long}")
