"""Finding the columns that are meant among those that a table has."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence

from tidegate.errors import ColumnError
from tidegate.specs import Columns

__all__ = ["absent_column", "check_doubled", "listed", "resolve_columns"]


def resolve_columns(columns: Columns, names: Sequence[str], numeric: Sequence[str]) -> tuple[Columns, bool]:
    """Find the columns of a table among its ``names``.

    Returns
    -------
    columns, has_id
        ``columns`` with ``targets`` filled in; and whether there is an id column.

    Raises
    ------
    ColumnError
        If a column is absent or doubled, or no target is named and none is numeric.
    """
    check_doubled(names)
    if columns.time not in names:
        raise absent_column(columns.time, "time", names)
    has_id = columns.id in names
    if not has_id and columns.id != _default_id():
        raise absent_column(columns.id, "id", names)
    weight = () if columns.weight is None else (columns.weight,)
    covariates = {"static": columns.static, "past": columns.past, "known": columns.known, "weight": weight}
    for role, named in {"target": columns.targets, **covariates}.items():
        for name in named:
            if name not in names:
                raise absent_column(name, role, names)
    if columns.targets:
        return columns, has_id
    taken = {columns.id, columns.time}.union(*covariates.values())
    if "y" in names and "y" not in taken:
        targets: tuple[str, ...] = ("y",)
    else:
        targets = tuple(name for name in numeric if name not in taken)
    if not targets:
        left = " that is named as nothing else" if len(taken) > 2 else ""
        raise ColumnError(
            f"no target is named, and the table has neither a column 'y' nor a numeric one{left}; "
            f"it has {listed(names)}"
        )
    return dataclasses.replace(columns, targets=targets), has_id


def absent_column(name: str, role: str, names: Sequence[str]) -> ColumnError:
    """Say that a column is not there, what is, and which of those may be meant."""
    lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    meant = f"; is {lower[close[0]]!r} meant?" if close else f"; name the {role} column"
    return ColumnError(f"the {role} column {name!r} is not in the table, which has {listed(names)}{meant}")


def check_doubled(names: Sequence[str]) -> None:
    """Refuse a table in which two columns have one name. Raises `ColumnError`."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ColumnError(
            f"the table has {names.count(doubled[0])} columns named {doubled[0]!r}; rename or drop all but one"
        )


def _default_id() -> str:
    return Columns().id


def listed(names: Sequence[str], most: int = 12) -> str:
    """Write names one after another, the first ``most`` of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(repr, names[:most])) or "no columns") + more
