"""Parts of words, learned by the library ``tokenizers``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate._core.extras import require
from tidegate.errors import DataError
from tidegate.specs.tokens import Tokens

__all__ = ["Subwords"]

UNKNOWN = "[UNK]"
BEGIN = "▁"  # of a word


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Subwords:
    """Cuts words into parts that were learned (byte pair encoding: Sennrich et al., 2016).

    A part that begins a word begins with ``▁``.

    Parameters
    ----------
    described
        The tokeniser as the library writes it, JSON.

    Raises
    ------
    MissingExtraError
        If the library is not installed.
    DataError
        If it cannot read ``described``.
    """

    described: str

    def __post_init__(self) -> None:
        library = _library()
        try:
            tokenizer = library.Tokenizer.from_str(self.described)
        except Exception as error:  # the library raises Exception itself
            raise DataError(f"expected subwords as the library tokenizers writes them: {error}") from error
        object.__setattr__(self, "_tokenizer", tokenizer)

    @classmethod
    def of(cls, texts: Iterable[Iterable[str]], spec: Tokens) -> Subwords:
        """Learn the parts of the words of texts, at most ``spec.max_vocabulary`` of them."""
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE(unk_token=UNKNOWN, fuse_unk=True))
        tokenizer.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
        # Not WordPiece, whose trainer numbers the parts within words otherwise each time.
        trainer = library.trainers.BpeTrainer(
            vocab_size=spec.max_vocabulary, min_frequency=spec.minimum, special_tokens=[UNKNOWN], show_progress=False
        )
        tokenizer.train_from_iterator((" ".join(BEGIN + word for word in words) for words in texts), trainer=trainer)
        return cls(described=tokenizer.to_str())

    def parts(self, word: str) -> list[tuple[str, int, int]]:
        """Give the parts of a word, each with its place in the word; letters that are unknown are one part."""
        encoding = self._tokenizer.encode([BEGIN + word], is_pretokenized=True)  # type: ignore[attr-defined]
        return [
            (token, max(start - 1, 0), max(stop - 1, 0))
            for token, (start, stop) in zip(encoding.tokens, encoding.offsets, strict=True)
        ]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give it as bytes for a model file."""
        return {"subwords": np.frombuffer(self.described.encode(), np.uint8).copy()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Subwords:
        """Take back what `to_arrays` gave. Raises `DataError`."""
        try:
            return cls(described=arrays["subwords"].tobytes().decode())
        except (UnicodeDecodeError, KeyError) as error:
            raise DataError(f"expected the subwords as bytes of UTF-8: {error}") from error


def _library() -> Any:
    return require("tokenizers", extra="text", purpose="unit='subwords'")
