"""Conformal calibration: an obvious oracle, coverage on simulated data, few windows, none."""

from __future__ import annotations

import math
import re

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from torch import Tensor

from tidegate.errors import DataError, ShapeError
from tidegate.nn.calibration import PROBABILITIES, Calibration, fit_calibration

GRID = (0.1, 0.25, 0.5, 0.75, 0.9)
Array = npt.NDArray[np.float64]


def normal_quantiles(centre: Tensor, spread: Tensor | float, probabilities: tuple[float, ...]) -> Tensor:
    scores = torch.special.ndtri(torch.tensor(probabilities, dtype=torch.float64))
    found: Tensor = centre.unsqueeze(-1) + torch.as_tensor(spread).unsqueeze(-1) * scores
    return found


def example(windows: int, horizon: int = 3, targets: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Forecasts whose heads are too narrow by a factor that grows with the step, and that lean to one side."""
    draw = torch.Generator().manual_seed(seed)
    shape = (windows, horizon, targets)
    centre = torch.randn(shape, generator=draw, dtype=torch.float64)
    spread = torch.rand(shape, generator=draw, dtype=torch.float64) + 0.1
    growth = torch.arange(1, horizon + 1, dtype=torch.float64).view(1, -1, 1)
    target = centre + spread * growth * (torch.randn(shape, generator=draw, dtype=torch.float64) + 0.2)
    observed = torch.rand(shape, generator=draw) > 0.15
    return centre, normal_quantiles(centre, spread, GRID), target.where(observed, torch.nan), observed


def oracle(centre: Array, quantiles: Array, target: Array, observed: npt.NDArray[np.bool_]) -> Array:
    """Factors by plain loops; NaN where there are too few windows."""
    _, horizon, targets = centre.shape
    factors = np.ones((horizon, targets, len(GRID)))
    for step in range(horizon):
        for variable in range(targets):
            for k, p in enumerate(GRID):
                ratios = []
                for w in np.flatnonzero(observed[:, step, variable]):
                    middle, y, q = (x[w, step, variable] for x in (centre, target, quantiles[..., k]))
                    if p > 0.5:
                        ratios.append((y - middle) / (q - middle))
                    if p < 0.5:
                        ratios.append((middle - y) / (middle - q))
                level = p if p > 0.5 else 1 - p
                if ratios:
                    rank = math.ceil(round((len(ratios) + 1) * level, 9))
                    factors[step, variable, k] = sorted(ratios)[rank - 1] if rank <= len(ratios) else np.nan
    return factors


def test_factors_are_those_of_plain_loops() -> None:
    given = example(60)
    calibration, notes = fit_calibration(*given, probabilities=GRID)
    np.testing.assert_allclose(calibration.factors, oracle(*(part.numpy() for part in given)), rtol=1e-6)
    assert notes == ()
    assert calibration.factors[2, :, 4].min() > 1.5 * calibration.factors[0, :, 4].max()  # later steps err more
    assert (calibration.factors[..., 4] > calibration.factors[..., 0]).all()  # and more often upwards


@pytest.mark.parametrize("windows", [39, 79])
def test_coverage_is_the_share_that_the_ranks_promise(windows: int) -> None:
    # Each target is a trial of its own: windows to calibrate on, and one more that is looked at afterwards. Errors
    # are skewed and heavy-tailed, and the head's spread is related to them by a law it does not know.
    draw = np.random.default_rng(windows)
    shape = (windows + 1, 1, 3000)
    spread = np.exp(draw.normal(0, 0.5, shape))
    error = spread**1.3 * (draw.standard_t(3, shape) + draw.exponential(1, shape))
    centre = torch.zeros(shape, dtype=torch.float64)
    quantiles = normal_quantiles(centre, torch.from_numpy(spread), PROBABILITIES)
    target = torch.from_numpy(error)
    calibration, notes = fit_calibration(
        centre[:-1], quantiles[:-1], target[:-1], torch.ones(shape, dtype=torch.bool)[:-1]
    )
    assert notes == ()
    for k, p in enumerate(PROBABILITIES):
        if p == 0.5:
            continue
        found = calibration.factors[..., k] * quantiles[-1:, ..., k]  # the bound itself, before sorting
        level = max(p, 1 - p)
        promised = math.ceil(round((windows + 1) * level, 9)) / (windows + 1)
        covered = (target[-1:] <= found if p > 0.5 else target[-1:] >= found).double().mean().item()
        assert promised >= level - 1e-12
        assert abs(covered - promised) < 4 * math.sqrt(level * (1 - level) / 3000)


def test_sorted_intervals_cover_as_much() -> None:
    centre, quantiles, target, _ = example(2000)
    observed = torch.ones_like(target, dtype=torch.bool)
    target = torch.where(target.isnan(), centre, target)
    half = 1000
    calibration, _ = fit_calibration(
        centre[:half], quantiles[:half], target[:half], observed[:half], probabilities=GRID
    )
    found = calibration(centre[half:], quantiles[half:], torch.tensor(GRID, dtype=torch.float64))
    assert (found.diff(dim=-1) >= 0).all()
    inside = (target[half:] >= found[..., 0]) & (target[half:] <= found[..., 4])
    assert (inside.double().mean(0) - 0.8).abs().max() < 0.06
    before = (target[half:] >= quantiles[half:, ..., 0]) & (target[half:] <= quantiles[half:, ..., 4])
    assert before.double().mean(0)[2].max() < 0.5


def test_factors_of_a_point_are_quantiles_of_its_errors() -> None:
    draw = np.random.default_rng(0)
    error = draw.normal(0.3, 2, (99, 1, 1))
    centre = torch.zeros(99, 1, 1, dtype=torch.float64)
    calibration, _ = fit_calibration(
        centre, normal_quantiles(centre, 1.0, GRID), torch.from_numpy(error), centre == 0, probabilities=GRID
    )
    found = calibration(centre[:1], normal_quantiles(centre[:1], 1.0, GRID), torch.tensor(GRID, dtype=torch.float64))
    ordered = np.sort(error.ravel())
    expected = [ordered[9], ordered[24], 0.0, ordered[74], ordered[89]]  # ranks 10, 25, 75 and 90 of 99
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-6, atol=1e-12)


# ---------------------------------------------------------------------------------------------------- few windows


def test_a_step_with_few_windows_shares_those_of_all_steps() -> None:
    centre, quantiles, target, _ = example(5, horizon=4, targets=1)
    target = torch.where(target.isnan(), centre, target)
    observed = torch.ones_like(centre, dtype=torch.bool)
    calibration, notes = fit_calibration(centre, quantiles, target, observed, probabilities=GRID)
    pooled = [part.reshape(20, 1, 1, *part.shape[3:]).numpy() for part in (centre, quantiles, target, observed)]
    alone = oracle(*(part.numpy() for part in (centre, quantiles, target, observed)))
    shared = np.broadcast_to(oracle(*pooled), (4, 1, 5))
    np.testing.assert_allclose(calibration.factors[..., 1:4], alone[..., 1:4], rtol=1e-6)  # 3 windows are enough
    np.testing.assert_allclose(calibration.factors[..., [0, 4]], shared[..., [0, 4]], rtol=1e-6)  # 9 are needed
    assert notes == (
        "calibration: 5 windows for a step of the horizon are too few for the quantiles 0.1, 0.9; "
        "such steps share the errors of all steps",
    )


def test_only_the_steps_with_few_windows_share() -> None:
    centre, quantiles, target, observed = example(30)
    target = torch.where(target.isnan(), centre, target)
    observed = torch.ones_like(observed)
    observed[4:, 2, 1] = False  # 4 are enough for a quarter, not for a tenth
    calibration, notes = fit_calibration(centre, quantiles, target, observed, probabilities=GRID)
    expected = oracle(*(part.numpy() for part in (centre, quantiles, target, observed)))
    same = np.isclose(calibration.factors, expected, rtol=1e-6)
    assert np.argwhere(~same).tolist() == [[2, 1, 0], [2, 1, 4]]
    assert len(notes) == 1


def test_targets_that_have_too_few_in_all_share_with_the_others() -> None:
    centre, quantiles, target, observed = example(30)
    target = torch.where(target.isnan(), centre, target)
    observed = torch.ones_like(observed)
    observed[..., 1] = False
    calibration, _ = fit_calibration(centre, quantiles, target, observed, probabilities=GRID)
    pooled = [
        part[:, :, :1].reshape(90, 1, 1, *part.shape[3:]).numpy() for part in (centre, quantiles, target, observed)
    ]
    shared = oracle(*pooled)[0, 0]
    np.testing.assert_allclose(calibration.factors[:, 1], np.tile(shared, (3, 1)), rtol=1e-6)


def test_where_even_all_are_too_few_the_largest_error_stands_in() -> None:
    centre = torch.zeros(3, 2, 1, dtype=torch.float64)
    target = torch.tensor([[1.0, -4.0], [2.0, 5.0], [3.0, -1.0]], dtype=torch.float64).unsqueeze(-1)
    quantiles = normal_quantiles(centre, 1.0, PROBABILITIES)
    calibration, notes = fit_calibration(centre, quantiles, target, centre == 0)
    found = calibration(centre[:1], quantiles[:1, ..., [0, 12]], torch.tensor([0.025, 0.975], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([[[[-4.0, 5.0]]] * 2], dtype=torch.float64), rtol=1e-6, atol=0)
    assert notes == (
        "calibration: 3 windows for a step of the horizon are too few for the quantiles "
        "0.025, 0.05, 0.1, 0.2, 0.8, 0.9, 0.95, 0.975; such steps share the errors of all steps",
        "calibration: 6 errors in all are too few for the quantiles 0.025, 0.05, 0.1, 0.9, 0.95, 0.975, the outermost "
        "of which needs 39; the largest error stands in, and they may be too narrow. "
        "Keep more rows apart with Uncertainty(calibration=…)",
    )


def test_windows_without_a_spread_are_left_out() -> None:
    centre, quantiles, target, observed = example(60)
    flat = torch.zeros(20, 3, 2, dtype=torch.float64)
    calibration, notes = fit_calibration(
        torch.cat([centre, flat]),
        torch.cat([quantiles, flat.unsqueeze(-1).expand(-1, -1, -1, 5)]),
        torch.cat([target, flat + 7]),
        torch.cat([observed, flat == 0]),
        probabilities=GRID,
    )
    alone, _ = fit_calibration(centre, quantiles, target, observed, probabilities=GRID)
    assert torch.equal(calibration.factors, alone.factors)
    assert notes == ()


def test_where_no_window_has_a_spread_nothing_changes() -> None:
    flat = torch.zeros(20, 3, 2, dtype=torch.float64)
    calibration, notes = fit_calibration(
        flat, flat.unsqueeze(-1).expand(-1, -1, -1, 5), flat, flat == 0, probabilities=GRID
    )
    assert (calibration.factors == 1).all()
    assert notes == ()


# -------------------------------------------------------------------------------------------------------- applying


def calibration(*factors: float) -> Calibration:
    return Calibration(torch.tensor(GRID), torch.tensor(factors).view(1, 1, 5))


def test_quantiles_are_stretched_from_the_centre() -> None:
    centre = torch.tensor([[[10.0]]], dtype=torch.float64)
    quantiles = torch.tensor([[[[7.0, 9.0, 10.0, 12.0, 14.0]]]], dtype=torch.float64)
    found = calibration(2, 3, 1, 0.5, 1)(centre, quantiles, torch.tensor(GRID, dtype=torch.float64))
    assert found.flatten().tolist() == [4, 7, 10, 11, 14]


def test_factors_are_interpolated_on_each_side_by_itself() -> None:
    asked = torch.tensor(
        [0.001, 0.1, 0.17, 0.25, 0.3, 0.499, 0.5, 0.501, 0.6, 0.75, 0.8, 0.9, 0.999], dtype=torch.float64
    )
    scores = torch.special.ndtri(asked)
    centre = torch.zeros(1, 1, 1, dtype=torch.float64)
    found = calibration(2, 3, 100, 4, 8)(centre, scores.view(1, 1, 1, -1), asked) / scores
    inner, outer = stats.norm.ppf([0.75, 0.9])
    expected = np.where(
        asked < 0.5,
        np.interp(-scores, [inner, outer], [3.0, 2.0]),  # constant within the innermost and beyond the outermost
        np.interp(scores, [inner, outer], [4.0, 8.0]),
    )
    expected[6] = np.nan  # the median: 0 of 0
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-6)


def test_what_crosses_is_sorted() -> None:
    centre = torch.zeros(1, 1, 1)
    quantiles = torch.tensor([[[[-2.0, -1.0, 0.0, 1.0, 2.0]]]])
    found = calibration(1, 4, 1, -0.5, 1)(centre, quantiles, torch.tensor(GRID))
    assert found.flatten().tolist() == [-4, -2, -0.5, 0, 2]
    assert found.dtype == torch.float32


def test_an_empty_one_changes_nothing_and_takes_a_state() -> None:
    centre, quantiles, target, observed = example(60)
    fitted, _ = fit_calibration(centre, quantiles, target, observed, probabilities=GRID)
    empty = Calibration.empty(3, 2, len(GRID))
    asked = torch.tensor(GRID, dtype=torch.float64)
    assert torch.equal(empty(centre, quantiles, asked), quantiles)
    empty.load_state_dict(fitted.state_dict())
    assert torch.equal(empty(centre, quantiles, asked), fitted(centre, quantiles, asked))
    assert {name: list(part.shape) for name, part in empty.state_dict().items()} == {
        "probabilities": [5],
        "factors": [3, 2, 5],
    }


def test_it_is_built_on_the_meta_device() -> None:
    with torch.device("meta"):
        assert Calibration.empty(3, 2).factors.shape == (3, 2, len(PROBABILITIES))


# -------------------------------------------------------------------------------------------------------- refusals


def test_refused_shapes() -> None:
    centre, quantiles, target, observed = example(4)
    message = (
        "calibration needs forecasts [window, horizon, target] and their quantiles [window, horizon, target, 13]; "
        "got [4, 3, 2] and [4, 3, 2, 5]"
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        fit_calibration(centre, quantiles, target, observed)
    message = (
        "calibration compares forecasts of shape [4, 3, 2] with what came; "
        "the target has shape [4, 2, 2], its mask [4, 3, 2]"
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        fit_calibration(centre, quantiles, target[:, :2], observed, probabilities=GRID)


def test_nothing_observed() -> None:
    centre, quantiles, target, observed = example(4)
    message = (
        "calibration found no observed value in the rows kept apart for it; "
        "keep more rows apart with Uncertainty(calibration=…), or set it to 0"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        fit_calibration(centre, quantiles, target, torch.zeros_like(observed), probabilities=GRID)
