"""Randomness: one seed in, named independent streams out."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

__all__ = ["derive_seed", "seeded"]


def derive_seed(seed: int, *names: str | int) -> int:
    """Give the seed of a stream of its own, from ``seed`` and a name.

    The same arguments give the same seed on every machine; other names give unrelated seeds, so that drawing
    more from one stream never moves another.

    >>> derive_seed(0, "weights") == derive_seed(0, "weights")
    True
    >>> derive_seed(0, "weights") == derive_seed(0, "batches")
    False
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1  # fits a signed 64-bit integer


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block under torch's generators seeded with ``seed``; give the caller's generators back untouched."""
    import torch

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
