"""Verdicts and events as the data frames that are handed back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from tidegate.anomaly.judge import Verdict
from tidegate.anomaly.runs import runs
from tidegate.data import SeriesTable, to_frame

__all__ = ["event_frame", "verdict_frame"]


def verdict_frame(table: SeriesTable, verdicts: Sequence[Verdict]) -> Any:
    """Put the verdicts of all series below each other: a frame like the one that the table was read from."""
    columns = {
        "score": np.concatenate([verdict.score for verdict in verdicts]),
        "threshold": np.concatenate([verdict.threshold for verdict in verdicts]),
        "is_anomaly": np.concatenate([verdict.is_anomaly for verdict in verdicts]),
    }
    if len(table.columns.targets) > 1:
        shares = np.concatenate([verdict.shares for verdict in verdicts])
        columns |= {f"{name}_share": shares[:, index] for index, name in enumerate(table.columns.targets)}
    return to_frame(table, table.times, columns, series=np.repeat(np.arange(len(table)), table.lengths))


def event_frame(table: SeriesTable, verdicts: Sequence[Verdict], *, gap: int) -> Any:
    """List stretches of anomalies, a row each: id, ``start``, ``end`` (its last row), ``rows``, ``peak`` (its score).

    Parameters
    ----------
    table, verdicts
        A verdict a series.
    gap
        Stretches that lie no more than so many rows apart are one.
    """
    series: list[int] = []
    first: list[int] = []
    last: list[int] = []
    peaks: list[float] = []
    for index, verdict in enumerate(verdicts):
        begin = int(table.offsets[index])
        for start, stop in zip(*runs(verdict.is_anomaly, gap=gap), strict=True):
            series.append(index)
            first.append(begin + int(start))
            last.append(begin + int(stop) - 1)
            peaks.append(float(np.nanmax(verdict.score[start:stop])))
    whose, begins, ends = (np.array(part, np.int64) for part in (series, first, last))
    columns = {"rows": ends - begins + 1, "peak": np.array(peaks, np.float64)}
    time = table.columns.time
    starts = nw.from_native(to_frame(table, table.times[begins], columns, series=whose))
    closing = nw.from_native(to_frame(table, table.times[ends], {}, series=whose))[time]
    names = [table.columns.id] if table.has_id else []
    frame = starts.with_columns(closing.alias("end")).rename({time: "start"})
    return frame.select(*names, "start", "end", "rows", "peak").to_native()
