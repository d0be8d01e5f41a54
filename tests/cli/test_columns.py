from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tidegate.cli.columns import choose_columns, header_of
from tidegate.errors import SpecError


@pytest.mark.parametrize(
    ("header", "time"),
    [
        (["unique_id", "ds", "date", "y"], "ds"),
        (["id", "Date", "y"], "Date"),
        (["y", "timestamp"], "timestamp"),
        (["value", "Month"], "Month"),
        (["when", "y"], "ds"),  # not there: reading the table will say so
    ],
)
def test_the_time_column_is_found_by_its_name(header: list[str], time: str) -> None:
    columns, remarks = choose_columns(header)
    assert columns.time == time
    assert remarks == ([] if time == "ds" else [f"the time column is {time!r}; name another with --time"])


def test_what_was_named_is_taken_without_remark() -> None:
    columns, remarks = choose_columns(["date", "ds"], time="date", targets=["a, b", "c"], id="store", frequency="MS")
    assert (columns.time, columns.targets, columns.id, columns.frequency) == ("date", ("a", "b", "c"), "store", "MS")
    assert remarks == []


def test_a_name_with_a_comma_is_one_column() -> None:
    columns, _ = choose_columns(["ds", "a,b"], targets=["a,b"])
    assert columns.targets == ("a,b",)


def test_a_target_is_not_taken_for_the_time() -> None:
    columns, _ = choose_columns(["day", "time"], targets=["day"])
    assert columns.time == "time"


def test_a_frequency_of_digits_counts_steps() -> None:
    assert choose_columns(["ds"], frequency="5")[0].frequency == 5


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(SpecError, match="'units' is named twice"):
        choose_columns(["ds"], targets=["units"], id="units")


def test_the_header_is_read_from_plain_and_packed_files(tmp_path: Path) -> None:
    text = '\ufeffstore,"a,b"\n1,2\n'.encode()
    (tmp_path / "plain.csv").write_bytes(text)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text))
    assert header_of(tmp_path / "plain.csv") == header_of(tmp_path / "packed.csv.gz") == ["store", "a,b"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x1f\x8bbroken", b'"open'])
def test_a_file_without_a_readable_header_raises_nothing_yet(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    assert header_of(tmp_path / "x.csv") in ([], ["open"])
    assert header_of(tmp_path / "absent.csv") == []
    assert header_of(tmp_path) == []
