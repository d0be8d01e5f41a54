"""`.ts` files: what is read, and every way in which a file can contradict itself."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tidegate.data import LabelledSeries, read_ts
from tidegate.errors import DataError, FileFormatError, MissingFileError, TidegateError, UnsupportedError

HEADER = ("@problemName Tides", "@timeStamps false", "@univariate false", "@classLabel true ebb flow", "@data")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(*lines: str, name: str = "tides.ts") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return written


def test_channels_lengths_and_missing_values(write: Write) -> None:
    path = write("# a comment: 1,2", "", *HEADER, "1,2,3:4,?,6:ebb", "", "7, NaN :8,9:flow", "# the end")
    data = read_ts(path)
    assert len(data) == 2
    np.testing.assert_array_equal(data.sequences[0], [[1, 4], [2, np.nan], [3, 6]])
    np.testing.assert_array_equal(data.sequences[1], [[7, 8], [np.nan, 9]])
    assert data.labels is not None
    assert (data.labels.tolist(), data.ids.tolist(), data.numbers) == (["ebb", "flow"], [0, 1], False)
    assert data.channels == ("channel 0", "channel 1")


def test_a_series_is_taken_with_what_is_said_of_it(write: Write) -> None:
    part = read_ts(write(*HEADER, "1,2:3,4:ebb", "5:6:flow", "7:8:ebb")).take(np.array([2, 1]))
    assert part.labels is not None
    assert (part.labels.tolist(), part.ids.tolist(), part.sequences.flat.tolist()) == (
        ["ebb", "flow"],
        [2, 1],
        [[7, 8], [5, 6]],
    )


def test_numbers_to_regress(write: Write) -> None:
    data = read_ts(write("@targetLabel true", "@data", "1,2:0.5", "3,4:-2"))
    assert data.labels is not None
    assert (data.labels.tolist(), data.numbers) == ([0.5, -2.0], True)


def test_series_of_which_nothing_is_said(write: Write) -> None:
    data = read_ts(write("@classLabel false", "@data", "1,2:3,4"))
    assert data.labels is None
    assert data.sequences[0].tolist() == [[1, 3], [2, 4]]


def test_gzip_and_a_byte_order_mark_make_no_difference(write: Write, tmp_path: Path) -> None:
    plain = write(*HEADER, "1,2:3,4:ebb")
    packed = tmp_path / "tides.ts.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + plain.read_bytes()))
    np.testing.assert_array_equal(read_ts(packed).sequences.flat, read_ts(plain).sequences.flat)


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (
            ("@univariate true", "@data", "1:2"),
            3,
            "2 dimension(s), where @univariate true says 1; dimensions have ':' ",
        ),
        (("@dimensions 3", "@data", "1:2"), 3, "2 dimension(s), where @dimensions says 3; dimensions have ':' between"),
        (
            ("@data", "1:2", "1"),
            3,
            "1 dimension(s), where the series in line 2 says 2; dimensions have ':' between them",
        ),
        (("@seriesLength 3", "@data", "1,2"), 3, "2 steps, where @seriesLength says 3"),
        (
            ("@equalLength true", "@data", "1,2", "1"),
            4,
            "1 steps, where @equalLength true, and the series in line 3, says 2",
        ),
        (("@missing false", "@data", "1,?"), 3, "a missing value, where @missing false says that there are none"),
        (("@classLabel true a b", "@data", "1:c"), 3, "the class 'c' is not among those of @classLabel: 'a', 'b'"),
        (("@classLabel true a b", "@data", "1,2"), 3, "a series and its label need a ':' between them; found none"),
        (
            ("@classLabel true", "@data", "1:a"),
            1,
            "'@classLabel true' must name the classes, such as '@classLabel true a",
        ),
        (("@targetLabel true", "@data", "1:high"), 3, "the target must be a finite number; got 'high'"),
        (("@targetLabel true", "@data", "1:inf"), 3, "the target must be a finite number; got 'inf'"),
        (
            ("@classLabel true a b", "@targetLabel true", "@data"),
            2,
            "@classLabel and @targetLabel contradict each other; keep one",
        ),
        (("@univariate true", "@dimensions 2", "@data"), 2, "@dimensions 2 contradicts @univariate true"),
        (("@univariate false", "@dimensions 1", "@data"), 2, "@dimensions 1 contradicts @univariate false"),
        (("@equalLength false", "@seriesLength 4", "@data"), 2, "@seriesLength 4 contradicts @equalLength false"),
        (("@missing maybe", "@data"), 1, "@missing must be true or false; got 'maybe'"),
        (("@dimensions two", "@data"), 1, "@dimensions must be a whole number of at least 1; got 'two'"),
        (("@seriesLength 0", "@data"), 1, "@seriesLength must be a whole number of at least 1; got '0'"),
        (("@missing true", "@Missing true", "@data"), 2, "@Missing stands in line 1 already; keep one of the two"),
        (("@colour blue", "@data"), 1, "the header @colour is unknown; known are problemName, timeStamps, missing, "),
        (("1,2,3",), 1, "expected a header such as '@classLabel true a b', and '@data' before the data"),
        (("@data", "1,2,x"), 2, "value 3 must be a number, or ? where it is missing; got 'x'"),
        (("@data", "1,,2"), 2, "value 2 must be a number, or ? where it is missing; got ''"),
        (
            ("@data", "1,2:3"),
            2,
            "dimension 2 has 1 steps, dimension 1 has 2; the dimensions of a series must be of one ",
        ),
        (("@classLabel true a b", "@data", ":a"), 3, "a series of length 0; leave it out"),
    ],
)
def test_what_contradicts_itself(write: Write, lines: tuple[str, ...], line: int, message: str) -> None:
    path = write(*lines)
    with pytest.raises(FileFormatError, match=f"^{re.escape(f'{str(path)!r}, line {line}: {message}')}"):
        read_ts(path)


@pytest.mark.parametrize(
    ("kind", "lines", "message"),
    [
        (DataError, ("@data", "1,-inf"), ", line 2: value 2 is infinite; correct it, or write ? if it is missing"),
        (UnsupportedError, ("@timeStamps true", "@data", "(0,1),(1,2)"), ", line 1: values with time stamps (@time"),
        (
            UnsupportedError,
            ("@data", "(0,1),(1,2)"),
            ", line 2: values with time stamps, such as '(0,…', cannot be read",
        ),
        (FileFormatError, ("@missing false",), " has no line '@data'; expected headers, '@data', then a line for each"),
        (FileFormatError, ("@missing false", "@data"), " has no series behind '@data'; expected a line for each"),
        (FileFormatError, (), " has no line '@data'; expected headers"),
    ],
)
def test_what_cannot_be_read(write: Write, kind: type[TidegateError], lines: tuple[str, ...], message: str) -> None:
    path = write(*lines)
    with pytest.raises(kind, match=f"^{re.escape(f'{str(path)!r}{message}')}"):
        read_ts(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"@data\n1,\xff\n", ", line 2: byte 0xff: expected UTF-8 text; save the file as UTF-8"),
        (b"@data\n1,\0\n", ", line 2: a NUL byte; expected text, this is a binary file"),
        (gzip.compress(b"@data\n" + b"1,2\n" * 50, mtime=0)[:-9], " is broken gzip ("),
    ],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "tides.ts"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=f"^{re.escape(f'{str(path)!r}{message}')}"):
        read_ts(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"\.ts file"):
        read_ts(tmp_path / "nothing.ts")


@pytest.mark.parametrize(
    ("name", "series", "channels", "lengths", "classes"),
    [
        ("JapaneseVowels", 270, 12, (7, 26), 9),
        ("BasicMotions", 40, 6, (100, 100), 4),
        ("ArrowHead", 36, 1, (251, 251), 3),
    ],
)
def test_files_of_the_archives(name: str, series: int, channels: int, lengths: tuple[int, int], classes: int) -> None:
    folder = os.environ.get("TIDEGATE_DATA", "../shared/data")
    path = Path(folder) / "classification" / f"{name}_TRAIN.ts.gz"
    if not path.exists():
        pytest.skip(f"needs {path}")
    data: LabelledSeries = read_ts(path)
    assert data.labels is not None
    assert (len(data), data.sequences.flat.shape[1], len(set(data.labels))) == (series, channels, classes)
    assert (data.sequences.lengths.min(), data.sequences.lengths.max()) == lengths
