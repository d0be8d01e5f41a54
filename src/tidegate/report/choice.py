"""Which series a report shows: all of a few, the best, the middling and the worst of many."""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["MOST", "Shown", "choose", "extremes"]

MOST = 24  # three groups of eight: a menu that a thumb can scroll, and a file that stays small
_EXTREMES = 3  # best, and worst: what a screen shows at once
_BEST, _WORST = "Most accurate", "Least accurate"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """One line of the menu: a target of a series.

    Parameters
    ----------
    series, target
        Indices into ids and targets.
    group
        The heading under which the menu lists it; empty where all are shown.
    mase
        Its score in the backtest; NaN where it has none.
    """

    series: int
    target: int
    group: str
    mase: float


def choose(mase: np.ndarray, most: int = MOST) -> list[Shown]:
    """Choose at most ``most`` (series, target) pairs by their MASE, `[series, target]`.

    All of them, in the order of the data, if they are few. Otherwise a third each of the lowest, of those around
    the median, and of the highest; pairs without a score stand behind the others and are not picked unless too
    few have one. The order does not depend on how the sort breaks ties.
    """
    flat = mase.ravel()
    if flat.size <= most:
        return [_shown(index, mase, "") for index in range(flat.size)]
    ranked = np.argsort(flat, kind="stable")  # NaN last
    scored = int(np.isfinite(flat).sum())
    count = scored if scored >= most else flat.size
    third = most // 3
    middle = (count - third) // 2
    groups = {
        _BEST: ranked[:third],
        "Around the median": ranked[middle : middle + third],
        _WORST: ranked[count - third : count],
    }
    return [_shown(int(index), mase, name) for name, indices in groups.items() for index in indices]


def extremes(mase: np.ndarray, most: int = _EXTREMES) -> list[Shown]:
    """Choose the (series, target) pairs with the lowest and with the highest MASE, `[series, target]`.

    At most ``most`` of either, none in both; the best of all comes first, the worst of all first among the worst.
    Nothing where fewer than two have a score.
    """
    flat = mase.ravel()
    ranked = np.argsort(flat, kind="stable")[: np.isfinite(flat).sum()]
    count = min(most, len(ranked) // 2)
    best = [_shown(int(index), mase, _BEST) for index in ranked[:count]]
    return best + [_shown(int(index), mase, _WORST) for index in ranked[::-1][:count]]


def _shown(index: int, mase: np.ndarray, group: str) -> Shown:
    series, target = divmod(index, mase.shape[1])
    return Shown(series=series, target=target, group=group, mase=float(mase[series, target]))
