"""Scaling inside a window: its numbers, its inverse, its floors, and that nothing else is read."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tidegate.errors import SpecError
from tidegate.nn.scaling import WindowScaling
from tidegate.nn.transforms import BoxCox, make_transform
from tidegate.specs import Scaling
from tidegate.specs.scaling import METHODS


def column(*values: float | None) -> tuple[Tensor, Tensor]:
    """One window of one variable; ``None`` is unobserved (and holds rubbish)."""
    numbers = torch.tensor([123456.0 if value is None else value for value in values], dtype=torch.float64)
    mask = torch.tensor([value is not None for value in values])
    return numbers.view(1, -1, 1), mask.view(1, -1, 1)


@pytest.mark.parametrize(
    ("method", "loc", "scale"),
    [
        ("standard", 4.0, math.sqrt(((1 - 4) ** 2 + (3 - 4) ** 2 + (4 - 4) ** 2 + (8 - 4) ** 2) / 4)),
        ("minmax", 1.0, 7.0),
        ("robust", 3.5, 5.0 - 2.5),
        ("mean", 0.0, 4.0),
        ("difference", 4.0, 3.0),  # |4 − 1|; 8 and 3 have no neighbour two steps away
        ("none", 0.0, 1.0),
    ],
)
def test_loc_and_scale_by_hand(method: str, loc: float, scale: float) -> None:
    values, observed = column(1, 3, 4, None, None, 8)
    found = WindowScaling(Scaling(method=method), season=2)(values, observed)
    assert found.loc.item() == pytest.approx(loc)
    assert found.scale.item() == pytest.approx(scale)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("transform", ["identity", "log", "log1p", "boxcox"])
def test_decode_undoes_encode(method: str, transform: str) -> None:
    torch.manual_seed(0)
    values = torch.rand(4, 24, 3, dtype=torch.float64) * 100 + 0.5
    observed = torch.rand(4, 24, 3) > 0.2
    scaling = WindowScaling(Scaling(transform=transform, method=method), season=6, power=0.3)
    scale = scaling(values, observed)
    scaled = scale.encode(values, observed)
    torch.testing.assert_close(scale.decode(scaled)[observed], values[observed], rtol=1e-12, atol=1e-10)
    assert (scaled[~observed] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_is_unobserved_is_not_read(method: str) -> None:
    scaling = WindowScaling(Scaling(method=method, output="season"), season=3)
    values, observed = column(5, 2, None, 7, None, 1, 4)
    other = torch.where(observed, values, torch.nan)
    one, two = scaling(values, observed), scaling(other, observed)
    assert torch.equal(one.loc, two.loc)
    assert torch.equal(one.scale, two.scale)
    assert torch.equal(one.encode(values, observed), two.encode(other, observed))


@given(st.floats(-1e12, 1e12), st.sampled_from(METHODS))
def test_a_constant_window_has_a_usable_scale(level: float, method: str) -> None:
    values, observed = column(*[level] * 8)
    scale = WindowScaling(Scaling(method=method), season=2)(values, observed)
    assert scale.scale.item() > 0
    decoded = scale.decode(scale.encode(values, observed))
    torch.testing.assert_close(decoded, values, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(("values", "scale"), [((0.0, 0.0, 0.0), 1.0), ((-5.0, -5.0, -5.0), 0.05)])
def test_the_scale_of_a_constant_window(values: tuple[float, ...], scale: float) -> None:
    assert WindowScaling(Scaling())(*column(*values)).scale.item() == pytest.approx(scale)


@pytest.mark.parametrize("method", METHODS)
def test_a_window_without_any_value_gives_numbers(method: str) -> None:
    values, observed = column(*[None] * 6)
    scaling = WindowScaling(Scaling(method=method, output="season"), season=2)
    scale = scaling(values, observed)
    assert torch.isfinite(scale.loc).all()
    assert torch.isfinite(scale.scale).all()
    assert (scaling.origin(scale.encode(values, observed), observed, 3) == 0).all()


def test_the_difference_of_a_window_that_repeats_itself_is_its_spread() -> None:
    values, observed = column(1, 5, 1, 5, 1, 5)
    assert WindowScaling(Scaling(method="difference"), season=2)(values, observed).scale.item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("output", "expected"),
    [("centre", [0, 0, 0, 0, 0]), ("last", [6, 6, 6, 6, 6]), ("season", [5, 3, 6, 5, 3])],
)
def test_origins(output: str, expected: list[float]) -> None:
    # The last season is (None, None, 6); what lacks in it comes from the season before.
    values, observed = column(1, 2, 9, 5, 3, 4, None, None, 6)
    scaling = WindowScaling(Scaling(method="none", output=output), season=3)
    scaled = scaling(values, observed).encode(values, observed)
    assert scaling.origin(scaled, observed, 5).flatten().tolist() == expected


def test_the_last_origin_is_the_last_observed_value() -> None:
    values, observed = column(1, 4, None)
    scaling = WindowScaling(Scaling(method="none", output="last"))
    assert scaling.origin(scaling(values, observed).encode(values, observed), observed, 2).flatten().tolist() == [4, 4]


def test_a_season_longer_than_the_window_falls_back_to_the_last_value() -> None:
    values, observed = column(1, 4)
    scaling = WindowScaling(Scaling(method="none", output="season"), season=3)
    scaled = scaling(values, observed).encode(values, observed)
    assert scaling.origin(scaled, observed, 4).flatten().tolist() == [4, 4, 4, 4]


def test_statistics_are_wide_under_autocast() -> None:
    values, observed = column(1e8, 1e8 + 1, 1e8 + 2)
    scaling = WindowScaling(Scaling(method="standard"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scale = scaling(values, observed)
        scaled = scale.encode(values, observed)
    assert scale.loc.dtype == torch.float64
    torch.testing.assert_close(scaled.flatten(), torch.tensor([-1.5, 0, 1.5], dtype=torch.float64) * math.sqrt(2 / 3))


@given(st.floats(-1, 2), st.floats(0.01, 1e6))
def test_box_cox_is_monotone_and_invertible(power: float, value: float) -> None:
    transform = BoxCox(power)
    x = torch.tensor([value, value * 1.5], dtype=torch.float64)
    y = transform.forward(x)
    if abs(power) < 1e-9 and power != 0:
        return  # (xᵖ − 1) / p has no digits left there
    assert y[1] >= y[0]
    torch.testing.assert_close(transform.inverse(y), x, rtol=1e-3, atol=1e-6)


def test_box_cox_beyond_its_range_stays_finite_and_ordered() -> None:
    for power in (0.5, -0.5):
        bound = -1 / power
        values = BoxCox(power).inverse(torch.tensor([bound - 1, bound + 1], dtype=torch.float64))
        assert torch.isfinite(values).all()
    assert BoxCox(0.5).inverse(torch.tensor([-5.0], dtype=torch.float64)).item() == pytest.approx(0, abs=1e-200)


def test_box_cox_needs_its_power() -> None:
    with pytest.raises(SpecError, match="needs its power"):
        make_transform("boxcox", None)


def test_a_centre_other_than_the_windows_moves_loc_alone() -> None:
    values = torch.arange(1.0, 9.0, dtype=torch.float64).view(1, 8, 1)  # seasons of 4: means 2.5 and 6.5
    observed = torch.ones_like(values, dtype=torch.bool)
    plain = WindowScaling(Scaling(method="difference"), season=4)(values, observed)
    season = WindowScaling(Scaling(method="difference", centre="season"), season=4)(values, observed)
    last = WindowScaling(Scaling(method="difference", centre="last"), season=4)(values, observed)
    assert (plain.loc.item(), season.loc.item(), last.loc.item()) == (4.5, 6.5, 8.0)
    assert plain.scale.item() == season.scale.item() == last.scale.item() == 4.0


def test_a_season_without_a_value_leaves_the_centre_where_it_is() -> None:
    values = torch.arange(1.0, 9.0, dtype=torch.float64).view(1, 8, 1)
    observed = torch.ones_like(values, dtype=torch.bool)
    observed[:, 4:] = False
    scale = WindowScaling(Scaling(method="standard", centre="season"), season=4)(values, observed)
    assert scale.loc.item() == 2.5


def test_the_trend_goes_on_from_the_first_to_the_last_observed_value() -> None:
    scaled = torch.tensor([0.0, 1.0, 9.0, 4.0, 0.0], dtype=torch.float64).view(1, 5, 1)
    observed = torch.tensor([False, True, True, True, False]).view(1, 5, 1)
    origin = WindowScaling(Scaling(output="trend")).origin(scaled, observed, 3)
    assert origin.flatten().tolist() == [5.5, 7.0, 8.5]  # from 1 at step 1 to 4 at step 3: 1.5 a step


def test_a_levelled_season_is_the_last_one_moved_by_the_growth_of_its_mean() -> None:
    scaled = torch.tensor([1.0, 3.0, 2.0, 6.0], dtype=torch.float64).view(1, 4, 1)
    observed = torch.ones_like(scaled, dtype=torch.bool)
    scaling = WindowScaling(Scaling(output="level_season"), season=2)
    assert scaling.origin(scaled, observed, 3).flatten().tolist() == [4.0, 8.0, 4.0]  # means 2 and 4
    observed[:, :2] = False
    assert scaling.origin(scaled, observed, 3).flatten().tolist() == [2.0, 6.0, 2.0]
