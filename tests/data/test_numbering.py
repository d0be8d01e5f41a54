"""Windows whose series are known by other numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tidegate.data import Windows, read_frame
from tidegate.data.numbering import NumberedWindows


def test_series_bear_the_given_numbers_and_all_else_is_as_it_was() -> None:
    rows = pd.DataFrame({"unique_id": list("aaabbb"), "ds": [0, 1, 2] * 2, "y": np.arange(6.0)})
    windows = Windows.sliding(read_frame(rows), context=1, horizon=1)
    numbered = NumberedWindows(windows, np.array([7, -1]))
    assert len(numbered) == len(windows) == 4
    indices = np.array([3, 0])
    found, plain = numbered.batch(indices), windows.batch(indices)
    np.testing.assert_array_equal(plain.series, [1, 0])
    np.testing.assert_array_equal(found.series, [-1, 7])
    np.testing.assert_array_equal(found.values, plain.values)
    np.testing.assert_array_equal(found.target, plain.target)
