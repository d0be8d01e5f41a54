from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from tidegate.data import read_embeddings
from tidegate.errors import FileFormatError, MissingFileError

GLOVE = "the 0.5 -1\ntide 1e-1 2\n"


def written(folder: Path, content: str | bytes, name: str = "vectors.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        GLOVE,
        "2 2\n" + GLOVE,  # word2vec
        "2 2\r\nthe 0.5 -1 \r\ntide 0.1 2 \r\n",
        "\ufeff" + GLOVE,
        "the\t0.5\t-1\ntide\t0.1\t2",
        GLOVE + "\n\ntide 7 7\n",  # the first of two counts
    ],
)
def test_files_of_all_makes(tmp_path: Path, content: str) -> None:
    for path in (
        written(tmp_path, content),
        written(tmp_path, gzip.compress(content.encode()), "vectors.vec.gz"),
    ):
        words, vectors = read_embeddings(path)
        assert words == ["the", "tide"]
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, np.array([[0.5, -1], [0.1, 2]], np.float32))


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a 1 1\nb 2 2\nc no 3\nd 4 4\n")
    words, vectors = read_embeddings(path, {"d", "absent"})
    assert (words, vectors.tolist()) == (["d"], [[4, 4]])
    assert read_embeddings(path, {"d"}, most=2)[0] == ["a", "b", "d"]
    assert read_embeddings(path, most=2)[0] == ["a", "b"]
    assert read_embeddings(path, {"absent"})[1].shape == (0, 2)


def test_words_may_hold_spaces(tmp_path: Path) -> None:
    path = written(tmp_path, "the 0.5 -1\nat name@domain.com 1 2\n. . . 3 4\n\u00a0 5 6\n")
    assert read_embeddings(path)[0] == ["the", "at name@domain.com", ". . .", "\u00a0"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " holds no vector; expected a word and its numbers on each line"),
        ("2 2\n", " holds no vector; expected a word and its numbers on each line"),
        (GLOVE + "gate 1\n", ", line 3: expected a word and 2 numbers, got 'gate 1'"),
        (GLOVE + "1 2\n", ", line 3: expected a word and 2 numbers, got '1 2'"),
        ("word\n", ", line 1: expected a word and its numbers, got 'word'"),
        (GLOVE + "gate 1 x\n", ", line 3: expected 2 numbers after the word, got 'x'"),
        (GLOVE + "gate 1 nan\n", ", line 3: expected finite numbers, got 'nan'"),
        (GLOVE + "gate 1 1e99\n", ", line 3: expected finite numbers, got '1e99'"),
        ("a\0b 1 2\n", ", line 1: a NUL byte; expected embeddings as text, this is a binary file"),
        (
            GLOVE.encode() + b"caf\xe9 1 2\n",
            ", line 3: expected UTF-8 text, got byte 0xe9 at 3; take embeddings that are written as text, in UTF-8",
        ),
        ("a" * 1_100_000, ", line 1: more than 1,000,000 bytes; expected a word and its numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(FileFormatError) as raised:
        read_embeddings(path)
    assert str(raised.value) == f"{str(path)!r}{message}"


def test_broken_and_absent_files(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(GLOVE.encode() * 100)[:-20], "vectors.gz")
    with pytest.raises(FileFormatError, match=re.escape(f"{str(path)!r} is broken gzip (")):
        read_embeddings(path)
    with pytest.raises(MissingFileError):
        read_embeddings(tmp_path / "absent.txt")
