import numpy as np
import pytest

from tidegate.anomaly.runs import runs


@pytest.mark.parametrize(
    ("flags", "gap", "expected"),
    [
        ("0110100", 0, [(1, 3), (4, 5)]),
        ("0110100", 1, [(1, 5)]),
        ("1001001", 2, [(0, 7)]),
        ("1001001", 1, [(0, 1), (3, 4), (6, 7)]),
        ("111", 0, [(0, 3)]),
        ("000", 5, []),
    ],
)
def test_runs(flags: str, gap: int, expected: list[tuple[int, int]]) -> None:
    starts, ends = runs(np.array([flag == "1" for flag in flags]), gap=gap)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == expected
