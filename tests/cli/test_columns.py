from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli.columns import ColumnFlags, choose_columns, header_of
from tidegate.errors import SpecError
from tidegate.specs import Columns


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
    columns, remarks = choose_columns(header, ColumnFlags())
    assert columns.time == time
    assert remarks == ([] if time == "ds" else [f"the time column is {time!r}; name another with --time"])


def test_what_was_named_is_taken_without_remark() -> None:
    flags = ColumnFlags(time="date", target=["a, b", "c"], id="store", frequency="MS")
    columns, remarks = choose_columns(["date", "ds"], flags)
    assert (columns.time, columns.targets, columns.id, columns.frequency) == ("date", ("a", "b", "c"), "store", "MS")
    assert remarks == []


def test_a_name_with_a_comma_is_one_column() -> None:
    columns, _ = choose_columns(["ds", "a,b"], ColumnFlags(target=["a,b"]))
    assert columns.targets == ("a,b",)


def test_a_target_is_not_taken_for_the_time() -> None:
    columns, _ = choose_columns(["day", "time"], ColumnFlags(target=["day"]))
    assert columns.time == "time"


@pytest.mark.parametrize("flags", [{"known": ["month"]}, {"past": ["x,month"]}, {"weight": "month"}])
def test_a_covariate_is_not_taken_for_the_time(flags: dict[str, Any]) -> None:
    columns, _ = choose_columns(["month", "day", "x"], ColumnFlags(**flags))
    assert columns.time == "day"


def test_covariates_and_features_come_with_commas_or_one_by_one() -> None:
    flags = ColumnFlags(
        known=["price,holiday"],
        past=["wind", "rain"],
        static=["region, size"],
        weight="w",
        calendar=["hour,weekday"],
        fourier=3,
    )
    columns, _ = choose_columns(["ds", "hour,weekday"], flags)
    assert columns == Columns(
        known=("price", "holiday"),
        past=("wind", "rain"),
        static=("region", "size"),
        weight="w",
        calendar=("hour", "weekday"),
        fourier=3,
    )


def test_a_frequency_of_digits_counts_steps() -> None:
    assert choose_columns(["ds"], ColumnFlags(frequency="5"))[0].frequency == 5


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(SpecError, match="'units' is named twice"):
        choose_columns(["ds"], ColumnFlags(target=["units"], id="units"))


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
