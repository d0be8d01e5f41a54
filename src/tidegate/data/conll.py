"""CoNLL files: a token a line, its columns beside it, a blank line after each sentence."""

from __future__ import annotations

import dataclasses
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate._core.files import existing_file, write_bytes
from tidegate.errors import DataError, FileFormatError, OutputError, SpecError

__all__ = ["ConllSentences", "conll_text", "read_conll", "write_conll"]

_GZIP = b"\x1f\x8b"
_DOCUMENT = "-DOCSTART-"
_BLANKS = re.compile("[ \t]+")  # not \s: a no-break space may be a token
_BREAKS = re.compile("[\t\n\r]")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ConllSentences:
    """Sentences of a CoNLL file.

    Parameters
    ----------
    tokens
        The tokens of each sentence.
    columns
        What stands between token and tag, for each sentence one tuple a column (parts of speech, …), each as long as
        the sentence.
    tags
        The tags of each sentence; ``None`` for a file without.
    lines
        The line of each sentence's first token, counted from 1; empty for sentences from elsewhere.
    source
        The file, for messages.

    Raises
    ------
    DataError
        If tokens, columns and tags are not of one number.

    Examples
    --------
    >>> sentences = ConllSentences(tokens=(("tidal", "gates"),), tags=(("B-NP", "I-NP"),))
    >>> len(sentences), sentences.width
    (1, 0)
    """

    tokens: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[tuple[str, ...], ...], ...] = ()
    tags: tuple[tuple[str, ...], ...] | None = None
    lines: tuple[int, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        for name, rows in (("tags", self.tags), ("columns", self.columns or None)):
            if rows is not None and len(rows) != len(self.tokens):
                raise DataError(f"expected {name} of {len(self.tokens)} sentences, got those of {len(rows)}")
        for index, tokens in enumerate(self.tokens):
            for name, row in self._rows(index):
                if len(row) != len(tokens):
                    raise DataError(f"{self.place(index)} has {len(tokens)} tokens, but {len(row)} in its {name}")

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self.tokens)

    @property
    def width(self) -> int:
        """How many columns stand between token and tag."""
        return len(self.columns[0]) if self.columns else 0

    def place(self, sentence: int, token: int | None = None) -> str:
        """Say where a sentence or a token stands: its line, if it was read from a file; all count from 1.

        >>> ConllSentences(tokens=(("tidal", "gates"),)).place(0, 1)
        'sentence 1, token 2'
        """
        if self.lines:
            return f"{self.source!r}, line {self.lines[sentence] + (token or 0)}"
        return f"sentence {sentence + 1}" + ("" if token is None else f", token {token + 1}")

    def take(self, indices: Sequence[int]) -> ConllSentences:
        """Give the sentences at ``indices``, in this order."""
        return ConllSentences(
            tokens=tuple(self.tokens[index] for index in indices),
            columns=tuple(self.columns[index] for index in indices) if self.columns else (),
            tags=None if self.tags is None else tuple(self.tags[index] for index in indices),
            lines=tuple(self.lines[index] for index in indices) if self.lines else (),
            source=self.source,
        )

    def _rows(self, index: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        if self.columns:
            yield from ((f"column {place + 2}", column) for place, column in enumerate(self.columns[index]))
        if self.tags is not None:
            yield "tags", self.tags[index]


def read_conll(path: str | os.PathLike[str], *, tagged: bool | None = True, width: int | None = None) -> ConllSentences:
    r"""Read a CoNLL file, plain or compressed with gzip.

    A line holds a token, further columns, and the tag last, with spaces or tabs between them; if the first line of a
    sentence holds a tab, tabs alone separate, and fields may hold spaces. A line with nothing in it (blanks, or a byte
    order mark where files were joined) ends a sentence, as does a line that begins with ``-DOCSTART-``, which is left
    out. The file is UTF-8 text.

    Parameters
    ----------
    path
        The file: ``.conll``, ``.txt`` or whatever it is called, or its ``.gz``.
    tagged
        Whether the last column holds tags; ``None``: if there is a column more than ``width`` and the token.
    width
        Columns between token and tag; ``None`` takes what the first line has.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If it is broken gzip, not UTF-8, holds NUL bytes, has no sentence, or a line has too few or too many columns
        or an empty one. Messages name the line.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "train.conll"
    >>> _ = path.write_text("tidal JJ B-NP\ngates NNS I-NP\n\nopen VBP B-VP\n")
    >>> sentences = read_conll(path)
    >>> sentences.tokens, sentences.columns[0], sentences.tags[1]
    ((('tidal', 'gates'), ('open',)), (('JJ', 'NNS'),), ('B-VP',))
    """
    if tagged is None and width is None:
        raise SpecError("whether a file has tags can be told from its columns only if width says how many to expect")
    file = existing_file(path, what="CoNLL file")
    name = str(file)
    rows: list[list[list[str]]] = []
    lines: list[int] = []
    for first, sentence in _sentences(_text(file), name):
        rows.append(sentence)
        lines.append(first)
    if not rows:
        raise FileFormatError(f"{name!r} has no sentence; expected a token and its tag on each line")
    fields = len(rows[0][0])
    has_tags = fields == width + 2 if tagged is None and width is not None else bool(tagged)
    wanted = fields if width is None else 1 + width + has_tags
    _check_fields(rows, lines, name, wanted=wanted, tagged=has_tags)
    turned = [tuple(zip(*sentence, strict=True)) for sentence in rows]
    last = wanted - has_tags
    return ConllSentences(
        tokens=tuple(sentence[0] for sentence in turned),
        columns=tuple(sentence[1:last] for sentence in turned) if last > 1 else (),
        tags=tuple(sentence[-1] for sentence in turned) if has_tags else None,
        lines=tuple(lines),
        source=name,
    )


def conll_text(sentences: ConllSentences, *more: Sequence[Sequence[object]]) -> str:
    """Write sentences as the text of a CoNLL file, with tabs between the columns.

    Parameters
    ----------
    sentences
        Tokens, columns and, where there are some, tags.
    more
        Further columns to the right, each with a row for each sentence: the tags that a model gave, confidences, ….

    Raises
    ------
    OutputError
        If a token or a tag holds a tab or a line break, so that nobody could read it back.
    """
    parts = []
    for index, tokens in enumerate(sentences.tokens):
        columns = [tokens, *(row for _, row in sentences._rows(index)), *(rows[index] for rows in more)]
        for token, fields in enumerate(zip(*columns, strict=True)):
            written = [str(field) for field in fields]
            if any(_BREAKS.search(field) or not field for field in written):
                raise OutputError(
                    f"{sentences.place(index, token)} cannot be written as CoNLL: a field is empty or holds a tab or "
                    "a line break; replace it"
                )
            parts.append("\t".join(written) + "\n")
        parts.append("\n")
    return "".join(parts)


def write_conll(path: str | os.PathLike[str], sentences: ConllSentences, *more: Sequence[Sequence[object]]) -> None:
    """Write `conll_text` to a file, whole or not at all; compressed with gzip if it ends in ``.gz``.

    Raises
    ------
    OutputError
        If the file cannot be written, and as `conll_text`.
    """
    content = conll_text(sentences, *more).encode("utf-8", "surrogatepass")
    # Without a time stamp, so that the same sentences give the same bytes.
    write_bytes(path, gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)


def _text(file: Path) -> str:
    content = file.read_bytes()
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileFormatError(f"{str(file)!r} is broken gzip ({error}); compress or download it again") from error
    zero = content.find(b"\0")
    if zero >= 0:
        raise FileFormatError(f"{str(file)!r}, line {_line(content, zero)} holds a NUL byte; is it a text file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{str(file)!r}, line {_line(content, error.start)}: expected UTF-8 text, got byte "
            f"0x{content[error.start]:02x}; save the file with UTF-8 encoding"
        ) from error


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _sentences(text: str, name: str) -> Iterator[tuple[int, list[list[str]]]]:
    """Cut a text into sentences: the line of each one's first token, and the fields of its tokens."""
    sentence: list[list[str]] = []
    first, tabs = 0, False
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r")
        if not line.strip(" \t\ufeff") or line.startswith(_DOCUMENT):
            if sentence:
                yield first, sentence
            sentence = []
            continue
        if not sentence:
            first, tabs = number, "\t" in line
        fields = line.split("\t") if tabs else _BLANKS.split(line.strip(" \t"))
        if "" in fields:
            what = "token" if not fields[0] else f"column {fields.index('') + 1}"
            raise FileFormatError(f"{name!r}, line {number}: the {what} is empty; put something there: {line!r:.80}")
        sentence.append(fields)
    if sentence:
        yield first, sentence


def _check_fields(rows: list[list[list[str]]], lines: list[int], name: str, *, wanted: int, tagged: bool) -> None:
    least = 1 + tagged
    for sentence, first in zip(rows, lines, strict=True):
        for token, fields in enumerate(sentence):
            if len(fields) == wanted >= least:
                continue
            expected = "a token and its tag at least" if wanted < least else f"{wanted} columns"
            raise FileFormatError(
                f"{name!r}, line {first + token}: expected {expected}, got {len(fields)}: "
                f"{' '.join(fields)!r:.80}; give every token the same columns, and a blank line after each sentence"
            )
