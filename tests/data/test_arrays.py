from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import sliding_windows
from tidegate.errors import DataError, ShapeError, ShortSeriesError, SpecError


@given(
    size=st.integers(2, 40),
    features=st.integers(0, 3),
    context=st.integers(1, 6),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 5),
)
def test_windows_are_those_of_a_loop(size: int, features: int, context: int, horizon: int, stride: int) -> None:
    shape = (size, features) if features else (size,)
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    starts = range(0, size - context - horizon + 1, stride)
    if not starts:
        with pytest.raises(ShortSeriesError, match=f"a window needs {context + horizon} steps"):
            sliding_windows(values, context, horizon, stride=stride)
        return
    X, y = sliding_windows(values, context, horizon, stride=stride)
    slow_X = np.stack([values[s : s + context] for s in starts])
    slow_y = np.stack([values[s + context : s + context + horizon] for s in starts])
    assert np.array_equal(X, slow_X if features else slow_X[:, :, None])
    assert np.array_equal(y, slow_y)
    assert not np.shares_memory(X, values)


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(SpecError, match="context must be a whole number of at least 1; got 0"):
        sliding_windows([1.0, 2.0], 0)
    with pytest.raises(ShapeError, match=r"values must be \[time\] or \[time, feature\]; got shape \(2, 2, 2\)"):
        sliding_windows(np.zeros((2, 2, 2)), 1)
    with pytest.raises(DataError, match="values must be finite; row 1 holds nan"):
        sliding_windows([1.0, float("nan"), 2.0], 1)
