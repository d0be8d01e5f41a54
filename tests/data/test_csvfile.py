from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tidegate.data.csvfile as module
from tidegate.data import read_csv, read_frame
from tidegate.errors import ColumnError, DataError, FileFormatError, MissingFileError, TidegateError, TimeStampError
from tidegate.specs import Columns

GOOD = "unique_id,ds,y\nA,2026-01-01,1\nA,2026-01-02,2.5\nB,2026-01-01,\nB,2026-01-02,4\n"


def _file(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("chunk", [1, 3, 65_536])
def test_a_file_reads_as_the_frame_does(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    path = _file(tmp_path, GOOD)
    table, frame = read_csv(path), read_frame(pd.read_csv(path, parse_dates=["ds"]))
    assert table.ids.tolist() == ["A", "B"]
    assert np.array_equal(table.values, frame.values, equal_nan=True)
    assert (table.times == frame.times).all()
    assert table.columns == frame.columns
    assert table.notes == ("column 'y': 1 missing value masked in 1 series; the first in series 'B', line 4",)


def test_compression_marks_quotes_blank_lines_and_missing_words_are_understood(tmp_path: Path) -> None:
    first = '\ufeffunique_id,note,ds,y\r\n"A, the first","two\nlines",1,NA\r\n\r\n'
    text = first + '"A, the first",x,2,nan\r\n"A, the first",,3,7e0\r\n'
    table = read_csv(_file(tmp_path, gzip.compress(text.encode(), mtime=0), "table.csv.gz"))
    assert table.ids.tolist() == ["A, the first"]
    assert table.times.tolist() == [1, 2, 3]
    assert table.values[2, 0] == 7
    assert table.notes[0].endswith("line 3")  # the field with two lines ends there


def test_ids_stay_text_unless_all_are_whole_numbers(tmp_path: Path) -> None:
    assert read_csv(_file(tmp_path, "unique_id,ds,y\n10,1,1\n10,2,1\n9,1,1\n9,2,1\n")).ids.tolist() == [10, 9]
    assert read_csv(_file(tmp_path, "unique_id,ds,y\n007,1,1\n007,2,1\n")).ids.tolist() == ["007"]


def test_wide_files_and_names_of_ones_own(tmp_path: Path) -> None:
    path = _file(tmp_path, "date,HUFL,OT,note\n2026-01-01 00:00:00,,1,a\n2026-01-01 01:00:00,3,2,b\n")
    table = read_csv(path, Columns(time="date"))
    assert table.columns == Columns(time="date", targets=("HUFL", "OT"), frequency="h")
    assert not table.has_id


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", FileFormatError, "is empty; expected a line of column names and at least one row"),
        ("\n\n", FileFormatError, "is empty"),
        ("unique_id,ds,y\n", DataError, "has a header but no rows"),
        ("unique_id,ds,y\nA,1\n", FileFormatError, r"line 2: expected 3 fields \(unique_id, ds, y\), got 2"),
        ("unique_id,ds,y\nA,1,2\nA,2,3,4\n", FileFormatError, r"line 3: expected 3 fields .*, got 4; a comma inside"),
        (
            "unique_id,ds,y\nA,1,2\nA,2,two\n",
            DataError,
            "column 'y', line 3: expected a number, got 'two'; or leave it",
        ),
        ('unique_id,ds,y\nA,1,"1,5"\n', DataError, "line 2: expected a number, got '1,5'; write a decimal point"),
        ("unique_id,ds,y\nA,1,inf\nA,2,1\n", DataError, "column 'y', line 2: expected a finite number, got inf"),
        ("unique_id,ds,y\nA,1,1e30\nA,2,1\n", DataError, r"column 'y', line 2: 1e\+30 is larger than 1e\+15"),
        ("unique_id,ds,y\n,1,1\n", DataError, "column 'unique_id', line 2: the id is missing"),
        ("unique_id,ds,y\nA,,1\n", TimeStampError, "column 'ds', line 2: the time stamp is missing"),
        (
            "unique_id,ds,y\nA,2026-01-01,1\nA,2026-13-01,1\n",
            TimeStampError,
            "line 3: cannot read '2026-13-01' as a date",
        ),
        (
            "unique_id,ds,y\nA,1,1\nA,soon,1\n",
            TimeStampError,
            "line 3: expected a whole number as in the lines before, got 'soon'",
        ),
        (
            "unique_id,ds,y\nA,3,1\nA,2,1\n",
            TimeStampError,
            r"line 3: time stamps must ascend .* in series 'A' 2 follows 3 \(line 2\)",
        ),
        (
            "unique_id,ds,y\nA,3,1\nA,3,1\n",
            TimeStampError,
            r"series 'A' has the time stamp 3 twice \(line 2 and line 3\)",
        ),
        ("unique_id,ds,y\nA,3,1\n", TimeStampError, "cannot be inferred from one row a series"),
        ("unique_id,ds,ds\nA,3,1\n", ColumnError, "the table has 2 columns named 'ds'"),
        (
            "unique_id,date,y\nA,3,1\n",
            ColumnError,
            "the time column 'ds' is not in the table, which has 'unique_id', 'date', 'y'",
        ),
        ("unique_id;ds;y\nA;3;1\n", ColumnError, "has one column, 'unique_id;ds;y'; separate fields with commas"),
        ('unique_id,ds,y\nA,3,"1\n', FileFormatError, "line 2: unexpected end of data; close every quote"),
        (
            b"unique_id,ds,y\nA,3,\x001\n",
            FileFormatError,
            "line 2: a NUL byte; expected CSV text, this is a binary file",
        ),
        (b"unique_id,ds,y\nA,3,\xff1\n", FileFormatError, "line 2: byte 0xff at 4: expected UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", FileFormatError, "line 1: byte 0x89 at 0: expected UTF-8 text"),
        (gzip.compress(GOOD.encode() * 50, mtime=0)[:-20], FileFormatError, "is broken gzip"),
        (b"\x1f\x8b but not really", FileFormatError, "is broken gzip"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: str | bytes, error: type[TidegateError], message: str) -> None:
    with pytest.raises(error, match=message):
        read_csv(_file(tmp_path, content))


def test_offsets_may_not_change_within_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 2)
    rows = [f"2026-01-01T0{hour}:00:00+0{1 if hour < 2 else 2}:00,1" for hour in range(4)]
    with pytest.raises(TimeStampError, match="column 'ds', line 4 or after: time stamps of another kind or UTC offset"):
        read_csv(_file(tmp_path, "ds,y\n" + "\n".join(rows)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no CSV file at .*none.csv"):
        read_csv(tmp_path / "none.csv")


@pytest.mark.data
def test_m4_hourly_is_read_whole(public_data: Path) -> None:
    table = read_csv(public_data / "forecasting" / "m4_hourly_train.csv.gz")
    assert (len(table), len(table.times), table.columns.frequency) == (414, 353_500, 1)
    assert table.ids[:2].tolist() == ["H1", "H2"]
    assert table.values[:2, 0].tolist() == [605, 586]
