"""What a teacher forecasts, for a student to learn from."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from tidegate.data import Batch, IntArray, Windows
from tidegate.errors import DataError, SpecError
from tidegate.forecast.ensemble import ForecastEnsemble, median
from tidegate.forecast.settled import Settled
from tidegate.specs import Uncertainty

__all__ = ["PROBABILITIES", "Lesson", "require_alike", "require_heads"]

#: At these a teacher's distribution is read: the middles of nine parts of equal probability.
PROBABILITIES = tuple((part + 0.5) / 9 for part in range(9))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """A fitted ensemble, and how much its forecasts count in a student's loss.

    The student's loss is taken at the teacher's forecast as it is at what came: the mean over the teacher's quantiles
    at `PROBABILITIES`, which is the loss to be expected if what comes is drawn from the teacher's distribution; of a
    teacher that gives points the loss at the point (Saputra et al., 2019). Each batch is answered when it is drawn, as
    there are many more windows than rows.

    Recursive networks learn each step from the true steps before it. There the teacher is given these too.

    Parameters
    ----------
    ensemble, settled
        The teacher's, in evaluation mode.
    share
        How much its answers count; the truth counts for the rest.
    recursive
        Whether both are.
    codes
        The teacher's number of each series of the table ``[series]``, where it has parameters of each.
    """

    ensemble: ForecastEnsemble
    settled: Settled
    share: float
    recursive: bool
    codes: IntArray | None = None

    @property
    def spread(self) -> bool:
        """Whether the teacher gives distributions: its heads do, or its calibration, which knows no true steps."""
        calibrated = self.ensemble.calibration is not None and not self.recursive
        return calibrated or not self.ensemble.needs_calibration

    def widened(self, windows: Windows) -> Windows:
        """Let windows begin where the teacher's context does; a student reads the end of them."""
        return dataclasses.replace(windows, context=max(windows.context, self.settled.context))

    def __call__(self, batch: Batch[Tensor]) -> Tensor:
        """Forecast a batch: ``[answer, batch, horizon, target]``, in the units of the data."""
        device = next(self.ensemble.parameters()).device
        batch = _on(self._numbered(batch), device)
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            if self.recursive:
                return self._forced(batch)
            if not self.spread:
                points: Tensor = self.ensemble(batch)
                return points.unsqueeze(0)
            wanted = torch.tensor(PROBABILITIES, dtype=torch.float64, device=device)
            return self.ensemble.quantiles(batch, wanted).movedim(-1, 0)

    def _forced(self, batch: Batch[Tensor]) -> Tensor:
        """Forecast each step from the true steps before it."""
        answers: list[Tensor] = []
        for network in self.ensemble.networks:
            raw, _, _, scale = network.compare(batch)
            if self.spread:
                wanted = raw.new_tensor(PROBABILITIES)
                answers.append(scale.decode(network.meaning.quantiles(raw, wanted, scale.scale)))
            else:
                answers.append(scale.decode(network.meaning.centre(raw, scale.scale)).unsqueeze(-1))
        return median(answers).movedim(-1, 0)

    def _numbered(self, batch: Batch[Tensor]) -> Batch[Tensor]:
        if self.codes is None or batch.series is None:
            return batch
        return dataclasses.replace(batch, series=torch.from_numpy(self.codes)[batch.series.cpu()])


def require_alike(teacher: Settled, student: Settled) -> None:
    """Refuse a teacher that reads other covariates than its student. Raises `DataError`."""
    for field in ("categorical", "vocabularies"):
        known, given = getattr(teacher, field), getattr(student, field)
        if known != given:
            raise DataError(
                f"the teacher has learned the categories {known!r} of the static covariates, the table has {given!r}; "
                "a student learns from the rows of its teacher, or from others with the same categories"
            )
    if teacher.columns.fourier and teacher.waves != student.waves:
        raise DataError(
            f"the teacher reads Fourier features of the seasons {teacher.waves}, the student of {student.waves}; "
            f"give the student season={tuple(teacher.waves)}"
        )


def require_heads(lesson: Lesson, uncertainty: Uncertainty) -> None:
    """Refuse a teacher of points for a student of distributions. Raises `SpecError`."""
    if not lesson.spread and uncertainty.head != "point":
        raise SpecError(
            f"the teacher forecasts points, a student with the head {uncertainty.head!r} distributions: it would learn "
            "that they have no spread; give the student Uncertainty(head='point'), or another teacher"
        )


def _on(batch: Batch[Tensor], device: torch.device) -> Batch[Tensor]:
    if batch.values.device == device:
        return batch
    fields = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    return Batch(**{name: None if value is None else value.to(device) for name, value in fields.items()})
