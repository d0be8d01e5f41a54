from __future__ import annotations

import numpy as np

from tidegate.classify.baselines import class_shares, nearest, one_hot
from tidegate.data import Ragged, series_of


def test_shares_of_classes() -> None:
    assert class_shares(np.array([0, 1, 1, 1]), 3, 2).tolist() == [[0.25, 0.75, 0.0]] * 2
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_the_nearest_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    train, asked = (series_of(rng.normal(size=(number, 9, 2)) * [1, 50]) for number in (11, 100))
    scale = train.flat.std(axis=0)
    expected = [
        int(np.argmin([(((asked[index] - train[other]) / scale) ** 2).sum() for other in range(11)]))
        for index in range(100)
    ]
    assert nearest(train, asked).tolist() == expected


def test_lengths_and_missing_values_are_bridged() -> None:
    rising, falling = np.linspace(0, 1, 20), np.linspace(1, 0, 20)
    gap = np.linspace(0, 1, 7)
    gap[2:4] = np.nan
    train = Ragged.of([rising[:, None], falling[:, None]])
    asked = Ragged.of([gap[:, None], falling[::3, None], np.linspace(1, 0, 900)[:, None]])
    assert nearest(train, asked).tolist() == [0, 1, 1]


def test_a_channel_that_is_missing_counts_as_its_mean() -> None:
    train = series_of(np.array([[[0.0, 1.0]] * 3, [[1.0, 1.0]] * 3]))
    asked = series_of(np.array([[[0.9, np.nan]] * 3]))
    assert nearest(train, asked).tolist() == [1]
