"""Fields of a CSV file, which are text, turned into numbers, ids and categories."""

from __future__ import annotations

import numpy as np

from tidegate.data.covariates import StaticColumn
from tidegate.errors import DataError

__all__ = ["StaticTexts", "floats", "integers", "is_missing", "is_number", "typed_ids"]

_MISSING = frozenset({"", "na", "nan", "null", "none", "n/a"})
_BOOLEANS = {"true": 1.0, "false": 0.0}


def is_missing(text: str) -> bool:
    """Say whether a field holds no value."""
    return text.strip().lower() in _MISSING


def integers(texts: list[str]) -> np.ndarray | None:
    """Give whole numbers, or ``None`` if some text is none."""
    try:
        return np.fromiter(map(int, texts), np.int64, len(texts))
    except (ValueError, OverflowError):
        return None


def floats(texts: list[str], name: str, lines: np.ndarray) -> np.ndarray:
    """Give numbers, NaN where missing. Raises `DataError`, naming column and line."""
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return np.array([_float(text, name, line) for text, line in zip(texts, lines, strict=True)])


def _float(text: str, name: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        if is_missing(text):
            return float("nan")
        if text.strip().lower() in _BOOLEANS:  # as data frames write them
            return _BOOLEANS[text.strip().lower()]
    comma = "; write a decimal point, not a comma" if is_number(text.replace(",", ".")) else ""
    raise DataError(f"column {name!r}, line {line}: expected a number, got {text!r}{comma or '; or leave it empty'}")


def is_number(text: str) -> bool:
    """Say whether a field is a number, infinite ones and NaN included."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def typed_ids(texts: list[str]) -> np.ndarray:
    """Give whole numbers if all ids are written like such, else the texts."""
    numbers = integers(texts)
    if numbers is not None and list(map(str, numbers.tolist())) == texts:  # "007" stays text
        return numbers
    return np.array(texts, dtype=object)


class StaticTexts:
    """A static column as it grows: numbers if every text that is there is one, else a category."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.codes_of: dict[str, int] = {}
        self.codes: list[np.ndarray] = []

    def add(self, texts: list[str]) -> None:
        """Take the fields of one chunk."""
        known = self.codes_of
        self.codes.append(np.array([known.setdefault(text, len(known)) for text in texts], np.int64))

    def column(self) -> StaticColumn:
        """Join the chunks."""
        codes = np.concatenate(self.codes)
        missing = [is_missing(text) for text in self.codes_of]
        there = [text for text, absent in zip(self.codes_of, missing, strict=True) if not absent]
        if all(map(is_number, there)):
            numbers = [np.nan if absent else float(text) for text, absent in zip(self.codes_of, missing, strict=True)]
            return StaticColumn(name=self.name, values=np.array(numbers)[codes])
        places = np.where(missing, -1, np.cumsum(np.logical_not(missing)) - 1)
        return StaticColumn(name=self.name, values=places[codes], levels=tuple(there))
