"""CSV files: read strictly and in chunks, so that a file of many rows never becomes Python objects all at once."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from tidegate._core.files import existing_file
from tidegate.data.assemble import RawTable, assemble
from tidegate.data.csvfields import StaticTexts, floats, integers, is_missing, is_number, typed_ids
from tidegate.data.naming import resolve_columns
from tidegate.data.stamps import parse_stamps
from tidegate.data.table import SeriesTable
from tidegate.errors import ColumnError, DataError, FileFormatError, TimeStampError
from tidegate.specs import Columns

__all__ = ["Chunks", "csv_chunks", "raw_csv", "read_csv"]

Chunks: TypeAlias = Iterator[tuple[np.ndarray, list[list[str]]]]
Resolve: TypeAlias = Callable[[list[str], list[list[str]]], tuple[Columns, bool]]

_CHUNK = 65_536  # rows
_GZIP = b"\x1f\x8b"


def read_csv(path: str | os.PathLike[str], columns: Columns | None = None, *, sort: bool = False) -> SeriesTable:
    """Read a CSV file, plain or compressed with gzip, with the same checks as `tidegate.data.read_frame`.

    The file is UTF-8 text (a byte order mark is allowed), its first line names the columns, commas separate fields,
    which may be quoted with ``"``. Numbers have a decimal point; ``True`` and ``False`` count as 1 and 0. A value is
    missing where its field is empty or says ``NA``, ``NaN``, ``null``, ``none`` or ``n/a``. Time stamps are ISO 8601
    or whole numbers. Ids stay text unless all are whole numbers; a static covariate is a category unless all its
    values are numbers. Only the columns needed are kept; blank lines are skipped.

    Parameters
    ----------
    path
        The file.
    columns
        Which column is what; `Columns()` if left out. In a wide table without named targets the first value of
        a column decides whether it is numeric.
    sort
        Bring the rows of each series into the order of time, instead of refusing others.

    Returns
    -------
    SeriesTable
        Its messages and ``notes`` name lines of the file, counted from 1.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If the file is empty, binary, not UTF-8, broken gzip, or a row has too few or too many fields.
    ColumnError, DataError, TimeStampError
        As `tidegate.data.read_frame`, with column, line and value.
    """
    given = Columns() if columns is None else columns

    def resolve(header: list[str], rows: list[list[str]]) -> tuple[Columns, bool]:
        return resolve_columns(given, header, _numeric_columns(header, rows))

    return assemble(raw_csv(path, resolve), sort=sort)


def raw_csv(path: str | os.PathLike[str], resolve: Resolve) -> RawTable:
    """Read the columns of a CSV file that are wanted.

    Parameters
    ----------
    path
        The file.
    resolve
        Given the header and the first rows: the columns wanted, all of which are there, and whether there is an id.

    Raises
    ------
    MissingFileError, FileFormatError, ColumnError, DataError, TimeStampError
        As `read_csv`.
    """
    with csv_chunks(path) as (header, chunks):
        first = next(chunks, None)
        if first is None:
            raise DataError(f"{str(Path(path))!r} has a header but no rows; give at least one row a series")
        columns, has_id = resolve(header, first[1])
        collected = _Collected(columns, has_id=has_id, header=header)
        collected.add(*first)
        for lines, chunk in chunks:
            collected.add(lines, chunk)
        return collected.table()


@contextmanager
def csv_chunks(path: str | os.PathLike[str]) -> Iterator[tuple[list[str], Chunks]]:
    """Open a CSV file of any content.

    Parameters
    ----------
    path
        The file, plain or compressed with gzip.

    Yields
    ------
    header : list of str
        The names of the columns.
    chunks : iterator of (ndarray, list of list of str)
        The lines on which rows end, counted from 1, and their fields, as many as the header has; some ten thousand
        rows at a time. Blank lines are skipped.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If the file is empty, binary, not UTF-8, broken gzip, or a row has too few or too many fields.
    ColumnError
        If fields are separated otherwise than by commas.
    """
    file = existing_file(path, what="CSV file")
    try:
        with _opened(file) as stream:
            yield _header_and_chunks(stream, file)
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{str(file)!r}, {_undecodable(file)}: expected UTF-8 text; save the file as CSV with UTF-8 encoding"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileFormatError(f"{str(file)!r} is broken gzip ({error}); compress or download it again") from error


def _header_and_chunks(stream: IO[str], file: Path) -> tuple[list[str], Chunks]:
    rows = _rows(csv.reader(_text_lines(stream, file), strict=True), file)
    _, header = next(rows, (0, []))
    if not header:
        raise FileFormatError(f"{str(file)!r} is empty; expected a line of column names and at least one row")
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise ColumnError(f"{str(file)!r} has one column, {header[0]!r}; separate fields with commas")
    return header, _chunks(rows, header, file)


class _Collected:
    """Columns as they grow, chunk by chunk."""

    def __init__(self, columns: Columns, *, has_id: bool, header: list[str]) -> None:
        self.columns = columns
        self.has_id = has_id
        self.place_of = {name: place for place, name in enumerate(header)}
        weight = () if columns.weight is None else (columns.weight,)
        self.numeric = (*columns.targets, *columns.past, *columns.known, *weight)
        self.codes_of: dict[str, int] = {}
        self.codes: list[np.ndarray] = []
        self.times: list[np.ndarray] = []
        self.numbers: list[np.ndarray] = []
        self.static = [StaticTexts(name) for name in columns.static if name != columns.id]
        self.lines: list[np.ndarray] = []
        self.timezone: str | None = None

    def add(self, lines: np.ndarray, rows: list[list[str]]) -> None:
        """Convert one chunk."""

        def texts(name: str) -> list[str]:
            return list(map(itemgetter(self.place_of[name]), rows))

        if self.has_id:
            self.codes.append(self._ids(texts(self.columns.id), lines))
        else:
            self.codes.append(np.zeros(len(rows), np.int64))
        self.times.append(self._stamps(texts(self.columns.time), lines))
        numbers = np.empty((len(rows), len(self.numeric)))
        for column, name in enumerate(self.numeric):
            numbers[:, column] = floats(texts(name), name, lines)
        self.numbers.append(numbers)
        for static in self.static:
            static.add(texts(static.name))
        self.lines.append(lines)

    def table(self) -> RawTable:
        """Join the chunks."""
        lines = np.concatenate(self.lines)
        columns = self.columns
        lengths = np.cumsum([len(columns.targets), len(columns.past), len(columns.known)])
        numbers = np.split(np.concatenate(self.numbers), lengths, axis=1)
        values, past, known, weight = map(np.ascontiguousarray, numbers)
        return RawTable(
            ids=typed_ids(list(self.codes_of)) if self.has_id else np.array([0]),
            codes=np.concatenate(self.codes),
            times=np.concatenate(self.times),
            values=values,
            past=past,
            known=known,
            columns=columns,
            has_id=self.has_id,
            place=lambda row: f"line {lines[row]}",
            static=tuple(column.column() for column in self.static),
            weights=None if columns.weight is None else weight[:, 0],
            timezone=self.timezone,
        )

    def _ids(self, texts: list[str], lines: np.ndarray) -> np.ndarray:
        known = self.codes_of
        if "" in texts:
            line = lines[texts.index("")]
            raise DataError(f"column {self.columns.id!r}, line {line}: the id is missing; fill it in or drop the row")
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int64)

    def _stamps(self, texts: list[str], lines: np.ndarray) -> np.ndarray:
        name = self.columns.time
        if "" in texts:
            line = lines[texts.index("")]
            raise TimeStampError(f"column {name!r}, line {line}: the time stamp is missing; fill it in or drop the row")
        zone = None
        times = integers(texts)
        if times is None:
            self._check_counting(texts, lines)
            times, zone = parse_stamps(np.array(texts, dtype=object), name, lambda row: f"line {lines[row]}")
        if self.times and (zone != self.timezone or times.dtype != self.times[0].dtype):
            raise TimeStampError(
                f"column {name!r}, line {lines[0]} or after: time stamps of another kind or UTC offset than before, "
                f"such as {texts[0]!r}; write all of them alike"
            )
        self.timezone = zone
        return times

    def _check_counting(self, texts: list[str], lines: np.ndarray) -> None:
        """Name the text among whole numbers, where a date would be no better."""
        counting = self.times[0].dtype.kind == "i" if self.times else integers(texts[:1]) is not None
        if counting:
            row = next(row for row, text in enumerate(texts) if integers([text]) is None)
            raise TimeStampError(
                f"column {self.columns.time!r}, line {lines[row]}: expected a whole number as in the lines before, "
                f"got {texts[row]!r}"
            )


def _opened(file: Path) -> IO[str]:
    with file.open("rb") as start:
        compressed = start.read(2) == _GZIP
    binary: IO[bytes] = gzip.open(file, "rb") if compressed else file.open("rb")  # type: ignore[assignment]  # noqa: SIM115
    return io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")


def _text_lines(stream: IO[str], file: Path) -> Iterator[str]:
    for number, line in enumerate(stream, start=1):
        if "\0" in line:
            raise FileFormatError(f"{str(file)!r}, line {number}: a NUL byte; expected CSV text, this is a binary file")
        yield line


def _rows(reader: Iterator[list[str]], file: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each row that is not blank, with the line that it ends on."""
    try:
        for row in reader:
            if row:
                yield reader.line_num, row  # type: ignore[attr-defined]
    except csv.Error as error:
        raise FileFormatError(
            f"{str(file)!r}, line {reader.line_num}: {error}; close every quote, and double those inside a field"  # type: ignore[attr-defined]
        ) from error


