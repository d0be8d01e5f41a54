from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from tidegate.data.subwords import Subwords
from tidegate.data.text import Tokenizer
from tidegate.errors import DataError, MissingExtraError
from tidegate.specs import Tokens

TEXTS = ["the tide turns and the gates turn", "tidal gates are turned", "turning tides"] * 3
SPEC = Tokens(unit="subwords", max_vocabulary=60)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.of(SPEC, TEXTS)


def test_words_that_were_not_seen_are_put_together_of_parts(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokens("The tidies") == ["▁the", "▁tid", "i", "es"]
    assert "".join(tokenizer.tokens("gated")) == "▁gated"


def test_pieces_add_up_to_the_text(tokenizer: Tokenizer) -> None:
    text = "Turning  gates, tidal?"
    pieces = tokenizer.pieces(text)
    assert "".join(text[piece.start : piece.stop] for piece in pieces) == "Turninggates,tidal?"


def test_letters_that_are_unknown_are_one_part(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokens("tideЖЖЖ")[-1] == "[UNK]"


def test_they_are_learned_alike_each_time(tokenizer: Tokenizer) -> None:
    for _ in range(3):
        again = Tokenizer.of(SPEC, TEXTS).subwords
        assert tokenizer.subwords is not None
        assert again is not None
        assert again.described == tokenizer.subwords.described


def test_a_megabyte_without_a_space_is_one_word(tokenizer: Tokenizer) -> None:
    tokens, cut = tokenizer.read("t" * 1_000_000)
    assert cut
    assert len(tokens) <= 101


def test_it_survives_a_file(tokenizer: Tokenizer) -> None:
    assert tokenizer.subwords is not None
    arrays = tokenizer.subwords.to_arrays()
    assert arrays["subwords"].dtype == np.uint8
    assert Subwords.from_arrays(arrays).described == tokenizer.subwords.described


def test_what_is_no_tokeniser_is_refused() -> None:
    with pytest.raises(DataError, match=r"^expected subwords as the library tokenizers writes them: "):
        Subwords(described="{}")
    with pytest.raises(DataError, match=r"^expected the subwords as bytes of UTF-8: "):
        Subwords.from_arrays({"subwords": np.array([255], np.uint8)})


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def absent(name: str, *arguments: Any) -> Any:
        if name == "tokenizers":
            raise ModuleNotFoundError(name=name)
        return imported(name, *arguments)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(MissingExtraError) as raised:
        Tokenizer.of(SPEC, TEXTS)
    expected = "unit='subwords' needs 'tokenizers', which is not installed: pip install 'tidegate[text]'"
    assert str(raised.value) == expected
