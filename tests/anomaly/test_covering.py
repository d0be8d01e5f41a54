import numpy as np
import pytest

from tidegate.anomaly.covering import covering_errors, median_of_observed, smoothed


def slowly(errors: np.ndarray) -> np.ndarray:
    """Collect the errors of each point, one by one."""
    windows, steps, targets = errors.shape
    medians = np.full((windows + steps - 1, targets), np.nan)
    for point in range(windows + steps - 1):
        for target in range(targets):
            covering = [
                errors[window, point - window, target] for window in range(windows) if 0 <= point - window < steps
            ]
            known = [error for error in covering if not np.isnan(error)]
            if known:
                medians[point, target] = np.median(known)
    return medians


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_every_point_has_the_median_of_all_windows_that_cover_it(steps: int, chunk: int) -> None:
    generator = np.random.default_rng(steps)
    errors = generator.random((11, steps, 2))
    errors[generator.random(errors.shape) < 0.3] = np.nan
    chunks = (errors[start : start + chunk] for start in range(0, len(errors), chunk))
    np.testing.assert_array_equal(covering_errors(chunks, steps=steps), slowly(errors))


def test_a_median_leaves_out_what_is_not_there() -> None:
    errors = np.array([[[3.0], [np.nan], [1.0], [8.0]], [[np.nan], [np.nan], [np.nan], [np.nan]]])
    np.testing.assert_array_equal(median_of_observed(errors), [[3.0], [np.nan]])


def test_no_windows() -> None:
    with pytest.raises(ValueError, match="there must be at least one chunk"):
        covering_errors([], steps=2)


def test_the_mean_of_all_windows_leaves_out_what_is_missing() -> None:
    errors = np.random.default_rng(4).random((9, 4, 2))
    errors[2, 1, 0] = np.nan
    found = covering_errors([errors[:5], errors[5:]], steps=4, together="mean")
    for point in range(12):
        over = [errors[window, point - window] for window in range(9) if 0 <= point - window < 4]
        np.testing.assert_allclose(found[point], np.nanmean(over, axis=0))


def test_smoothing_is_the_root_mean_square_of_the_rows_around() -> None:
    errors = np.random.default_rng(5).random((20, 2))
    errors[7, 0] = np.nan
    found = smoothed(errors, 5)
    expected = np.stack([np.sqrt(np.nanmean(errors[max(0, row - 2) : row + 3] ** 2, axis=0)) for row in range(20)])
    expected[7, 0] = np.nan
    np.testing.assert_allclose(found, expected)
    assert smoothed(errors, 1) is errors
    assert smoothed(errors[:3], 50).shape == (3, 2)
