"""`benchmarks/series.py` on small made-up series: what is read, what is scored."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

import series


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the training part of a set, and give its folder."""
    monkeypatch.setenv("TIDEGATE_DATA", str(tmp_path))
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    made = tmp_path / "classification"
    made.mkdir()
    _write(made / "Tides_TRAIN.ts.gz", 12)
    return made


def _write(path: Path, number: int) -> None:
    rng = np.random.default_rng(0)
    lines = ["@classLabel true a b", "@data"]
    for index in range(number):
        values = rng.normal(size=6) + 9 * (index % 2)
        lines.append(",".join(map(str, values)) + f":{'ab'[index % 2]}")
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def test_validation_reads_no_test_part(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not (folder / "Tides_TEST.ts.gz").exists()
    series.main(["Tides", "--seeds", "0", "--validate", "--folds", "2", "--steps", "2"])
    *_, row = capsys.readouterr().out.strip().splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[0], cells[4], cells[5]) == ("Tides", "1.000", "0.500")
    assert len(cells[2].split()) == 2


def test_a_fit_for_each_seed_on_the_test_part(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(folder / "Tides_TEST.ts.gz", 4)
    whole = series.recipe
    monkeypatch.setattr(series, "recipe", lambda seed, steps: whole(seed, steps or 2))
    series.main(["Tides", "--seeds", "0", "1", "2"])
    *_, row = capsys.readouterr().out.strip().splitlines()
    assert len(row.split("|")[3].split()) == 3


def test_few_steps_are_for_validation_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        series.main(["--steps", "3"])
    assert "the test part is scored once: add --validate" in capsys.readouterr().err
