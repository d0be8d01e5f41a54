import numpy as np
import pytest
import torch

from tidegate.nn.series_scaling import SeriesScaling
from tidegate.specs import Scaling

VALUES = np.array([[1.0, 5.0], [3.0, np.nan], [np.nan, 5.0], [10.0, np.nan], [10.0, np.nan], [30.0, 7.0], [0.0, 0.0]])
OFFSETS = np.array([0, 3, 6, 7])


def fitted(spec: Scaling = Scaling()) -> SeriesScaling:
    scaling = SeriesScaling(spec, series=3, targets=2)
    scaling.fit(VALUES + (1 if spec.transform == "log" else 0), OFFSETS)
    return scaling


def test_mean_and_deviation_of_each_series() -> None:
    scaling = fitted()
    np.testing.assert_allclose(scaling.loc[:3], [[2.0, 5.0], [50 / 3, 7.0], [0.0, 0.0]])
    # a series that does not vary is measured in a hundredth of its level, one of zeros in 1
    np.testing.assert_allclose(scaling.scale[:3], [[1.0, 0.05], [float(np.std([10, 10, 30])), 0.07], [1.0, 1.0]])
    np.testing.assert_allclose(scaling.loc[3], [2.0, 5.0])  # the median, for a series that was not there
    np.testing.assert_allclose(scaling.scale[3], [1.0, 0.07])


def test_a_variable_that_a_series_has_no_value_of_has_the_median() -> None:
    scaling = SeriesScaling(Scaling(), series=2, targets=1)
    scaling.fit(np.array([[np.nan], [np.nan], [4.0], [6.0]]), np.array([0, 2, 4]))
    assert scaling.loc.tolist() == [[5.0], [5.0], [5.0]]
    assert scaling.scale.tolist() == [[1.0], [1.0], [1.0]]


@pytest.mark.parametrize("transform", ["identity", "log"])
def test_values_in_units_of_their_series(transform: str) -> None:
    scaling = fitted(Scaling(transform=transform))
    values, observed = torch.tensor([[[2.0, 3.0]], [[4.0, 9.0]]]), torch.tensor([[[True, False]], [[True, True]]])
    series = torch.tensor([1, -1])
    given = np.log(values.numpy()) if transform == "log" else values.numpy()
    expected = (given - scaling.loc[[1, 3]].numpy()[:, None]) / scaling.scale[[1, 3]].numpy()[:, None]
    expected[0, 0, 1] = 0.0
    found = scaling(values, observed, series)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    one_by_one = scaling.one_by_one(-1)
    np.testing.assert_allclose(one_by_one(np.array([4.0, 9.0])), found[1, 0])
    assert np.isnan(one_by_one(np.array([np.nan, 9.0]))).tolist() == [True, False]
