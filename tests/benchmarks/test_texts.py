from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import texts

FOLDS = [
    texts.Fold(
        target=np.array([0, 1, 1]),
        predicted=np.array([0, 1, 0]),
        bayes=np.array([1, 1, 1]),
        majority=1,
        share=0.2,
        seconds=10.0,
    ),
    texts.Fold(target=np.array([0]), predicted=np.array([0]), bayes=np.array([0]), majority=1, share=0.4, seconds=20.0),
]


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a set of a hundred messages, of which fifty repeat others."""
    lines = ["label,text", *(f"{'spam' if row % 5 == 0 else 'ham'},message {row % 50}" for row in range(100))]
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "sms_spam.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setenv("TIDEGATE_DATA", str(tmp_path))


def test_a_row_scores_all_folds_together() -> None:
    assert (
        texts.row("sms", FOLDS) == "| sms | 4 | 0.7500 | 0.6667 | 0.667 1.000 | 0.7500, 0.8000 | 0.5000 | 0.30 | 15 |"
    )


def test_repeated_texts_are_dropped(messages: None) -> None:
    assert len(texts.read(texts.SETS["sms"])) == 50
    assert len(texts.read(texts.SETS["sms_as_is"])) == 100
    assert texts.read(texts.SETS["sms"]).lines == tuple(range(2, 52))


def test_every_text_is_scored_once_and_never_trained_on(messages: None) -> None:
    problem = texts.SETS["sms"]
    pairs = texts.parts(problem, texts.read(problem), validate=False)
    assert len(pairs) == 5
    assert sorted(line for _, test in pairs for line in test.lines) == list(range(2, 52))
    assert all(not set(train.texts) & set(test.texts) for train, test in pairs)


def test_validation_reads_no_text_of_the_first_test(messages: None) -> None:
    problem = texts.SETS["sms"]
    _, test = texts.parts(problem, texts.read(problem), validate=False)[0]
    ((kept, held),) = texts.parts(problem, texts.read(problem), validate=True)
    assert not set(test.texts) & {*kept.texts, *held.texts}
    assert (len(kept), len(held)) == (32, 8)


def test_the_test_part_is_not_for_checking_the_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        texts.main(["sms", "--steps", "2"])
    assert "the test part is scored once: add --validate" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        texts.main(["news"])
    assert "there is no set 'news'; there are sms, sms_as_is, polarity" in capsys.readouterr().err


def test_it_runs(messages: None, capsys: pytest.CaptureFixture[str]) -> None:
    texts.main(["sms", "--validate", "--steps", "2", "--processes", "1"])
    assert capsys.readouterr().out.splitlines()[2].startswith("| sms | 8 | ")
