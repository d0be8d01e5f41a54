"""``.ts`` files, the format of the UCR and UEA archives, as sktime and aeon write it."""

from __future__ import annotations

import dataclasses
import gzip
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate._core.files import existing_file
from tidegate.data.ragged import Ragged
from tidegate.data.sequences import LabelledSeries
from tidegate.errors import DataError, FileFormatError, UnsupportedError

__all__ = ["read_ts"]

_GZIP = b"\x1f\x8b"
_FLAGS = ("timestamps", "missing", "univariate", "equallength", "targetlabel")
_NUMBERS = ("dimensions", "serieslength")
_IGNORED = ("problemname",)


@dataclasses.dataclass(kw_only=True)
class _Header:
    """What stands before the data: the value of each line, and the number of the line."""

    flags: dict[str, bool] = dataclasses.field(default_factory=dict)
    numbers: dict[str, int] = dataclasses.field(default_factory=dict)
    classes: tuple[str, ...] | None = None

    @property
    def labelled(self) -> bool:
        return self.classes is not None or self.flags.get("targetlabel", False)


def read_ts(path: str | os.PathLike[str]) -> LabelledSeries:
    """Read a ``.ts`` file, plain or compressed with gzip.

    Lines that begin with ``#`` are comments, those that begin with ``@`` say what the data are. A line of data is one
    series: its channels with ``:`` between them, the values of each with commas between, and last its class
    (``@classLabel true a b c``) or its number (``@targetLabel true``). ``?`` and ``NaN`` are missing values. Headers
    may be absent; those that are there must be true.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    LabelledSeries
        Classes are texts, in any case those that the header names.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If the file is broken or not UTF-8, a header cannot be understood, or the data contradict it; with the line.
    DataError
        If a value is infinite; with the line.
    UnsupportedError
        If values have time stamps (``@timeStamps true``).
    """
    file = existing_file(path, what=".ts file")
    try:
        lines = _lines(file)
        header = _read_header(lines, file)
        return _read_data(lines, header, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileFormatError(f"{str(file)!r} is broken gzip ({error}); compress or download it again") from error


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Give the lines that are neither blank nor comments, with their numbers."""
    with file.open("rb") as start:
        compressed = start.read(2) == _GZIP
    with gzip.open(file, "rb") if compressed else file.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise _wrong(
                    file, number, f"byte 0x{raw[error.start]:02x}: expected UTF-8 text; save the file as UTF-8"
                ) from error
            if "\0" in text:
                raise _wrong(file, number, "a NUL byte; expected text, this is a binary file")
            if text and not text.startswith("#"):
                yield number, text


def _read_header(lines: Iterator[tuple[int, str]], file: Path) -> _Header:
    header = _Header()
    seen: dict[str, int] = {}
    for number, text in lines:
        if not text.startswith("@"):
            raise _wrong(file, number, "expected a header such as '@classLabel true a b', and '@data' before the data")
        name, *values = text[1:].split()
        key = name.lower()
        if key == "data":
            _check_header(header, seen, file)
            return header
        if key in seen:
            raise _wrong(file, number, f"@{name} stands in line {seen[key]} already; keep one of the two")
        seen[key] = number
        _take(header, name, values, file, number)
    raise FileFormatError(f"{str(file)!r} has no line '@data'; expected headers, '@data', then a line for each series")


def _take(header: _Header, name: str, values: list[str], file: Path, number: int) -> None:
    key = name.lower()
    if key in _FLAGS:
        header.flags[key] = _flag(name, values, file, number)
    elif key in _NUMBERS:
        if len(values) != 1 or not values[0].isdecimal() or int(values[0]) < 1:
            raise _wrong(file, number, f"@{name} must be a whole number of at least 1; got {' '.join(values)!r}")
        header.numbers[key] = int(values[0])
    elif key == "classlabel":
        if _flag(name, values[:1], file, number):
            if len(values) < 2:
                raise _wrong(file, number, "'@classLabel true' must name the classes, such as '@classLabel true a b'")
            header.classes = tuple(values[1:])
    elif key not in _IGNORED:
        known = "problemName, timeStamps, missing, univariate, dimensions, equalLength, seriesLength, classLabel, "
        raise _wrong(file, number, f"the header @{name} is unknown; known are {known}targetLabel, data")


def _flag(name: str, values: list[str], file: Path, number: int) -> bool:
    if len(values) != 1 or values[0].lower() not in ("true", "false"):
        raise _wrong(file, number, f"@{name} must be true or false; got {' '.join(values)!r}")
    return values[0].lower() == "true"


def _check_header(header: _Header, seen: dict[str, int], file: Path) -> None:
    flags, numbers = header.flags, header.numbers
    if flags.get("timestamps", False):
        raise UnsupportedError(
            f"{str(file)!r}, line {seen['timestamps']}: values with time stamps (@timeStamps true) cannot be read; "
            "write the values alone, at even steps, with ? where one is missing"
        )
    if header.classes is not None and flags.get("targetlabel", False):
        raise _wrong(file, seen["targetlabel"], "@classLabel and @targetLabel contradict each other; keep one")
    if flags.get("univariate", False) and numbers.get("dimensions", 1) != 1:
        raise _wrong(file, seen["dimensions"], f"@dimensions {numbers['dimensions']} contradicts @univariate true")
    if flags.get("univariate") is False and numbers.get("dimensions") == 1:
        raise _wrong(file, seen["dimensions"], "@dimensions 1 contradicts @univariate false")
    if flags.get("equallength") is False and "serieslength" in numbers:
        length = numbers["serieslength"]
        raise _wrong(file, seen["serieslength"], f"@seriesLength {length} contradicts @equalLength false")


def _read_data(lines: Iterator[tuple[int, str]], header: _Header, file: Path) -> LabelledSeries:
    rules = _Rules(header, file)
    sequences: list[npt.NDArray[np.float64]] = []
    labels: list[Any] = []
    for number, text in lines:
        *dimensions, label = text.split(":") if header.labelled else [*text.split(":"), ""]
        sequence = np.stack(rules.channels(dimensions, number), axis=1)  # [time, channel]
        rules.check(sequence, number)
        sequences.append(sequence)
        if header.labelled:
            labels.append(rules.label(label.strip(), number))
    if not sequences:
        raise FileFormatError(f"{str(file)!r} has no series behind '@data'; expected a line for each")
    regressed = header.flags.get("targetlabel", False)
    return LabelledSeries(
        sequences=Ragged.of(sequences),
        labels=np.array(labels, np.float64 if regressed else object) if header.labelled else None,
        channels=tuple(f"channel {index}" for index in range(sequences[0].shape[1])),
        ids=np.arange(len(sequences)),
        numbers=regressed,
    )


class _Rules:
    """What the header promises of each series, and what the first series settles."""

    def __init__(self, header: _Header, file: Path) -> None:
        self.header, self.file = header, file
        self.length = header.numbers.get("serieslength")
        self.length_from = "@seriesLength"
        self.dimensions = 1 if header.flags.get("univariate", False) else header.numbers.get("dimensions")
        self.dimensions_from = "@univariate true" if header.flags.get("univariate", False) else "@dimensions"

    def channels(self, texts: list[str], number: int) -> list[npt.NDArray[np.float64]]:
        """Read the channels of one series, as long as each other. Raises `FileFormatError`, `DataError`."""
        if not texts:
            raise _wrong(self.file, number, "a series and its label need a ':' between them; found none")
        if self.dimensions is None:
            self.dimensions, self.dimensions_from = len(texts), f"the series in line {number}"
        if len(texts) != self.dimensions:
            raise _wrong(
                self.file,
                number,
                f"{len(texts)} dimension(s), where {self.dimensions_from} says {self.dimensions}; dimensions have ':' "
                "between them" + (", and before the label" if self.header.labelled else ""),
            )
        channels = [self._values(text, number) for text in texts]
        for place, channel in enumerate(channels[1:], start=2):
            if len(channel) != len(channels[0]):
                raise _wrong(
                    self.file,
                    number,
                    f"dimension {place} has {len(channel)} steps, dimension 1 has {len(channels[0])}; "
                    "the dimensions of a series must be of one length, with ? where a value is missing",
                )
        return channels

    def _values(self, text: str, number: int) -> npt.NDArray[np.float64]:
        fields = text.split(",")
        if text.lstrip().startswith("("):
            raise UnsupportedError(
                f"{str(self.file)!r}, line {number}: values with time stamps, such as {fields[0] + ',…'!r}, cannot be "
                "read; write the values alone"
            )
        if fields == [""]:
            raise _wrong(self.file, number, "a series of length 0; leave it out")
        try:
            values = np.fromiter(map(float, fields), np.float64, len(fields))
        except ValueError:
            values = np.array([self._value(field.strip(), place, number) for place, field in enumerate(fields, 1)])
        infinite = np.flatnonzero(np.isinf(values))
        if infinite.size:
            raise DataError(
                f"{str(self.file)!r}, line {number}: value {infinite[0] + 1} is infinite; correct it, or write ? if it "
                "is missing"
            )
        return values

    def _value(self, field: str, place: int, number: int) -> float:
        if field == "?":
            return math.nan
        try:
            return float(field)
        except ValueError:
            raise _wrong(
                self.file, number, f"value {place} must be a number, or ? where it is missing; got {field!r}"
            ) from None

    def check(self, sequence: npt.NDArray[np.float64], number: int) -> None:
        """Hold a series ``[time, channel]`` against the header. Raises `FileFormatError`."""
        length, flags = len(sequence), self.header.flags
        if self.length is None and flags.get("equallength", False):
            self.length, self.length_from = length, f"@equalLength true, and the series in line {number},"
        if self.length is not None and length != self.length:
            raise _wrong(self.file, number, f"{length} steps, where {self.length_from} says {self.length}")
        if flags.get("missing") is False and np.isnan(sequence).any():
            raise _wrong(self.file, number, "a missing value, where @missing false says that there are none")

    def label(self, text: str, number: int) -> str | float:
        """Read what is said of a series. Raises `FileFormatError`."""
        classes = self.header.classes
        if classes is None:
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise _wrong(self.file, number, f"the target must be a finite number; got {text!r}")
            return value
        if text not in classes:
            known = ", ".join(map(repr, classes))
            raise _wrong(self.file, number, f"the class {text!r} is not among those of @classLabel: {known}")
        return text


def _wrong(file: Path, number: int, what: str) -> FileFormatError:
    return FileFormatError(f"{str(file)!r}, line {number}: {what}")
