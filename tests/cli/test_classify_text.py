from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.text import TextClassifier

TEXTS = {"spam": ["win cash now", "win a prize", "cash prize: call"], "ham": ["see you at home", "home by seven", "ok"]}
LINES = ["label,text", *[f"{label},{text} {row}" for row in range(5) for label in TEXTS for text in TEXTS[label]]]
QUICK = ("--epochs", "2", "--hidden-size", "4", "--device", "cpu", "--wide", "words")
COLUMNS = ("--text", "text", "--label", "label")

Write = Callable[..., Path]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def model_file(cli: Any, write: Write, tmp_path: Path) -> Path:
    """Give the model that the command makes of few texts."""
    assert cli("classify", write(LINES, "messages.csv"), *COLUMNS, *QUICK, "--out", tmp_path / "made", "-q").code == 0
    return tmp_path / "made" / "model.safetensors"


def test_it_writes_model_answers_scores_and_report(cli: Any, write: Write, tmp_path: Path) -> None:
    path = write([*LINES, "spam,win cash now 0"], "messages.csv")
    result = cli("classify", path, *COLUMNS, *QUICK, "--out", tmp_path / "run", "--json")
    assert result.code == 0, result.err
    assert result.err.splitlines() == [
        "tidegate: 31 texts",
        "tidegate: 7 texts held out; training on 24",
        "tidegate: training on all texts",
        "tidegate: 1 texts repeat another; the same texts are held out together",
    ]
    summary = json.loads(result.out)
    files = {"predictions.csv", "model.safetensors", "report.html", "scores.json"}
    assert {Path(file).name for file in summary.pop("files").values()} == files
    assert {file.name for file in (tmp_path / "run").iterdir()} == files
    assert json.loads((tmp_path / "run" / "scores.json").read_text()) == summary
    assert list(summary["scores"]) == ["tidegate", "majority", "naive_bayes"]
    assert summary["held_out"] == 7  # two of them the same
    rows = rows_of((tmp_path / "run" / "predictions.csv").read_text())
    assert list(rows[0]) == ["line", "text", "true", "predicted", "p_ham", "p_spam"]
    right = sum(row["true"] == row["predicted"] for row in rows) / 7
    assert summary["scores"]["tidegate"]["accuracy"] == pytest.approx(right)
    lines = path.read_text().splitlines()
    assert all(lines[int(row["line"]) - 1] == f"{row['true']},{row['text']}" for row in rows)
    report = (tmp_path / "run" / "report.html").read_text()
    assert '<mark class="w' in report
    assert "Naive Bayes" in report


def test_the_scored_model_has_not_seen_what_it_is_scored_on(cli: Any, write: Write, tmp_path: Path) -> None:
    path, test = write(LINES[:25], "messages.csv"), write([LINES[0], *LINES[25:]], "test.csv")
    result = cli("classify", path, *COLUMNS, *QUICK, "--test", test, "--out", tmp_path / "run", "--json", "-q")
    assert result.code == 0, result.err
    summary = json.loads(result.out)
    assert summary["held_out"] == 6
    model = TextClassifier.load(tmp_path / "run" / "model.safetensors")
    known = {token for token in model.fitted_.vocabulary.tokens if token.isdigit()}
    assert known <= {"0", "1", "2", "3"}  # not the numbers of the test
    evaluated = cli("evaluate", tmp_path / "run" / "model.safetensors", test, "--json", "-q")
    assert json.loads(evaluated.out)["scores"]["tidegate"] == summary["scores"]["tidegate"]


def test_a_test_file_with_other_labels_is_refused_before_the_training(cli: Any, write: Write, tmp_path: Path) -> None:
    test = write(["label,text", "eggs,hello"], "test.csv")
    result = cli("classify", write(LINES, "messages.csv"), *COLUMNS, "--test", test, "--out", tmp_path / "run")
    message = "column 'label', line 2: the label 'eggs' was not seen in training; known: 'ham', 'spam'"
    assert (result.code, result.errors) == (2, [f"tidegate: error: {message}"])
    assert not (tmp_path / "run").exists()


