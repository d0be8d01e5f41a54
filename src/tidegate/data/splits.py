"""Splits that follow time: train, then early stopping, then calibration, then test."""

from __future__ import annotations

import dataclasses

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.table import SeriesTable
from tidegate.errors import ShortSeriesError, SpecError
from tidegate.specs import checks

__all__ = ["Split", "split_bounds"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Rows of each series, counted from its first, in which the targets of each part lie.

    Train is ``0 … train − 1``, validation (early stopping) ``train … validation − 1``, calibration
    ``validation … calibration − 1``, test ``calibration … test − 1``; each ``[series]`` of int64. A part with the same
    bound as the one before is empty. Contexts may reach back into earlier parts, targets never do: hand two
    neighbouring bounds to `tidegate.data.Windows.sliding` as ``start`` and ``stop``.

    Parameters
    ----------
    train, validation, calibration, test
        Where each part ends.
    fallback
        The series, ``[n]``, that were too short for a share of their own: they give up calibration, then
        validation; test is never given up.
    notes
        The same in words, empty if there is none.
    """

    train: IntArray
    validation: IntArray
    calibration: IntArray
    test: IntArray
    fallback: IntArray
    notes: tuple[str, ...] = ()


def split_bounds(
    table: SeriesTable,
    *,
    validation: float | int = 0,
    calibration: float | int = 0,
    test: int = 0,
    least_train: int = 1,
    least: int = 1,
) -> Split:
    """Cut each series along time.

    Parameters
    ----------
    table
        The series.
    validation, calibration
        A whole number of rows, or (as a float) a share of the rows before the test, rounded up.
    test
        Rows at the end of each series.
    least_train
        Rows that must be left to train on. A series with fewer gives up its calibration rows, then its validation
        rows, and is listed in ``fallback``.
    least
        Rows of a validation or calibration part that are of use (the horizon); a share is raised to it.

    Returns
    -------
    Split
        The bounds, and which series fell back.

    Raises
    ------
    SpecError
        If an option is out of its range.
    ShortSeriesError
        If a series has fewer than ``test + least_train`` rows; the message names it.

    Examples
    --------
    >>> import pandas as pd
    >>> from tidegate.data import read_frame
    >>> table = read_frame(pd.DataFrame({"ds": range(100), "y": 1.0}))
    >>> split = split_bounds(table, validation=0.1, test=20)
    >>> split.train.tolist(), split.validation.tolist(), split.test.tolist()
    ([72], [80], [100])
    """
    checks.whole("test", test, least=0)
    checks.whole("least_train", least_train)
    checks.whole("least", least)
    before_test = table.lengths - test
    short = np.flatnonzero(before_test < least_train)
    if short.size:
        first = int(short[0])
        raise ShortSeriesError(
            f"{table.name(first)} has {table.lengths[first]} rows; {test} to test on and {least_train} to train on "
            f"need {test + least_train}; give longer series, or leave {'it' if short.size == 1 else 'such series'} out"
        )
    stopping = _rows("validation", validation, before_test, least)
    calibrating = _rows("calibration", calibration, before_test, least)
    no_calibration = before_test - stopping - calibrating < least_train
    calibrating = np.where(no_calibration, 0, calibrating)
    no_validation = before_test - stopping - calibrating < least_train
    stopping = np.where(no_validation, 0, stopping)
    train = before_test - stopping - calibrating
    lost_calibration = no_calibration & (calibration > 0)
    lost_validation = no_validation & (validation > 0)
    return Split(
        train=train,
        validation=train + stopping,
        calibration=before_test,
        test=table.lengths,
        fallback=np.flatnonzero(lost_calibration | lost_validation),
        notes=_notes(table, lost_calibration, lost_validation),
    )


def _rows(name: str, asked: float | int, available: IntArray, least: int) -> IntArray:
    if isinstance(asked, float):
        checks.probability(name, asked)
        rows = np.ceil(np.round(asked * available, 9)).astype(np.int64) if asked else np.zeros_like(available)
        return np.maximum(rows, least) if asked else rows
    if isinstance(asked, bool):
        raise SpecError(f"{name} must be a number of rows or a share of them; got {asked!r}")
    checks.whole(name, asked, least=0)
    return np.full(len(available), asked, np.int64)


def _notes(table: SeriesTable, lost_calibration: np.ndarray, lost_validation: np.ndarray) -> tuple[str, ...]:
    either = lost_calibration | lost_validation
    if not either.any():
        return ()
    losses = {
        "no calibration rows of their own": lost_calibration & ~lost_validation,
        "no validation rows of their own": lost_validation & ~lost_calibration,
        "neither calibration nor validation rows": lost_validation & lost_calibration,
    }
    told = [f"{lost.sum():,} with {words}" for words, lost in losses.items() if lost.any()]
    return (
        f"{either.sum():,} of {len(table):,} series are too short for every part: {', '.join(told)}; "
        f"the first is {table.name(int(either.argmax()))}",
    )
