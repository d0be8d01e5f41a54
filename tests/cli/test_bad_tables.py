"""What can be wrong with a CSV file: each ends in one line and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lines = Callable[..., list[str]]
COLUMNS = ("--time", "date", "--target", "units", "--id", "store")


def spoiled(lines: list[str], number: int, text: str | None) -> list[str]:
    """Replace line ``number``, counted from 1; ``None`` drops it."""
    return [*lines[: number - 1], *([] if text is None else [text]), *lines[number:]]


@pytest.fixture
def refused(cli: Any, tiny: tuple[str, ...], tmp_path: Path) -> Callable[..., None]:
    """Forecast a file, and check that it was refused in the right way."""

    def check(csv: Path, *said: str, options: tuple[str, ...] = COLUMNS, last: tuple[str, ...] = ()) -> None:
        out = tmp_path / "run"
        # Of an option given twice the last counts.
        result = cli("forecast", csv, *options, "--horizon", 3, "--out", out, *tiny, *last)
        assert result.code == 2
        assert result.out == ""
        assert len(result.errors) == 1, result.err
        assert result.err.splitlines()[-1] == result.errors[0]
        for part in said:
            assert part in result.errors[0]
        assert "Traceback" not in result.err
        assert not out.exists()

    return check


SPOILT: dict[str, tuple[int, str | None, tuple[str, ...]]] = {
    "text for a number": (5, "north,2024-01-05,many", ("column 'units', line 5: expected a number, got 'many'",)),
    "decimal comma": (5, 'north,2024-01-05,"1,5"', ("line 5", "'1,5'", "decimal point")),
    "infinite": (5, "north,2024-01-05,inf", ("column 'units'", "line 5", "inf")),
    "minus infinite": (5, "north,2024-01-05,-Infinity", ("column 'units'", "line 5", "inf")),
    "1e30": (5, "north,2024-01-05,1e30", ("column 'units'", "line 5", "1e+30")),
    "unreadable date": (5, "north,2024-13-45,1", ("column 'date'", "line 5", "'2024-13-45'")),
    "no date": (5, "north,,1", ("column 'date', line 5: the time stamp is missing",)),
    "no id": (5, ",2024-01-05,1", ("column 'store', line 5: the id is missing",)),
    "doubled time stamp": (5, "north,2024-01-04,1", ("2024-01-04", "line 5", "north")),
    "too few fields": (5, "north,2024-01-05", ("line 5: expected 3 fields (store, date, units), got 2",)),
    "too many fields": (5, "north,2024-01-05,1,2", ("line 5: expected 3 fields", "got 4", "quotes")),
    "off the grid": (5, "north,2024-01-04T07:00,1", ("date", "line 5")),
    "mixed time zones": (5, "north,2024-01-05T00:00:00+05:00,1", ("column 'date'", "mixed UTC offsets")),
    "an open quote": (5, 'north,2024-01-05,"1', ("close every quote",)),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_line_is_named(name: str, lines: Lines, write: Any, refused: Any) -> None:
    number, text, said = SPOILT[name]
    refused(write(spoiled(lines(30), number, text)), *said)


def test_an_empty_file(write: Any, refused: Any) -> None:
    refused(write(b""), "sales.csv' is empty")


def test_a_header_alone(lines: Lines, write: Any, refused: Any) -> None:
    refused(write(lines(0)), "sales.csv' has a header but no rows")


def test_one_row(lines: Lines, write: Any, refused: Any) -> None:
    refused(write(lines(1)), "the frequency cannot be inferred from one row a series")
    refused(write(lines(1)), "series 'north' has 1 row, at least", last=("--frequency", "D"))


def test_no_file(tmp_path: Path, refused: Any) -> None:
    refused(tmp_path / "absent.csv", "no CSV file at", "absent.csv'")


def test_a_folder_for_a_file(tmp_path: Path, refused: Any) -> None:
    refused(tmp_path, "found a folder")


def test_unsorted_rows_are_refused(lines: Lines, write: Any, refused: Any) -> None:
    table = lines(30)
    table[4], table[5] = table[5], table[4]
    refused(write(table), "line 6", "north", "2024-01-05", "--sort")


@pytest.mark.parametrize(
    ("option", "name", "role"), [("--time", "day", "time"), ("--target", "unit", "target"), ("--id", "stores", "id")]
)
def test_a_missing_or_renamed_column(option: str, name: str, role: str, lines: Lines, write: Any, refused: Any) -> None:
    given = dict(zip(COLUMNS[::2], COLUMNS[1::2], strict=True)) | {option: name}
    options = tuple(word for pair in given.items() for word in pair)
    refused(write(lines(30)), f"the {role} column '{name}' is not in the table", "'date'", options=options)


def test_a_doubled_column(write: Any, refused: Any) -> None:
    refused(write(["store,date,units,units", "a,2024-01-01,1,2"]), "2 columns named 'units'")


def test_a_column_with_two_parts_to_play(lines: Lines, write: Any, refused: Any) -> None:
    options = ("--time", "date", "--target", "date")
    refused(write(lines(30)), "'date' is named twice", options=options)


def test_several_series_without_an_id_column(lines: Lines, write: Any, refused: Any) -> None:
    table = lines(30, series=("north", "south"))
    refused(write(table), "date", "line 32", options=("--time", "date", "--target", "units"))


def test_semicolons(lines: Lines, write: Any, refused: Any) -> None:
    refused(write([line.replace(",", ";") for line in lines(30)]), "separate fields with commas")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "expected UTF-8 text"),
        (b"store,date,units\nnorth,2024-01-01,1\x00\n", "line 2: a NUL byte"),
        ("store,date,units\nKöln,2024-01-01,1\n".encode("latin-1"), "line 2: byte 0xf6"),
        (gzip.compress(b"store,date,units\n" * 9, mtime=0)[:-12], "broken gzip"),
        (b"\x1f\x8bnot gzip at all", "broken gzip"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00", "NUL byte"),
    ],
)
def test_binary_files(content: bytes, said: str, write: Any, refused: Any) -> None:
    refused(write(content), said)


def test_mixed_frequencies(lines: Lines, write: Any, refused: Any) -> None:
    hourly = [f"south,2024-01-{day:02}T{hour:02}:00,1.5" for day in (1, 2) for hour in range(24)]
    refused(write([*lines(30), *hourly]), "one frequency, but series 'south' has 'h' and series 'north' has 'D'")


def _hours(texts: list[str]) -> list[str]:
    return ["store,date,units", *(f"north,{text},{100 + place % 7}" for place, text in enumerate(texts))]


def test_the_hour_that_autumn_repeats(write: Any, refused: Any) -> None:
    hours = [f"2024-10-{day}T{hour:02}:00" for day in (26, 27) for hour in range(24)]
    hours.insert(27, "2024-10-27T02:00")
    refused(write(_hours(hours)), "2024-10-27 02:00:00", "line 29", "north")


def test_offsets_that_change_with_daylight_saving(write: Any, refused: Any) -> None:
    hours = [f"2024-03-31T{hour:02}:00+0{1 + (hour > 1)}:00" for hour in range(24) if hour != 2]
    refused(write(_hours(hours)), "mixed UTC offsets", "line 2", "line 4", "UTC")


def test_a_short_series_is_named(lines: Lines, write: Any, refused: Any) -> None:
    table = lines(40, series=("north", "south")) + lines(5, series=("west",))[1:]
    refused(write(table), "series 'west' has 5 rows", "at least", "(--skip-short)")


def test_all_series_too_short(lines: Lines, write: Any, refused: Any) -> None:
    refused(write(lines(7)), "series 'north' has 7 rows", "at least")


@pytest.mark.parametrize("horizon", ["0", "-3"])
def test_a_horizon_that_is_none(horizon: str, cli: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    result = cli("forecast", write(lines(30)), *COLUMNS, "--horizon", horizon, "--out", tmp_path / "run")
    assert result.code == 2
    assert result.err == f"tidegate: error: --horizon must be a whole number of at least 1; got {horizon}\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--windows", "0", "--windows must be a whole number of at least 1; got 0"),
        ("--context", "0", "context must be a whole number of at least 1; got 0"),
        ("--season", "-1", "season must be a whole number of at least 1; got -1"),
        ("--season", "9", "season (9) must fit into the context (6)"),
        ("--cell", "rnn", "cell must be one of 'lstm', 'gru'; got 'rnn'"),
        ("--strategy", "magic", "strategy must be one of"),
        ("--hidden-size", "0", "--hidden-size must be a whole number of at least 1; got 0"),
        ("--layers", "0", "--layers must be a whole number of at least 1; got 0"),
        ("--epochs", "0", "--epochs must be a whole number of at least 1; got 0"),
        ("--batch-size", "-1", "--batch-size must be a whole number of at least 1; got -1"),
        ("--learning-rate", "0", "--learning-rate must be more than 0; got 0"),
        ("--learning-rate", "nan", "--learning-rate must be a finite number; got nan"),
        ("--seed", "-1", "seed must be a whole number of at least 0; got -1"),
        ("--device", "abacus", "device must be"),
        ("--frequency", "fortnightly", "fortnightly"),
    ],
)
def test_options_that_cannot_be(option: str, value: str, said: str, lines: Lines, write: Any, refused: Any) -> None:
    refused(write(lines(30)), said, last=(option, value))
