from __future__ import annotations

import numpy as np
import pytest

from tidegate.data import stratified_folds, stratified_holdout
from tidegate.errors import DataError, SpecError

CODES = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [60, 30, 11]))


def test_a_share_of_each_class_is_held_out() -> None:
    train, held = stratified_holdout(CODES, 0.2, seed=0)
    assert np.bincount(CODES[held]).tolist() == [12, 6, 2]
    assert np.sort(np.concatenate([train, held])).tolist() == list(range(101))
    assert stratified_holdout(CODES, 0.2, seed=0)[1].tolist() == held.tolist()
    assert stratified_holdout(CODES, 0.2, seed=1)[1].tolist() != held.tolist()


def test_a_class_keeps_one_example_to_train_on() -> None:
    train, held = stratified_holdout(np.array([0, 0, 0, 1]), 0.9, seed=0)
    assert (len(held), sorted(np.array([0, 0, 0, 1])[train])) == (2, [0, 1])


def test_at_least_one_example_is_held_out() -> None:
    codes = np.array([0, 1, 1, 1])
    _, held = stratified_holdout(codes, 0.01, seed=0)
    assert codes[held].tolist() == [1]
    with pytest.raises(DataError, match="none of 2 examples can be held out: no class has two"):
        stratified_holdout(np.array([0, 1]), 0.5, seed=0)


def test_every_example_is_tested_once_and_folds_are_alike() -> None:
    folds = stratified_folds(CODES, 5, seed=0)
    tests = [test for _, test in folds]
    assert np.sort(np.concatenate(tests)).tolist() == list(range(101))
    for train, test in folds:
        assert np.intersect1d(train, test).size == 0
        assert len(train) + len(test) == 101
    counts = np.array([np.bincount(CODES[test], minlength=3) for test in tests])
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1
    assert stratified_folds(CODES, 5, seed=1)[0][1].tolist() != tests[0].tolist()
    with pytest.raises(SpecError, match="2 examples cannot be cut into 3 folds"):
        stratified_folds(np.array([0, 1]), 3, seed=0)
