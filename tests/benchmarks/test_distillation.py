"""`benchmarks/distillation.py` on made-up series: what is read, what is scored, what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

import distillation


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the training part of a set, and give its folder."""
    monkeypatch.setattr(distillation, "DATA", tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    made = tmp_path / "classification"
    made.mkdir()
    rng = np.random.default_rng(0)
    lines = ["@classLabel true a b", "@data"]
    for index in range(12):
        values = rng.normal(size=6) + 9 * (index % 2)
        lines.append(",".join(map(str, values)) + f":{'ab'[index % 2]}")
    (made / "JapaneseVowels_TRAIN.ts.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return made


@pytest.mark.usefixtures("folder")
def test_validation_reads_no_test_part(capsys: pytest.CaptureFixture[str]) -> None:
    distillation.main(["vowels", "--seeds", "0", "--validate", "--steps", "2"])
    *_, row = capsys.readouterr().out.strip().splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    teacher, student = (int(cell.replace(",", "")) for cell in cells[1].split(", "))
    assert cells[0] == "vowels"
    assert student < teacher / 4
    assert cells[6] in ("0 of 1", "1 of 1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tides"], "there is no task 'tides'; there are vowels, polarity, chunks, hourly"),
        (["--share", "1"], "the test parts are scored once, by what was chosen: add --validate"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        distillation.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
