from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from tidegate.data.text import LONGEST_WORD, Tokenizer, read_texts
from tidegate.errors import DataError
from tidegate.specs import Tokens

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The tide turns.", ["the", "tide", "turns", "."]),
        ("don't l’eau O'Neil's", ["don't", "l’eau", "o'neil's"]),
        ("'quoted' end'", ["'", "quoted", "'", "end", "'"]),
        ("state-of-the-art", ["state", "-", "of", "-", "the", "-", "art"]),
        ("snake_case 3.5€ :-)", ["snake", "_", "case", "3", ".", "5", "€", ":", "-", ")"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया", "।"]),
        ("潮汐 tide", ["潮汐", "tide"]),
        ("\u00a0tab\tand\u2003wide\n", ["tab", "and", "wide"]),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert Tokenizer(spec=Tokens()).tokens(text) == tokens


def test_case_and_digits() -> None:
    assert Tokenizer(spec=Tokens(lower=False)).tokens("WIN 2026") == ["WIN", "2026"]
    assert Tokenizer(spec=Tokens(fold_digits=True)).tokens("WIN 2026, now") == ["win", "0000", ",", "now"]


def test_characters_are_all_there() -> None:
    assert Tokenizer(spec=Tokens(unit="characters")).tokens("A b\n") == ["a", " ", "b", "\n"]


@pytest.mark.parametrize("unit", ["words", "characters"])
@pytest.mark.parametrize("text", ["The İstanbul tide, 3 x!", "plain words", "ΑΣ ς don't"])
def test_pieces_say_where_tokens_stand(text: str, unit: str) -> None:
    tokenizer = Tokenizer(spec=Tokens(unit=unit))
    pieces = tokenizer.pieces(text)
    assert [piece.token for piece in pieces] == tokenizer.tokens(text)
    assert [text[piece.start : piece.stop].lower() for piece in pieces] == tokenizer.tokens(text)


def test_plain_texts_are_read_as_by_the_slow_way() -> None:
    letters = "aZ'9 .\t_-"
    rng = np.random.default_rng(0)
    tokenizer = Tokenizer(spec=Tokens(max_length=12))
    for _ in range(300):
        text = "".join(rng.choice(list(letters), rng.integers(1, 40)))
        whole = Tokenizer(spec=Tokens()).pieces(text)
        assert tokenizer.read(text) == ([piece.token for piece in whole][:12], len(whole) > 12), text


def test_a_text_is_cut_where_it_is_too_long() -> None:
    tokenizer = Tokenizer(spec=Tokens(max_length=3))
    assert tokenizer.read("one two three") == (["one", "two", "three"], False)
    assert tokenizer.read("one two three four") == (["one", "two", "three"], True)
    assert tokenizer.read("ö two three four") == (["ö", "two", "three"], True)
    assert tokenizer.read("a" * 150) == (["a" * LONGEST_WORD], True)


@pytest.mark.parametrize("part", ["a", "!", "a'", "é", "e\u0301", "a_", "潮"])
@pytest.mark.parametrize("unit", ["words", "characters"])
def test_a_megabyte_without_a_space_takes_little_memory(part: str, unit: str) -> None:
    text = part * (MEGABYTE // len(part))
    tokenizer = Tokenizer(spec=Tokens(unit=unit))
    tracemalloc.start()
    tokens, cut = tokenizer.read(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cut
    assert 1 <= len(tokens) <= tokenizer.spec.length
    assert max(map(len, tokens)) <= LONGEST_WORD
    assert peak < 8 * MEGABYTE


def test_texts_come_in_many_forms() -> None:
    texts = ["one", "two"]
    for given in (texts, tuple(texts), np.array(texts), np.array(texts, dtype=object), pd.Series(texts)):
        assert read_texts(given) == texts


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "expected a list or a column of texts, got str; put a single text in a list"),
        (3, "expected a list or a column of texts, got int; put a single text in a list"),
        ([], "expected one text at least; got none"),
        (["one", None], "row 1: the text is missing; leave such rows out, or say what they are"),
        (["one", float("nan")], "row 1: the text is missing; leave such rows out, or say what they are"),
        (pd.Series(["one", pd.NA]), "row 1: the text is missing; leave such rows out, or say what they are"),
        (["", "one"], "row 0: the text is empty, there is nothing to read; leave such rows out"),
        (["one", " \t\u00a0"], "row 1: the text is empty, there is nothing to read; leave such rows out"),
        ([b"one"], "row 0: expected a text, got b'one', a bytes; decode it, as with .decode('utf-8')"),
        ([3], "row 0: expected a text, got 3, a int"),
        (["one", "t\0o"], "row 1: the text holds a NUL character, which no text has; remove it"),
        (
            [b"caf\xe9".decode("utf-8", "surrogateescape")],
            r"row 0: the text holds '\udce9' at 3, which is no character but what invalid UTF-8 leaves; decode it with "
            "errors='replace', or with the encoding that it has",
        ),
    ],
)
def test_what_is_no_text_is_refused(texts: object, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_texts(texts)  # type: ignore[arg-type]
