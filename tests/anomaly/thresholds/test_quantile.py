import numpy as np
import pytest

from tidegate.anomaly.thresholds import make_follower
from tidegate.errors import DataError
from tidegate.specs import Contamination, Quantile

SCORES = np.append(np.arange(101.0), np.nan)


@pytest.mark.parametrize(
    ("spec", "expected"), [(Contamination(0.05), 95.0), (Quantile(0.5), 50.0), (Quantile(1.0, factor=1.5), 150.0)]
)
def test_a_quantile_of_the_training_scores(spec: Contamination | Quantile, expected: float) -> None:
    found = make_follower(spec)
    found.fit(SCORES)
    assert found.threshold == pytest.approx(expected)
    thresholds, flags = found.walk(np.array([expected - 1, expected + 1, np.nan]))
    assert thresholds.tolist() == [found.threshold] * 3
    assert flags.tolist() == [False, True, False]
    assert [found.update(expected + 1), found.update(np.nan)] == [True, False]
    again = make_follower(spec)
    again.load(found.state())
    assert again.threshold == found.threshold


def test_no_scores() -> None:
    with pytest.raises(DataError, match="a threshold needs training scores, and no row has one; give more observed"):
        make_follower(Quantile()).fit(np.array([np.nan]))