def _chunks(rows: Iterator[tuple[int, list[str]]], header: Sequence[str], file: Path) -> Chunks:
    """Give line numbers and rows, some ten thousand at a time, each row as long as the header."""
    width = len(header)
    lines: list[int] = []
    chunk: list[list[str]] = []
    for line, row in rows:
        if len(row) != width:
            hint = "; a comma inside a field needs quotes around it" if len(row) > width else ""
            raise FileFormatError(
                f"{str(file)!r}, line {line}: expected {width} fields ({', '.join(header)}), got {len(row)}{hint}"
            )
        lines.append(line)
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield np.array(lines), chunk
            lines, chunk = [], []
    if chunk:
        yield np.array(lines), chunk


def _numeric_columns(header: Sequence[str], rows: list[list[str]]) -> list[str]:
    """Name the columns whose first value is a number."""
    found = []
    for place, name in enumerate(header):
        texts = (row[place] for row in rows if not is_missing(row[place]))
        if is_number(next(texts, "")):
            found.append(name)
    return found


def _undecodable(file: Path) -> str:
    """Find the line at which UTF-8 ends."""
    stream = _opened(file).detach()  # type: ignore[attr-defined]
    with stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"line {number}: byte 0x{line[error.start]:02x} at {error.start}"
    return "somewhere"
