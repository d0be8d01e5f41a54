"""Vectors of words out of the text files of GloVe, word2vec and fastText."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from tidegate._core.files import existing_file
from tidegate.errors import FileFormatError

__all__ = ["read_embeddings"]

_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 1_000_000  # bytes; a file without line breaks is no file of vectors


def read_embeddings(
    path: str | os.PathLike[str], words: Collection[str] | None = None, *, most: int | None = None
) -> tuple[list[str], npt.NDArray[np.float32]]:
    r"""Read the vectors of words.

    Each line has a word and its numbers, with single spaces (or tabs) between; a first line of two whole numbers, how
    many words and how many numbers, may stand before them, as word2vec and fastText write it. The file is UTF-8 text,
    plain or compressed with gzip.

    Parameters
    ----------
    path
        The file: ``.txt``, ``.vec`` or whatever it is called, or its ``.gz``.
    words
        Those that are wanted; ``None`` for all. The numbers of others are not looked at.
    most
        Take the first so many of the file as well, wanted or not; files have the most frequent words first. Without
        ``words`` those are all that is read.

    Returns
    -------
    words : list of str
        In the order of the file; of a word that stands there twice the first counts.
    vectors : ndarray
        float32 ``[word, size]``.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If it is empty, broken gzip or not UTF-8, or a line has no word, another number of numbers than the first, or
        one that is none or not finite. Messages name the line, counted from 1.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "vectors.txt"
    >>> _ = path.write_text("tide 0.5 1\ngate -1 0\n")
    >>> words, vectors = read_embeddings(path)
    >>> words, vectors.tolist()
    (['tide', 'gate'], [[0.5, 1.0], [-1.0, 0.0]])
    """
    file = existing_file(path, what="file of embeddings")
    wanted = None if words is None else frozenset(words)
    found: dict[str, npt.NDArray[np.float32]] = {}
    size = 0
    rows = 0
    try:
        for number, line in _lines(file):
            fields = _fields(line, file, number)
            if number == 1 and _is_header(fields):
                size = int(fields[1])
                continue
            size = size or len(fields) - 1
            word, numbers = _split(fields, size, file, number)
            rows += 1
            first = most is not None and rows <= most
            if wanted is None and most is not None and not first:
                break
            if word not in found and (wanted is None or first or word in wanted):
                found[word] = _vector(numbers, file, number)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileFormatError(f"{str(file)!r} is broken gzip ({error}); compress or download it again") from error
    if not rows:
        raise FileFormatError(f"{str(file)!r} holds no vector; expected a word and its numbers on each line")
    matrix = np.stack(list(found.values())) if found else np.empty((0, size), np.float32)
    return list(found), matrix


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Give each line that is not blank, with its number."""
    with _opened(file) as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise FileFormatError(
                    f"{str(file)!r}, line {number}: more than {_LONGEST_LINE:,} bytes; expected a word and its numbers"
                )
            # Not strip(): a no-break space may be a word, and in UTF-8 it ends in a byte that is a blank elsewhere.
            stripped = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            stripped = stripped.rstrip(b" \t\r\n")
            if stripped:
                yield number, stripped


def _opened(file: Path) -> IO[bytes]:
    with file.open("rb") as start:
        compressed = start.read(2) == _GZIP
    return gzip.open(file, "rb") if compressed else file.open("rb")  # type: ignore[return-value]


def _fields(line: bytes, file: Path, number: int) -> list[str]:
    if b"\0" in line:
        raise FileFormatError(
            f"{str(file)!r}, line {number}: a NUL byte; expected embeddings as text, this is a binary file"
        )
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{str(file)!r}, line {number}: expected UTF-8 text, got byte 0x{line[error.start]:02x} at {error.start}; "
            "take embeddings that are written as text, in UTF-8"
        ) from error
    return text.replace("\t", " ").split(" ")


def _is_header(fields: list[str]) -> bool:
    return len(fields) == 2 and all(field.isdecimal() and field.isascii() for field in fields) and int(fields[1]) > 0


def _split(fields: list[str], size: int, file: Path, number: int) -> tuple[str, list[str]]:
    """Cut a line into its word, which may hold spaces in some files, and its numbers."""
    if len(fields) < size + 1 or size < 1 or not (word := " ".join(fields[: len(fields) - size])):
        expected = f"a word and {size} numbers" if size else "a word and its numbers"
        shown = " ".join(fields)
        raise FileFormatError(f"{str(file)!r}, line {number}: expected {expected}, got {shown!r:.60}")
    return word, fields[len(fields) - size :]


def _vector(numbers: list[str], file: Path, number: int) -> npt.NDArray[np.float32]:
    try:
        vector = np.array(numbers, np.float64).astype(np.float32)
    except ValueError:
        wrong = next(text for text in numbers if not _is_number(text))
        raise FileFormatError(
            f"{str(file)!r}, line {number}: expected {len(numbers)} numbers after the word, got {wrong!r}"
        ) from None
    if not np.isfinite(vector).all():
        wrong = numbers[int((~np.isfinite(vector)).argmax())]
        raise FileFormatError(f"{str(file)!r}, line {number}: expected finite numbers, got {wrong!r}")
    return vector


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
