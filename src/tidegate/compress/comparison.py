"""A model before and after a compression: size, latency, accuracy on held-out data; and what that may cost."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidegate.compress.first import first_example
from tidegate.errors import CompressionError, SpecError
from tidegate.estimator import Estimator
from tidegate.kernels.bench import Pace, interleaved, repeating

__all__ = ["MEASURES", "Comparison", "Side", "compare"]

#: What ``score`` of each kind of estimator is, and with which sign.
MEASURES = {
    "anomaly_detector": ("mean error", -1),
    "forecaster": ("MASE", -1),
    "sequence_classifier": ("accuracy", 1),
    "sequence_regressor": ("R2", 1),
    "tagger": ("F1", 1),
    "text_classifier": ("accuracy", 1),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """One model.

    Parameters
    ----------
    size
        Bytes of its file.
    milliseconds
        One ``predict`` of one example: the median.
    score
        ``score`` on the held-out data: higher is better.
    """

    size: int
    milliseconds: float
    score: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same held-out data.

    Parameters
    ----------
    measure, sign
        What scores are called, and −1 where they are errors, which `Estimator.score` gives with a minus.
    before, after
        The models.
    speed_up
        How many times as long one example takes before as after: the median over turns.
    """

    measure: str
    sign: int
    before: Side
    after: Side
    speed_up: float

    @property
    def share(self) -> float:
        """The size after as a share of that before."""
        return self.after.size / self.before.size

    @property
    def loss(self) -> float:
        """What of the score is lost, relative to it; negative if it is better after than before."""
        lost = self.before.score - self.after.score
        if self.before.score == 0:
            return 0.0 if lost == 0 else math.copysign(math.inf, lost)
        return lost / abs(self.before.score)

    def require(self, most: float) -> None:
        """Raise `CompressionError` if more than the share ``most`` of the score is lost, or it is no number."""
        if not self.loss <= most:
            before, after = (self.sign * side.score for side in (self.before, self.after))
            raise CompressionError(
                f"this compression costs {100 * self.loss:.2f} % of {self.measure} on the held-out data ({before:.4g} "
                f"before, {after:.4g} after), more than the {100 * most:g} % that are allowed"
            )

    def to_dict(self) -> dict[str, Any]:
        """Give it in types that JSON knows, scores with the sign of the measure."""
        sides = {
            name: {**dataclasses.asdict(side), "score": self.sign * side.score}
            for name, side in (("before", self.before), ("after", self.after))
        }
        return {"measure": self.measure, **sides, "size": self.share, "speed_up": self.speed_up, "loss": self.loss}


def compare(before: Estimator, after: Estimator, *data: Any, pace: Pace | None = None) -> Comparison:
    """Compare two fitted estimators of one kind.

    Parameters
    ----------
    before, after
        The models.
    data
        What their ``score`` takes: data that neither was trained on.
    pace
        How long latency is measured, the two by turns; ``None`` as `Pace` says.

    Raises
    ------
    NotFittedError
        If one is not fitted.
    SpecError
        If they are of different kinds.
    DataError, ShapeError
        If the data cannot be used.

    Examples
    --------
    >>> import tidegate as tg
    >>> from tidegate.compress import quantize
    >>> frame = tg.datasets.airline_passengers()
    >>> model = tg.Forecaster(horizon=12, training=tg.Training(max_steps=20)).fit(frame[:-24])
    >>> found = compare(model, quantize(model), frame)
    >>> found.measure, found.share < 0.5, abs(found.loss) < 0.01
    ('MASE', True, True)
    """
    for model in (before, after):
        model._require_fitted("compare")
    if before.kind != after.kind:
        raise SpecError(f"two models of one kind are compared; got {before.kind} and {after.kind}")
    calls = {name: _asking(model, data) for name, model in (("before", before), ("after", after))}
    timing = interleaved({name: repeating(call) for name, call in calls.items()}, pace or Pace())
    sides = {
        name: Side(size=_size(model), milliseconds=1e3 * timing.median(name), score=_scored(model, data))
        for name, model in (("before", before), ("after", after))
    }
    measure, sign = MEASURES[before.kind]
    return Comparison(measure=measure, sign=sign, **sides, speed_up=timing.ratio("before", "after").median)


def _asking(model: Any, data: tuple[Any, ...]) -> Callable[[], object]:
    example = first_example(model, data[0])
    return lambda: model.predict(example)


def _scored(model: Any, data: tuple[Any, ...]) -> float:
    return float(model.score(*data))


def _size(model: Estimator) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return path.stat().st_size
