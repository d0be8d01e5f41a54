"""Which columns a CSV file means, where the user did not say."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

from tidegate.specs import Columns

__all__ = ["choose_columns", "header_of"]

_LONGEST = 1_000_000  # bytes of a header: a file without line breaks is not read whole for it
_TIME_NAMES = ("ds", "date", "datetime", "timestamp", "time", "date_time", "day", "month")


def header_of(path: Path) -> list[str]:
    """Read the names in the first line of a CSV file.

    There are none if it cannot be read, and no error is raised: reading the whole file will explain it better.
    """
    try:
        with path.open("rb") as start:
            packed = start.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            line = stream.readline(_LONGEST)
        return next(csv.reader(io.StringIO(line.decode("utf-8-sig"))), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        return []


def choose_columns(
    header: Sequence[str],
    *,
    time: str | None = None,
    targets: Sequence[str] = (),
    id: str | None = None,  # noqa: A002 - the option's name
    frequency: str | None = None,
) -> tuple[Columns, list[str]]:
    """Fill in what the user left out, from the names in the header.

    Parameters
    ----------
    header
        Names of the file's columns.
    time, id, frequency
        As given, ``None`` where not. A frequency of digits alone is a number of steps.
    targets
        As given: a name each, or several names with commas between; a column whose name holds a comma is taken whole.

    Returns
    -------
    columns, remarks
        The columns, and what was taken without being named.

    Raises
    ------
    SpecError
        If one column is named twice.

    Examples
    --------
    >>> columns, remarks = choose_columns(["Date", "sales"], targets=["sales"])
    >>> columns.time, remarks
    ('Date', ["the time column is 'Date'; name another with --time"])
    """
    remarks = []
    if time is None:
        time = _time_among([name for name in header if name not in targets])
        if time != Columns().time:
            remarks.append(f"the time column is {time!r}; name another with --time")
    steps = int(frequency) if frequency is not None and frequency.isdecimal() else frequency
    names = [name.strip() for given in targets for name in ([given] if given in header else given.split(","))]
    chosen = Columns(
        id=Columns().id if id is None else id,
        time=time,
        targets=tuple(name for name in names if name),
        frequency=steps,
    )
    return chosen, remarks


def _time_among(header: Sequence[str]) -> str:
    lower: dict[str, str] = {}
    for name in header:
        lower.setdefault(name.strip().lower(), name)
    if Columns().time in header:
        return Columns().time
    return next((lower[name] for name in _TIME_NAMES if name in lower), Columns().time)