def test_predict_and_evaluate_read_the_same_columns(cli: Any, write: Write, model_file: Path, tmp_path: Path) -> None:
    asked = write(["text,other", '"cash, now",1', "home,2"], "asked.csv")
    result = cli("predict", model_file, asked)
    assert result.code == 0, result.err
    assert result.err == "tidegate: 2 texts of column 'text'\n"
    rows = rows_of(result.out)
    assert [(row["line"], row["text"]) for row in rows] == [("2", "cash, now"), ("3", "home")]
    model = TextClassifier.load(model_file)
    assert [float(row["p_ham"]) for row in rows] == pytest.approx(
        model.predict_proba(["cash, now", "home"])[:, 0], abs=1e-6
    )
    shown = cli("evaluate", model_file, write(LINES, "again.csv"))
    assert shown.code == 0
    assert "Majority class" in shown.out
    unknown = cli("evaluate", model_file, write([*LINES, "eggs,hello"], "more.csv"))
    assert unknown.code == 2
    message = "column 'label', line 32: the label 'eggs' was not seen in training; known: 'ham', 'spam'"
    assert unknown.errors == [f"tidegate: error: {message}"]


def test_several_labels(cli: Any, write: Write, tmp_path: Path) -> None:
    lines = ["label,text", *["a;b,both here", "a,one here", "b,two here", ",none here", "a; b,both again"] * 4]
    path = write(lines, "messages.csv")
    result = cli("classify", path, *COLUMNS, *QUICK, "--separator", ";", "--out", tmp_path / "run", "-q", "--json")
    assert result.code == 0, result.err
    assert "f1_micro" in json.loads(result.out)["scores"]["naive_bayes"]
    rows = rows_of((tmp_path / "run" / "predictions.csv").read_text())
    assert {row["true"] for row in rows} <= {"a;b", "a", "b", ""}
    answered = cli("predict", tmp_path / "run" / "model.safetensors", path, "-q")
    assert {row["predicted"] for row in rows_of(answered.out)} <= {"a;b", "a", "b", ""}


@pytest.mark.parametrize("options", [("--unit", "characters", "--pooling", "max"), ("--unit", "subwords", "--case")])
def test_other_models(cli: Any, write: Write, tmp_path: Path, options: Sequence[str]) -> None:
    result = cli("classify", write(LINES, "messages.csv"), *COLUMNS, *QUICK, *options, "--out", tmp_path / "run", "-q")
    assert result.code == 0, result.err
    model = TextClassifier.load(tmp_path / "run" / "model.safetensors")
    assert model.tokens.unit == options[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([*LINES, "ham,"], "column 'text', line 32: the text is empty, there is nothing to read; leave such rows out"),
        ([*LINES, ",hello"], "column 'label', line 32: the label is missing; fill it in or drop the row"),
        (
            ["label,text", "ham,one", "ham,two"],
            "expected labels of two classes at least, or there is nothing to tell apart; got only 'ham'",
        ),
        (
            b"label,text\nham,caf\xe9\n",
            "{path}, line 2: byte 0xe9 at 7: expected UTF-8 text; save the file as CSV with UTF-8 encoding",
        ),
        (b"label,text\nham,a\0b\n", "{path}, line 2: a NUL byte; expected CSV text, this is a binary file"),
    ],
)
def test_bad_files_are_refused(
    cli: Any, write: Write, tmp_path: Path, content: Sequence[str] | bytes, message: str
) -> None:
    path = write(content, "messages.csv")
    result = cli("classify", path, *COLUMNS, *QUICK, "--out", tmp_path / "run", "-q")
    assert (result.code, result.out) == (2, "")
    assert result.errors == [f"tidegate: error: {message.format(path=repr(str(path)))}"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            ["label,text", "ham,"],
            "column 'text', line 2: the text is empty, there is nothing to read; leave such rows out",
        ),
        (
            b"label,text\nham,caf\xe9\n",
            "{path}, line 2: byte 0xe9 at 7: expected UTF-8 text; save the file as CSV with UTF-8 encoding",
        ),
        (b"label,text\nham,a\0b\n", "{path}, line 2: a NUL byte; expected CSV text, this is a binary file"),
        (["label,text", "ham"], "{path}, line 2: expected 2 fields (label, text), got 1"),
        (["label,texts", "ham,hello"], "{path} has no column 'text'; it has 'label', 'texts'"),
    ],
)
def test_texts_that_a_model_refuses(
    cli: Any, write: Write, model_file: Path, content: Sequence[str] | bytes, message: str
) -> None:
    path = write(content, "asked.csv")
    for command in ("predict", "evaluate"):
        result = cli(command, model_file, path)
        assert (result.code, result.out) == (2, "")
        assert result.errors == [f"tidegate: error: {message.format(path=repr(str(path)))}"]


def test_a_megabyte_without_a_space_is_answered(cli: Any, write: Write, model_file: Path) -> None:
    result = cli("predict", model_file, write(["text", "w" * 1_000_000, "home"], "asked.csv"))
    assert result.code == 0
    assert [line.split(",")[0] for line in result.out.splitlines()] == ["line", "2", "3"]
