"""Sentences as users hand them in, checked: what cannot be used is refused with its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from tidegate.data.conll import ConllSentences
from tidegate.data.tagschemes import Span, detect_scheme, first_fault, spans_of, tags_of
from tidegate.errors import DataError
from tidegate.metrics.spans import conlleval_spans

__all__ = ["Sentences", "Tags", "read_sentences", "read_tags", "settled_scheme"]

Sentences: TypeAlias = ConllSentences | Sequence[Sequence[str]]
Tags: TypeAlias = Sequence[Sequence[str]]


def read_sentences(sentences: Sentences, tags: Tags | None = None, *, width: int | None = None) -> ConllSentences:
    """Check sentences, and the tags beside them.

    Parameters
    ----------
    sentences
        Lists of tokens, or what `tidegate.data.conll.read_conll` gave.
    tags
        Of each sentence; those of a CoNLL file stand in it.
    width
        Columns beside the tokens that are expected; ``None`` takes any number.

    Raises
    ------
    DataError
        If a sentence is empty or no list, a token is empty, no text or holds a NUL character or what invalid UTF-8
        leaves, or there are more or fewer tags, or columns, than expected.
    """
    if isinstance(sentences, ConllSentences):
        if tags is not None:
            raise DataError("tags were given twice: beside the sentences and in them; leave tags out")
        given = sentences
    else:
        if isinstance(sentences, str | bytes):
            raise DataError("expected sentences as lists of tokens, got one text; split it into sentences and tokens")
        if not hasattr(sentences, "__iter__"):
            raise DataError(f"expected sentences as lists of tokens, got {type(sentences).__name__}")
        rows = [_row(sentence, index, "sentence", "tokens") for index, sentence in enumerate(sentences)]
        given = ConllSentences(tokens=tuple(rows), tags=None if tags is None else _tag_rows(tags, rows))
    _check_tokens(given)
    if width is not None and given.width != width and len(given):
        raise DataError(
            f"the model was trained with {width} column{'' if width == 1 else 's'} between token and tag, got "
            f"{given.width}; give the same columns, as read_conll does"
        )
    return given


def read_tags(given: ConllSentences, scheme: str, *, repair: bool = False) -> list[list[Span]]:
    """Read the spans of tagged sentences.

    Parameters
    ----------
    given
        With tags.
    scheme
        One of `tidegate.data.tagschemes.SCHEMES`.
    repair
        Read tags that break the scheme as conlleval does.

    Raises
    ------
    DataError
        If there are no tags, or some break the scheme, with sentence and token, or the line of the file.
    """
    if given.tags is None:
        raise DataError("expected tagged sentences, got some without tags; give tags, a list for each sentence")
    spans: list[list[Span]] = []
    for index, tags in enumerate(given.tags):
        fault = first_fault(tags, scheme)
        if fault is None:
            spans.append(spans_of(tags, scheme))
        elif repair:
            spans.append([Span(*span) for span in conlleval_spans(tags)])
        else:
            raise DataError(
                f"{given.place(index, fault.token)}: {fault.reason}; mend the tags, name another scheme with "
                "TagSchemes(given=…), or take TagSchemes(repair=True) to read them as conlleval does"
            )
    return spans


def settled_scheme(given: ConllSentences, asked: str) -> str:
    """Give the scheme that was asked for, or, of ``"auto"``, the one that the tags follow."""
    return detect_scheme(given.tags or ()) if asked == "auto" else asked


def rewritten(spans: Sequence[Sequence[Span]], given: ConllSentences, scheme: str) -> list[list[str]]:
    """Write the spans of each sentence as tags of a scheme."""
    return [tags_of(row, len(tokens), scheme) for row, tokens in zip(spans, given.tokens, strict=True)]


def _row(sentence: Any, index: int, what: str, parts: str) -> tuple[str, ...]:
    if isinstance(sentence, str | bytes) or not hasattr(sentence, "__iter__"):
        raise DataError(
            f"{what} {index + 1} must be a list of {parts}, got {type(sentence).__name__}: {sentence!r:.60}; split it"
        )
    return tuple(sentence)


def _tag_rows(tags: Tags, rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    if len(tags) != len(rows):
        raise DataError(f"expected tags of {len(rows)} sentences, got those of {len(tags)}")
    found = tuple(_row(row, index, "the tags of sentence", "tags") for index, row in enumerate(tags))
    for index, row in enumerate(found):
        wrong = next((token for token, tag in enumerate(row) if not isinstance(tag, str)), None)
        if wrong is not None:
            raise DataError(f"sentence {index + 1}, token {wrong + 1}: a tag must be text, got {row[wrong]!r}")
    return found


def _check_tokens(given: ConllSentences) -> None:
    for index, tokens in enumerate(given.tokens):
        if not tokens:
            raise DataError(f"{given.place(index)} has no tokens; leave empty sentences out")
        if set(map(type, tokens)) == {str} and "" not in tokens and _fault("".join(tokens)) is None:
            continue
        for place, token in enumerate(tokens):
            if not isinstance(token, str):
                raise DataError(f"{given.place(index, place)}: a token must be text, got {token!r}")
            fault = _fault(token)
            if fault is not None:
                raise DataError(f"{given.place(index, place)}: the token {fault}; mend or leave it out")


def _fault(token: str) -> str | None:
    """Say what is wrong with a token, or with several put together."""
    if not token:
        return "is empty"
    if "\0" in token:
        return "holds a NUL character"
    try:
        token.encode()
    except UnicodeEncodeError as error:
        return f"holds {token[error.start]!r}, which is no character but what invalid UTF-8 leaves"
    return None
