"""How often each window is drawn for training."""

from __future__ import annotations

import numpy as np

from tidegate.data import Windows
from tidegate.forecast.baselines import FloatArray
from tidegate.specs import Sampling

__all__ = ["chances"]


def chances(windows: Windows, sampling: Sampling) -> FloatArray | None:
    """Give each window's chance of being drawn, ``[window]`` of sum 1; ``None`` where all are alike.

    >>> import pandas as pd
    >>> from tidegate.data import read_frame
    >>> table = read_frame(pd.DataFrame({"ds": range(5), "y": 1.0}))
    >>> windows = Windows.sliding(table, context=1, horizon=1)
    >>> (15 * chances(windows, Sampling(half_life=1))).round(3).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    if sampling.uniform:
        return None
    each = np.ones(len(windows))
    if sampling.half_life is not None:
        newest = np.zeros(len(windows.table), np.int64)
        np.maximum.at(newest, windows.series, windows.ends)
        each = 0.5 ** ((newest[windows.series] - windows.ends) / sampling.half_life)
    if sampling.balance != "windows":
        total = np.bincount(windows.series, weights=each, minlength=len(windows.table))[windows.series]
        each = each / (total if sampling.balance == "series" else np.sqrt(total))
    result: FloatArray = each / each.sum()
    return result
