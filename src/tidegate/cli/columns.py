"""Which columns a CSV file means, where the user did not say."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from typer import Option

from tidegate.specs import Columns

__all__ = ["ColumnFlags", "Names", "choose_columns", "header_of"]

Names: TypeAlias = list[str] | None

_LONGEST = 1_000_000  # bytes of a header: a file without line breaks is not read whole for it
_TIME_NAMES = ("ds", "date", "datetime", "timestamp", "time", "date_time", "day", "month")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnFlags:
    """The options that say which column is what, for every command that trains on a table.

    Where an option takes several names, it may be repeated, and each text may hold several with commas between.
    """

    time: Annotated[str | None, Option("--time", help="Column of time stamps. [default: ds, date, time, …]")] = None
    target: Annotated[
        Names,
        Option("--target", help="Column to forecast; repeat it or put commas between. [default: y, else all numeric]"),
    ] = None
    id: Annotated[str | None, Option("--id", help="Column that names the series. [default: unique_id]")] = None
    frequency: Annotated[
        str | None, Option("--frequency", help="Distance of rows: h, D, MS, …, or a number. [default: inferred]")
    ] = None
    known: Annotated[Names, Option("--known", help="Numeric columns whose future is known; see --future.")] = None
    past: Annotated[Names, Option("--past", help="Numeric columns that are known up to the last row.")] = None
    static: Annotated[
        Names, Option("--static", help="Columns that say something of a whole series: numbers or categories.")
    ] = None
    weight: Annotated[str | None, Option("--weight", help="Column that says how much a row counts.")] = None
    calendar: Annotated[
        Names,
        Option("--calendar", help="Features of time stamps: minute, hour, weekday, monthday, yearday, week, month."),
    ] = None
    fourier: Annotated[int, Option("--fourier", help="Pairs of sine and cosine for each season.")] = 0


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


def choose_columns(header: Sequence[str], flags: ColumnFlags) -> tuple[Columns, list[str]]:
    """Fill in what the user left out, from the names in the header.

    Parameters
    ----------
    header
        Names of the file's columns. One that holds a comma is taken whole.
    flags
        As given. A frequency of digits alone is a number of steps.

    Returns
    -------
    columns, remarks
        The columns, and what was taken without being named.

    Raises
    ------
    SpecError
        If one column is named twice, or an option cannot be.

    Examples
    --------
    >>> columns, remarks = choose_columns(["Date", "sales"], ColumnFlags(target=["sales"]))
    >>> columns.time, remarks
    ('Date', ["the time column is 'Date'; name another with --time"])
    """
    remarks = []
    several = {role: _names(getattr(flags, role), header) for role in ("known", "past", "static")}
    targets = _names(flags.target, header)
    time = flags.time
    if time is None:
        named = {flags.weight, *targets, *(name for names in several.values() for name in names)}
        time = _time_among([name for name in header if name not in named])
        if time != Columns().time:
            remarks.append(f"the time column is {time!r}; name another with --time")
    frequency = flags.frequency
    chosen = Columns(
        id=Columns().id if flags.id is None else flags.id,
        time=time,
        targets=targets,
        frequency=int(frequency) if frequency is not None and frequency.isdecimal() else frequency,
        weight=flags.weight,
        calendar=_names(flags.calendar, ()),
        fourier=flags.fourier,
        **several,
    )
    return chosen, remarks


def _names(given: Names, header: Sequence[str]) -> tuple[str, ...]:
    names = (name.strip() for text in given or () for name in ([text] if text in header else text.split(",")))
    return tuple(name for name in names if name)


def _time_among(header: Sequence[str]) -> str:
    lower: dict[str, str] = {}
    for name in header:
        lower.setdefault(name.strip().lower(), name)
    if Columns().time in header:
        return Columns().time
    return next((lower[name] for name in _TIME_NAMES if name in lower), Columns().time)
