"""``tidegate tag`` and what predict and evaluate make of its model: files, scores, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli.app import main
from tidegate.cli.tag import TaggerFlags, build_tagger
from tidegate.data.conll import read_conll
from tidegate.errors import SpecError
from tidegate.specs import Convolution
from tidegate.text import Tagger

QUICK = ("--max-steps", "6", "--hidden-size", "4", "--word-size", "4", "--device", "cpu")
SENTENCES = [
    "Ann N B-person\nsails V O\nto P O\nRome N B-place\n",
    "New N B-place\nYork N I-place\ncalls V O\n",
    "Bob N B-person\nmet V O\nAnn N B-person\n",
    "the D O\ntide N O\nturns V O\n",
]
FILES = ["model.safetensors", "report.html", "scores.json", "tagged.conll"]

Run = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def train(write: Write) -> Path:
    return write("\n".join(SENTENCES * 5).encode(), "train.conll")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    path = folder / "train.conll"
    path.write_text("\n".join(SENTENCES * 3))
    assert main(["tag", str(path), "--out", str(folder / "run"), *QUICK, "--quiet"]) == 0
    return folder / "run" / "model.safetensors"


def test_four_files_and_the_scores(cli: Run, train: Path, tmp_path: Path) -> None:
    done = cli("tag", train, "--out", tmp_path / "run", *QUICK)
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES
    assert "tidegate: 20 sentences, 65 tokens" in done.err
    assert "tidegate: 2 sentences, drawn at random, are held out of training and scored on" in done.err
    assert done.out.split()[:4] == ["precision", "recall", "F1", "accuracy"]
    for name in ("Tidegate", "most frequent tag of the word", "most frequent tag of column 2"):
        assert name in done.out
    tagged = read_conll(tmp_path / "run" / "tagged.conll")
    assert (len(tagged), tagged.width) == (2, 2)  # part of speech and the true tag; then that of the model
    summary = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert (summary["train"], summary["test"], summary["scheme"], summary["steps"]) == (18, 2, "iob2", 6)
    assert set(summary["scores"]["tidegate"]) == {"precision", "recall", "F1", "accuracy"}


def test_given_files_to_score_on_and_to_stop_by(cli: Run, train: Path, write: Write, tmp_path: Path) -> None:
    other = write("\n".join(SENTENCES).encode(), "other.conll")
    done = cli(
        "tag", train, "--test", other, "--validation", other, "--out", tmp_path / "run", "--write", "iobes", *QUICK,
        "--json",
    )  # fmt: skip
    summary = json.loads(done.out)
    assert (summary["train"], summary["test"]) == (20, 4)
    assert summary["files"]["tagged"] == str(tmp_path / "run" / "tagged.conll")
    tags = read_conll(tmp_path / "run" / "tagged.conll").tags
    assert tags is not None
    assert {tag[0] for row in tags for tag in row} <= set("OBIES")


def test_predict_writes_the_tags_as_the_last_column(cli: Run, model: Path, write: Write, tmp_path: Path) -> None:
    plain = write(b"Ann N\nsails V\n\nRome N\n", "new.conll")
    assert cli("predict", model, plain, "--out", tmp_path / "out.conll").code == 0
    written = read_conll(tmp_path / "out.conll")
    tags = Tagger.load(model).predict(read_conll(plain, tagged=False))
    assert written.tags == tuple(map(tuple, tags))
    tagged = write(b"Ann N B-person\nsails V O\n", "tagged.conll")
    lines = cli("predict", model, tagged).out.splitlines()
    assert [line.split("\t")[:3] for line in lines[:2]] == [["Ann", "N", "B-person"], ["sails", "V", "O"]]
    assert all(len(line.split("\t")) == 4 for line in lines[:2])


def test_evaluate_scores_beside_the_baselines(cli: Run, model: Path, train: Path) -> None:
    summary = json.loads(cli("evaluate", model, train, "--json").out)
    assert summary["sentences"] == 20
    assert list(summary["scores"])[1:] == ["most frequent tag of the word", "most frequent tag of column 2"]
    assert summary["scores"]["tidegate"]["F1"] == Tagger.load(model).score(read_conll(train))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "'{path}' has no sentence; expected a token and its tag on each line"),
        (b"a B-x\nb\n", "'{path}', line 2: expected 2 columns, got 1: 'b'; give every token the same columns, and a "),
        (b"a B-x\nb\xff O\n", "'{path}', line 2: expected UTF-8 text, got byte 0xff; save the file with UTF-8"),
        (b"a B-x\n\nb\0 O\n", "'{path}', line 3 holds a NUL byte; is it a text file?"),
        (b"a O\n\nb O\n\nc O\n", "expected spans in the training data; got the tag 'O' for every token"),
        (b"a B-x\n", "holding out 1 of 1 sentence(s) leaves none to train on; give more, or --test"),
        (b"a NN\n\nb VB\n", "'{path}', line"),
        (
            b"a B-x\n\nb O\nc I-x\n\na B-x\n\na B-x\n",
            "'{path}', line 4: 'I-x' cannot follow 'O' in IOB2; mend the tags, name another scheme with --scheme, or "
            "take --repair to read them as conlleval does",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_nothing_written(
    cli: Run, write: Write, tmp_path: Path, content: bytes, said: str
) -> None:
    path = write(content, "bad.conll")
    done = cli("tag", path, "--out", tmp_path / "run", *QUICK)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(f"tidegate: error: {said.format(path=path)}")
    assert not (tmp_path / "run").exists()


def test_a_label_that_was_not_in_training(cli: Run, model: Path, write: Write, train: Path, tmp_path: Path) -> None:
    other = write(b"a N O\nb N B-thing\n", "other.conll")
    for arguments in (("evaluate", model, other), ("tag", train, "--test", other, "--out", tmp_path / "run", *QUICK)):
        done = cli(*arguments)
        assert done.code == 2
        assert f"{str(other)!r}, line 2: the label 'B-thing' was not in the training data" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "'{path}' has no sentence; expected a token and its tag on each line"),
        (b"a\xff N O\n", "'{path}', line 1: expected UTF-8 text, got byte 0xff; save the file with UTF-8 encoding"),
        (b"a N O\n\nb\0 N O\n", "'{path}', line 3 holds a NUL byte; is it a text file?"),
        (b"a N O\nb\n", "'{path}', line 2: expected 3 columns, got 1: 'b'; give every token the same columns, and a "),
    ],
)
def test_sentences_that_a_model_refuses(cli: Run, model: Path, write: Write, content: bytes, said: str) -> None:
    path = write(content, "asked.conll")
    for command in ("predict", "evaluate"):
        done = cli(command, model, path)
        assert (done.code, done.out, len(done.errors)) == (2, "", 1)
        assert done.errors[0].startswith(f"tidegate: error: {said.format(path=path)}")


def test_labels_of_the_test_file_are_looked_at_before_the_training(
    cli: Run, write: Write, train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tagger, "fit", lambda *_, **__: pytest.fail("trained before the test file was checked"))
    other = write(b"a N O\nb N B-thing\n", "other.conll")
    done = cli("tag", train, "--test", other, "--out", tmp_path / "run", *QUICK)
    assert (done.code, done.out) == (2, "")
    assert "line 2: the label 'B-thing' was not in the training data" in done.err
    assert not (tmp_path / "run").exists()


def test_other_columns_than_in_training(cli: Run, model: Path, write: Write) -> None:
    other = write(b"a b c d e\n", "other.conll")
    done = cli("predict", model, other)
    assert (done.code, done.out) == (2, "")
    assert "line 1: expected 2 columns, got 5" in done.err


def test_repaired_tags_are_noted(cli: Run, write: Write, tmp_path: Path) -> None:
    path = write("\n".join([*SENTENCES * 3, "Eve N I-person\n"] * 2).encode(), "bad.conll")
    done = cli("tag", path, "--test", path, "--repair", "--out", tmp_path / "run", *QUICK)
    assert done.code == 0
    note = "2 training sentences break IOB2 and were read as conlleval does"
    assert f"tidegate: {note}" in done.err
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["notes"] == [note]
    assert note in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scheme", "bilou"), "--scheme must be one of 'iob1', 'iob2', 'iobes'; got 'bilou'"),
        (("--write", "bilou"), "--write must be one of 'iob1', 'iob2', 'iobes'; got 'bilou'"),
        (("--word-size", "0"), "--word-size must be a whole number of at least 1; got 0"),
        (("--tag-context", "-1"), "--tag-context must be a whole number of at least 0; got -1"),
        (("--characters", "gru"), "--characters must be lstm, convolution or none; got 'gru'"),
        (("--held-out", "1"), "--held-out must be a probability, 0 ≤ --held-out < 1; got 1.0"),
        (("--dropout", "1"), "dropout must be a probability, 0 ≤ dropout < 1; got 1.0"),
        (("--embeddings", "none.txt"), "none.txt"),
    ],
)
def test_options_that_cannot_be(cli: Run, train: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = cli("tag", train, "--out", tmp_path / "run", *QUICK, *options)
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "run").exists()


def test_flags_describe_the_tagger() -> None:
    flags = TaggerFlags(
        scheme="iob1", write="iobes", repair=True, characters="convolution", tag_context=99, cell="gru", layers=2,
        members=3, epochs=4, batch_size=5, learning_rate=0.1, dropout=0.2, seed=7, device="cpu",
    )  # fmt: skip
    tagger = build_tagger(flags)
    assert (tagger.schemes.given, tagger.schemes.predicted, tagger.schemes.repair) == ("iob1", "iobes", True)
    assert tagger.features.characters == Convolution(channels=50)
    assert (tagger.features.context, tagger.members, tagger.dropout, tagger.seed) == (99, 3, 0.2, 7)
    assert (tagger.training.epochs, tagger.training.batch_size, tagger.training.learning_rate) == (4, 5, 0.1)
    assert build_tagger(TaggerFlags()).get_params() == Tagger().get_params()
    assert build_tagger(TaggerFlags(characters="none")).features.characters is None
    with pytest.raises(SpecError, match="members must be a whole number of at least 1; got 0"):
        build_tagger(TaggerFlags(members=0))
