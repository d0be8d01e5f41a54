"""Which units are weak, and which places are theirs."""

from __future__ import annotations

import numpy as np

from tidegate.compress.units import Group, Span, read, width, without


def test_magnitudes_are_sums_of_squares_in_units_of_their_mean() -> None:
    group = Group(units=2, keep=1)
    group.use("gates", 0, blocks=2)
    group.use("reader", 1, start=1)
    group.use("bias", 0, weighs=False)
    arrays = {
        "gates": np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [0.0, 3.0]]),  # of the units 0, 1, 0, 1
        "reader": np.array([[9.0, 3.0, 1.0], [9.0, 0.0, 0.0]]),
        "bias": np.array([0.0, 99.0]),
    }
    # Squares in the gates: 1 + 9 and 5 + 9, of mean 12; in the reader: 9 and 1, of mean 5.
    np.testing.assert_allclose(group.magnitudes(arrays), [10 / 12 + 9 / 5, 14 / 12 + 1 / 5])
    assert group.weakest(arrays).tolist() == [1]


def test_a_tensor_of_zeros_says_nothing_and_equals_go_from_behind() -> None:
    group = Group(units=3, keep=1)
    group.use("zeros", 0)
    arrays = {"zeros": np.zeros((3, 2), np.float32)}
    assert group.magnitudes(arrays).tolist() == [0, 0, 0]
    assert group.weakest(arrays).tolist() == [1, 2]


def test_places_in_every_block_and_along_several_axes_are_taken_out() -> None:
    outputs, others = Group(units=2, keep=1), Group(units=2, keep=1)
    outputs.use("matrix", 0, blocks=2)
    features = (Span(1), Span(2, others), Span(1))
    read(features, "matrix")
    read(features, "norm", 0, weighs=False)
    matrix = np.arange(16.0).reshape(4, 4)
    matrix[[0, 2]] += 100  # the first unit of ``outputs`` is strong
    matrix[:, 2] += 1000  # the second of ``others``
    left = without({"matrix": matrix, "norm": np.arange(4), "other": np.ones(2)}, [outputs, others])
    np.testing.assert_array_equal(left["matrix"], matrix[np.ix_([0, 2], [0, 2, 3])])
    np.testing.assert_array_equal(left["norm"], [0, 2, 3])
    np.testing.assert_array_equal(left["other"], [1, 1])
    assert (width(features), width(features, pruned=True)) == (4, 3)
