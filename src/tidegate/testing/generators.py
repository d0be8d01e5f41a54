"""The global generators that a library must not touch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["generators", "stirred"]


def generators() -> dict[str, bytes]:
    """Give the state of the global generators of torch, numpy and random."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": repr(np.random.get_state(legacy=False)).encode(),  # noqa: NPY002 - it is the global one that is watched
        "random": repr(random.getstate()).encode(),
    }


@contextmanager
def stirred() -> Iterator[None]:
    """Run a block with other states of torch's, numpy's and random's generators; put them back afterwards."""
    ours, theirs = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(987_654_321)
        np.random.seed(987_654_321)  # noqa: NPY002
        random.seed(987_654_321)
        try:
            yield
        finally:
            random.setstate(ours)
            np.random.set_state(theirs)  # noqa: NPY002
