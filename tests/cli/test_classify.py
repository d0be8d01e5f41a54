from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LINES = ["label,text", *["spam,win cash now", "ham,see you at home", "spam,win a prize", "ham,home by seven"] * 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--label", "label"],
            "{path} has no column 'ds' of time stamps; give --text COLUMN if its rows are texts, or --time COLUMN if "
            "they are steps of series; it has 'label', 'text'",
        ),
        (["--label", "label", "--unit", "words"], "--unit is an option for texts, which --text COLUMN asks for"),
        (
            ["--text", "text", "--label", "label", "--augment"],
            "--augment is an option for whole series; --text says that the rows are texts",
        ),
        (["--text", "text"], "texts need --label, the column that says what a text is"),
        (
            ["--text", "text", "--label", "label", "--holdout", "1"],
            "--holdout must be a probability, 0 ≤ --holdout < 1; got 1.0",
        ),
        (
            ["--text", "text", "--label", "label", "--wide", "all"],
            "--wide must be one of 'both', 'words', 'characters', 'none'; got 'all'",
        ),
        (["--text", "body", "--label", "label"], "{path} has no column 'body'; it has 'label', 'text'"),
        (["--text", "text", "--label", "kind"], "{path} has no column 'kind'; it has 'label', 'text'"),
        (["--text", "text", "--label", "text"], "text and label must be two columns; got 'text' for both"),
    ],
)
def test_what_cannot_be_is_refused(
    cli: Any, write: Callable[..., Path], tmp_path: Path, options: list[str], message: str
) -> None:
    path = write(LINES, "messages.csv")
    result = cli("classify", path, *options, "--out", tmp_path / "run")
    assert (result.code, result.out) == (2, "")
    assert result.errors == [f"tidegate: error: {message.format(path=repr(str(path)))}"]
    assert not (tmp_path / "run").exists()


def test_texts_in_a_file_of_series_are_refused(cli: Any, tmp_path: Path) -> None:
    result = cli("classify", "waves.ts", "--text", "text", "--label", "label", "--out", tmp_path / "run")
    assert result.errors == ["tidegate: error: 'waves.ts' holds series, not texts; leave --text out"]
