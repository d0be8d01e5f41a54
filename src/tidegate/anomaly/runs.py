"""Stretches of flags."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray

__all__ = ["runs"]


def runs(flags: npt.NDArray[np.bool_], *, gap: int = 0) -> tuple[IntArray, IntArray]:
    """Find where flags are set without a break.

    Parameters
    ----------
    flags
        ``[time]``.
    gap
        Stretches that lie no more than so many steps apart are one.

    Returns
    -------
    starts, ends
        The first step of each stretch, and one past its last.

    Examples
    --------
    >>> starts, ends = runs(np.array([False, True, True, False, True]))
    >>> starts.tolist(), ends.tolist()
    ([1, 4], [3, 5])
    """
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    apart = starts[1:] - ends[:-1] > gap
    return starts[np.concatenate([[True], apart])[: len(starts)]], ends[np.concatenate([apart, [True]])[: len(ends)]]
