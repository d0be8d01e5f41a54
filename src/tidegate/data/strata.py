"""Splits of examples that keep the shares of their classes."""

from __future__ import annotations

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.errors import DataError, SpecError
from tidegate.specs import checks

__all__ = ["stratified_folds", "stratified_holdout"]


def stratified_holdout(codes: IntArray, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Hold out a share of the examples of each class, drawn by ``seed``.

    Parameters
    ----------
    codes
        The class of each example, ``[example]``.
    share
        Between 0 and 1. Each class gives ``round(share · its examples)``, and keeps one example at least. If that
        leaves nothing held out, the class with most examples gives one.
    seed
        At least 0.

    Returns
    -------
    train, held : ndarray
        Indices, ascending.

    Raises
    ------
    DataError
        If no class has two examples.

    Examples
    --------
    >>> train, held = stratified_holdout(np.array([0] * 8 + [1] * 4), 0.25, seed=0)
    >>> len(train), len(held), int((held >= 8).sum())
    (9, 3, 1)
    """
    checks.at_least("share", share, 0, exclusive=True)
    checks.probability("share", share)
    generator = np.random.default_rng(seed)
    members = [generator.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    counts = [min(round(share * len(each)), len(each) - 1) for each in members]
    if not any(counts):
        largest = max(range(len(members)), key=lambda index: len(members[index]), default=None)
        if largest is None or len(members[largest]) < 2:
            raise DataError(f"none of {len(codes)} examples can be held out: no class has two; give more examples")
        counts[largest] = 1
    held = np.sort(np.concatenate([each[:count] for each, count in zip(members, counts, strict=True)]))
    return np.setdiff1d(np.arange(len(codes)), held), held


def stratified_folds(codes: IntArray, folds: int, seed: int) -> list[tuple[IntArray, IntArray]]:
    """Cut examples into parts of like classes, each of which is once the test.

    Parameters
    ----------
    codes
        The class of each example, ``[example]``.
    folds
        At least 2.
    seed
        Of the shuffling within each class.

    Returns
    -------
    list of (ndarray, ndarray)
        ``(train, test)`` indices of each fold, ascending; every example is in one test.

    Raises
    ------
    SpecError
        If there are more folds than examples.

    Examples
    --------
    >>> folds = stratified_folds(np.array([0, 0, 0, 1, 1, 1]), 3, seed=0)
    >>> [len(test) for _, test in folds]
    [2, 2, 2]
    """
    checks.whole("folds", folds, least=2)
    if folds > len(codes):
        raise SpecError(f"{len(codes)} examples cannot be cut into {folds} folds; take fewer")
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)])
    fold = np.empty(len(codes), np.int64)
    fold[order] = np.arange(len(codes)) % folds  # dealt class by class, so that folds differ by one example at most
    everything = np.arange(len(codes))
    return [(everything[fold != index], everything[fold == index]) for index in range(folds)]
