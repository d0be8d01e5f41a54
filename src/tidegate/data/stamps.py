"""Time stamps written as text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tidegate.errors import TimeStampError

__all__ = ["parse_stamps"]


def parse_stamps(
    written: np.ndarray, column: str, place: Callable[[int], str], *, timezone: str | None = None
) -> tuple[np.ndarray, str | None]:
    """Read ISO 8601 dates and times.

    Parameters
    ----------
    written
        ``[rows]`` of objects: text, or `datetime.date` and `datetime.datetime`.
    column
        The column's name, for messages.
    place
        Names a row of the input.
    timezone
        The zone to report in place of a fixed offset, if the caller knows it.

    Returns
    -------
    times, timezone
        ``[rows]`` of datetime64[us], in UTC if they carry a UTC offset; and that offset's name (``"UTC"``,
        ``"UTC+01:00"``), ``None`` for naive stamps.

    Raises
    ------
    TimeStampError
        If a stamp is missing or cannot be read, or some have another UTC offset than others.
    """
    import pandas as pd

    try:
        parsed = pd.DatetimeIndex(pd.to_datetime(pd.Series(written, dtype=object), format="ISO8601"))
    except (ValueError, TypeError, OverflowError) as error:
        raise _refusal(written, column, place) from error
    missing = np.flatnonzero(parsed.isna())
    if missing.size:
        row = int(missing[0])
        raise TimeStampError(f"column {column!r}, {place(row)}: the time stamp is missing; fill it in or drop the row")
    if parsed.tz is None:
        return parsed.to_numpy().astype("datetime64[us]"), None
    return parsed.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]"), timezone or str(parsed.tz)


def _refusal(written: np.ndarray, column: str, place: Callable[[int], str]) -> TimeStampError:
    import pandas as pd

    texts = pd.Series(written, dtype=object)
    parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    unread = np.flatnonzero(parsed.isna())
    if unread.size:
        row = int(unread[0])
        return TimeStampError(
            f"column {column!r}, {place(row)}: cannot read {written[row]!r} as a date; "
            "write 2026-03-01 or 2026-03-01 13:00:00, or count steps with whole numbers"
        )
    offset = texts.astype(str).str.extract(r":\d\d(?:\.\d+)?([+-]\d\d(?::?\d\d)?|Z)$", expand=False).fillna("no offset")
    row = int(np.flatnonzero((offset != offset.iloc[0]).to_numpy()).min(initial=len(texts) - 1))
    return TimeStampError(
        f"column {column!r}: time stamps have mixed UTC offsets: {written[0]!r} ({place(0)}) and {written[row]!r} "
        f"({place(row)}); write all of them in UTC, or give a data frame with one time zone"
    )
