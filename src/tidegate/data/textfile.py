"""Texts with their labels out of CSV files."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.data.batches import IntArray
from tidegate.data.csvfile import csv_chunks
from tidegate.data.text import read_texts
from tidegate.errors import ColumnError, DataError, ShapeError
from tidegate.specs.text import TextColumns

__all__ = ["LabelledTexts", "read_text_csv"]

_LARGEST_FIELD = 16 * 2**20  # characters; a quote that is never closed must not take all memory


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LabelledTexts:
    """Texts, and what is said of each, as a file gives them.

    Parameters
    ----------
    texts
        The texts.
    labels
        The label of each, or the list of its labels; ``None`` where nothing is said.
    columns
        Where they stood.
    lines
        The line on which each row ends, counted from 1.

    Raises
    ------
    ShapeError
        If there are more or fewer labels or lines than texts.
    """

    texts: list[str]
    labels: list[Any] | None
    columns: TextColumns
    lines: tuple[int, ...]

    def __post_init__(self) -> None:
        for what, column in (("label", self.labels), ("line", self.lines)):
            if column is not None and len(column) != len(self.texts):
                raise ShapeError(f"expected one {what} a text: {len(self.texts)}; got {len(column)}")

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    def take(self, indices: Sequence[int] | IntArray) -> LabelledTexts:
        """Give the texts at ``indices``, in this order."""
        rows = [int(index) for index in indices]
        labels = self.labels
        return dataclasses.replace(
            self,
            texts=[self.texts[row] for row in rows],
            labels=None if labels is None else [labels[row] for row in rows],
            lines=tuple(self.lines[row] for row in rows),
        )


def read_text_csv(path: str | os.PathLike[str], columns: TextColumns | None = None) -> LabelledTexts:
    r"""Read texts and labels from a CSV file, plain or compressed with gzip.

    The file is UTF-8 text (a byte order mark is allowed), its first line names the columns, commas separate fields,
    which may be quoted with ``"`` and may then hold line breaks. Blank lines are skipped. Labels are texts, with
    blanks around them taken off.

    Parameters
    ----------
    path
        The file.
    columns
        Which column is what; `TextColumns()` if left out.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If it is empty, not UTF-8, holds NUL bytes, is broken gzip, or a row has too few or too many fields.
    ColumnError
        If a column is not there, or there twice.
    DataError
        If there are no rows, or a text or a label is missing. Messages name the line.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "messages.csv"
    >>> _ = path.write_text("label,text\nham,On my way\nspam,You have WON\n")
    >>> messages = read_text_csv(path)
    >>> messages.texts, messages.labels
    (['On my way', 'You have WON'], ['ham', 'spam'])
    """
    wanted = TextColumns() if columns is None else columns
    name = str(Path(path))
    lines: list[int] = []
    texts: list[str] = []
    labels: list[str] = []
    with _large_fields(), csv_chunks(path) as (header, chunks):
        text = _place(header, wanted.text, name)
        label = None if wanted.label is None else _place(header, wanted.label, name)
        for numbers, rows in chunks:
            lines += numbers.tolist()
            texts += [row[text] for row in rows]
            if label is not None:
                labels += [row[label].strip() for row in rows]
    if not lines:
        raise DataError(f"{name!r} has a header but no rows; give at least one text")

    def place(row: int) -> str:
        return f"column {wanted.text!r}, line {lines[row]}"

    return LabelledTexts(
        texts=read_texts(texts, place=place),
        labels=None if wanted.label is None else _labels(labels, lines, wanted),
        columns=wanted,
        lines=tuple(lines),
    )


def _place(header: list[str], column: str, name: str) -> int:
    if header.count(column) == 1:
        return header.index(column)
    if column in header:
        raise ColumnError(f"{name!r} has several columns {column!r}; give each a name of its own")
    raise ColumnError(f"{name!r} has no column {column!r}; it has {', '.join(map(repr, header))}")


def _labels(labels: list[str], lines: list[int], columns: TextColumns) -> list[Any]:
    if columns.separator is not None:  # of several labels there may be none
        parts = ([part.strip() for part in label.split(columns.separator)] for label in labels)
        return [[part for part in each if part] for each in parts]
    if "" in labels:
        line = lines[labels.index("")]
        raise DataError(f"column {columns.label!r}, line {line}: the label is missing; fill it in or drop the row")
    return labels


@contextmanager
def _large_fields() -> Iterator[None]:
    """Let fields be as large as texts are; the limit is the whole process's, so it is put back."""
    before = csv.field_size_limit(_LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)
