"""Strings as arrays, as vocabularies lie in a model file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import DataError

__all__ = ["pack_strings", "unpack_strings"]


def pack_strings(strings: Iterable[str], prefix: str = "") -> dict[str, npt.NDArray[Any]]:
    """Give strings as one array of UTF-8 bytes, and where each ends.

    Parameters
    ----------
    strings
        In order; each may hold any character.
    prefix
        Of the two names: ``"words."`` gives ``words.text`` and ``words.ends``.

    >>> arrays = pack_strings(["tide", "gate"])
    >>> bytes(arrays["text"]), arrays["ends"].tolist()
    (b'tidegate', [4, 8])
    """
    encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
    return {
        f"{prefix}text": np.frombuffer(b"".join(encoded), np.uint8).copy(),
        f"{prefix}ends": np.cumsum([len(part) for part in encoded], dtype=np.int64),
    }


def unpack_strings(arrays: Mapping[str, npt.NDArray[Any]], prefix: str = "") -> list[str]:
    """Give back what `pack_strings` packed. Raises `DataError` if it is something else."""
    text, ends = arrays[f"{prefix}text"], arrays[f"{prefix}ends"]
    if text.dtype != np.uint8 or ends.dtype != np.int64 or text.ndim != 1 or ends.ndim != 1:
        raise DataError(f"expected bytes and ends of strings; got {text.dtype} and {ends.dtype}")
    bounds = np.concatenate([[0], ends])
    if bounds[-1] != len(text) or (np.diff(bounds) < 0).any():
        raise DataError(f"expected the ends of strings in order, up to {len(text)}; got {ends[-1:].tolist()} at last")
    content = text.tobytes()
    try:
        return [
            content[start:end].decode("utf-8", "surrogatepass")
            for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]
    except UnicodeDecodeError as error:
        raise DataError(f"expected strings in UTF-8: {error}") from error
