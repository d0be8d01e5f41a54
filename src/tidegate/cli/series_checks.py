"""What files of whole series are refused for before anything is trained or asked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.errors import DataError

if TYPE_CHECKING:
    from tidegate.data import LabelledSeries

__all__ = ["require_channels", "require_labels", "require_like"]

_SHOWN = 10


def require_labels(data: LabelledSeries, path: Path) -> None:
    """Refuse series of which nothing is said. Raises `DataError`."""
    if data.labels is None:
        raise DataError(
            f"{str(path)!r} says of no series what it is; expected '@classLabel true …' or '@targetLabel true'"
        )


def require_channels(data: LabelledSeries, path: Path, channels: int) -> None:
    """Refuse series of more or fewer channels than those of the training. Raises `DataError`."""
    if len(data.channels) != channels:
        raise DataError(
            f"{str(path)!r} has series of {len(data.channels)} channel(s), those of the training have {channels}; "
            "give the same channels"
        )


def require_like(data: LabelledSeries, path: Path, *, channels: int, classes: Collection[Any] | None) -> None:
    """Refuse series to score on that the training does not prepare for.

    Parameters
    ----------
    data, path
        The series, and the file that they come from.
    channels
        Of the training.
    classes
        Of the training; ``None`` where numbers are regressed.

    Raises
    ------
    DataError
        If nothing is said of the series, there are other channels, numbers for classes, or a class that training never
        saw.
    """
    require_labels(data, path)
    require_channels(data, path, channels)
    assert data.labels is not None
    if classes is None:
        return
    if data.numbers:
        raise DataError(f"{str(path)!r} gives numbers for its series, the training has classes; give classes")
    for name, label in zip(data.ids.tolist(), data.labels.tolist(), strict=True):
        if label not in classes:
            known = ", ".join(map(repr, list(classes)[:_SHOWN])) + (", …" if len(classes) > _SHOWN else "")
            raise DataError(
                f"{str(path)!r}: the class {label!r} of series {name!r} was not seen in training; known: {known}"
            )
