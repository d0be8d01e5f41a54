"""Forecasts for ever more series by one model: seconds, memory, and whether both grow as the series do."""

from __future__ import annotations

from collections.abc import Sequence

from forecasts.processes import ask
from forecasts.rows import cell, heading, row

__all__ = ["many"]


def many(
    counts: Sequence[int], *, rows: int = 200, horizon: int = 14, context: int | None = None, threads: int = 2
) -> None:
    """Print a row for each number of series, each measured in a fresh process."""
    request = {"rows": rows, "horizon": horizon, "context": context, "steps": 50}
    print(f"Series of {rows} points, horizon {horizon}, {threads} threads; the frame is made before the clock runs.\n")
    names = ["series", "reading, s", "forecasting, s", "series/s", "series/s, forecasting alone", "peak, GiB"]
    print(heading([*names, "time of a series, first = 1"]), flush=True)
    first = None
    for count in counts:
        found = ask("many_worker.py", {**request, "series": count}, threads=threads)
        seconds = found["read"] + found["predict"]
        first = first or seconds / count
        figures = [cell(found["read"], 1), cell(found["predict"], 1), cell(count / seconds, 0)]
        figures += [cell(count / found["predict"], 0), cell(found["peak"], 2), cell(seconds / count / first, 2)]
        print(row([f"{count:,}", *figures]), flush=True)
    print(f"\ncontext {found['context']}; linear where the last column stays near 1")
