"""CoNLL files: what is read, what is refused and where, and that what is written can be read back."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.data.conll import ConllSentences, conll_text, read_conll, write_conll
from tidegate.errors import DataError, FileFormatError, MissingFileError, OutputError, SpecError

GOOD = "tidal JJ B-NP\ngates NNS I-NP\n\nopen VBP B-VP\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str | bytes, name: str = "train.conll") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def test_tokens_columns_tags_and_lines(write: Write) -> None:
    sentences = read_conll(write(GOOD))
    assert sentences.tokens == (("tidal", "gates"), ("open",))
    assert sentences.columns == ((("JJ", "NNS"),), (("VBP",),))
    assert sentences.tags == (("B-NP", "I-NP"), ("B-VP",))
    assert sentences.lines == (1, 4)
    assert (len(sentences), sentences.width) == (2, 1)


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(" ", "\t"),
        GOOD.replace(" ", "   "),
        "\ufeff" + GOOD,
        GOOD + "\n\n",
        GOOD.replace("\n\n", "\n\t\n"),
        GOOD.replace("\n\n", "\n\ufeff\n"),
        GOOD.removesuffix("\n"),
        GOOD.replace("\n\n", "\n-DOCSTART- -X- O\n"),
        gzip.compress(GOOD.encode(), mtime=0),
    ],
    ids=["crlf", "tabs", "blanks", "bom", "ends", "tab line", "bom line", "no end", "document", "gzip"],
)
def test_what_means_the_same(write: Write, content: str | bytes) -> None:
    sentences = read_conll(write(content))
    assert sentences.tokens == (("tidal", "gates"), ("open",))
    assert sentences.tags == (("B-NP", "I-NP"), ("B-VP",))


def test_fields_between_tabs_may_hold_spaces_and_other_blanks(write: Write) -> None:
    sentences = read_conll(write("New York\tB-place\n\u00a0\tO\n\u2028\tO\n"))
    assert sentences.tokens == (("New York", "\u00a0", "\u2028"),)


def test_without_tags_the_last_column_is_a_column(write: Write) -> None:
    sentences = read_conll(write("tidal JJ\ngates NNS\n"), tagged=False)
    assert (sentences.columns, sentences.tags) == (((("JJ", "NNS"),),), None)


@pytest.mark.parametrize(("content", "tagged"), [("tidal JJ B-NP\n", True), ("tidal JJ\n", False)])
def test_whether_there_are_tags_is_told_by_the_columns(write: Write, content: str, tagged: bool) -> None:
    sentences = read_conll(write(content), tagged=None, width=1)
    assert sentences.columns == ((("JJ",),),)
    assert (sentences.tags is not None) == tagged


def test_that_is_impossible_without_a_width(write: Write) -> None:
    with pytest.raises(SpecError, match="only if width says how many to expect"):
        read_conll(write(GOOD), tagged=None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("tidal JJ B-NP\ngates I-NP\n", "line 2: expected 3 columns, got 2: 'gates I-NP'; give every token the same"),
        ("tidal B-NP\n\ngates NNS I-NP\n", "line 3: expected 2 columns, got 3"),
        ("tidal\n", "line 1: expected a token and its tag at least, got 1: 'tidal'"),
        ("tidal\tO\n\tO\n", "line 2: the token is empty; put something there"),
        ("tidal\t\tO\n", "line 1: the column 2 is empty"),
        (b"tidal O\nga\xfftes O\n", "line 2: expected UTF-8 text, got byte 0xff; save the file with UTF-8 encoding"),
        (b"tidal O\n\nga\0tes O\n", "line 3 holds a NUL byte; is it a text file?"),
        ("", "has no sentence; expected a token and its tag on each line"),
        ("\n \n-DOCSTART- O\n", "has no sentence"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "is broken gzip"),
    ],
)
def test_refused_with_the_line(write: Write, content: str | bytes, said: str) -> None:
    path = write(content)
    with pytest.raises(FileFormatError) as caught:
        read_conll(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no CoNLL file at"):
        read_conll(tmp_path / "none.conll")


def test_a_megabyte_without_a_space_is_a_token(write: Write) -> None:
    sentences = read_conll(write(f"{'x' * 2**20} O\n"))
    assert len(sentences.tokens[0][0]) == 2**20


@pytest.mark.parametrize("name", ["out.conll", "out.conll.gz"])
def test_what_is_written_is_read_back(tmp_path: Path, write: Write, name: str) -> None:
    sentences = read_conll(write(GOOD))
    write_conll(tmp_path / name, sentences)
    again = read_conll(tmp_path / name)
    assert (again.tokens, again.columns, again.tags) == (sentences.tokens, sentences.columns, sentences.tags)


def test_further_columns_stand_on_the_right() -> None:
    sentences = ConllSentences(tokens=(("tide",), ("turns", ".")), tags=(("B-NP",), ("B-VP", "O")))
    text = conll_text(sentences, [["B-VP"], ["B-VP", "O"]])
    assert text == "tide\tB-NP\tB-VP\n\nturns\tB-VP\tB-VP\n.\tO\tO\n\n"


@pytest.mark.parametrize("token", ["", "a\tb", "a\nb"])
def test_what_nobody_could_read_back_is_not_written(token: str) -> None:
    with pytest.raises(OutputError, match="sentence 1, token 2 cannot be written as CoNLL: a field is empty or holds"):
        conll_text(ConllSentences(tokens=(("tide", token),)))


def test_rows_of_different_number() -> None:
    with pytest.raises(DataError, match="sentence 2 has 1 tokens, but 2 in its tags"):
        ConllSentences(tokens=(("a",), ("b",)), tags=(("O",), ("O", "O")))
    with pytest.raises(DataError, match="expected tags of 2 sentences, got those of 1"):
        ConllSentences(tokens=(("a",), ("b",)), tags=(("O",),))


def test_some_of_the_sentences(write: Write) -> None:
    part = read_conll(write(GOOD)).take([1])
    assert (part.tokens, part.columns, part.tags, part.lines) == ((("open",),), ((("VBP",),),), (("B-VP",),), (4,))
    assert part.place(0, 0).endswith("line 4")
