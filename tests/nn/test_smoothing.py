"""Exponential smoothing: against a loop over steps, gradients included, and what is estimated for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate.errors import ShapeError
from tidegate.nn.smoothing import (
    Smoothed,
    SmoothingState,
    estimate_state,
    exponential_smoothing,
)

BATCH, TARGETS = 3, 2


def step_by_step(
    values: Tensor, observed: Tensor, alpha: Tensor, gammas: Sequence[Tensor], level: Tensor, profiles: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Smooth one step after the other: levels and seasonal sums [batch, time, target], then the last profiles."""
    queues = [list(profile.unbind(1)) for profile in profiles]
    levels, sums = [], []
    for t in range(values.shape[1]):
        season = torch.zeros_like(level)
        for queue in queues:
            season = season + queue[t]
        rest = values[:, t] - season
        level = torch.where(observed[:, t], alpha * rest + (1 - alpha) * level, level)
        for queue, gamma in zip(queues, gammas, strict=True):
            queue.append(torch.where(observed[:, t], queue[t] + gamma * (rest - level), queue[t]))
        levels.append(level)
        sums.append(season)
    return (torch.stack(levels, 1), torch.stack(sums, 1), *(torch.stack(q[values.shape[1] :], 1) for q in queues))


def example(seasons: Sequence[int], steps: int, *, batch: int = BATCH, targets: int = TARGETS) -> dict[str, Tensor]:
    """Random values with gaps, coefficients and a first state; all need gradients."""
    torch.manual_seed(steps)

    def number(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, targets, dtype=torch.float64).requires_grad_()

    def share() -> Tensor:
        return torch.rand(batch, targets, dtype=torch.float64).requires_grad_()

    parts = {"values": number(steps), "alpha": share(), "level": number()}
    parts |= {f"gamma{season}": share() for season in seasons} | {
        f"profile{season}": number(season) for season in seasons
    }
    return parts


def gaps(values: Tensor, share: float = 0.3) -> Tensor:
    return torch.rand(values.shape, generator=torch.Generator().manual_seed(0)) > share


def smooth(parts: dict[str, Tensor], observed: Tensor) -> Smoothed:
    state = SmoothingState(level=parts["level"], profiles=tuple(p for name, p in parts.items() if "profile" in name))
    gammas = [part for name, part in parts.items() if "gamma" in name]
    return exponential_smoothing(parts["values"], observed, alpha=parts["alpha"], gammas=gammas, state=state)


def looped(parts: dict[str, Tensor], observed: Tensor) -> tuple[Tensor, ...]:
    gammas, profiles = ([part for name, part in parts.items() if kind in name] for kind in ("gamma", "profile"))
    return step_by_step(parts["values"], observed, parts["alpha"], gammas, parts["level"], profiles)


def outputs(smoothed: Smoothed) -> tuple[Tensor, ...]:
    return smoothed.levels, smoothed.seasonals, *smoothed.state.profiles


def weighed(parts: tuple[Tensor, ...]) -> Tensor:
    """Mix all outputs, each number with a weight of its own."""
    return torch.stack([(p * torch.linspace(-1, 2, p.numel(), dtype=p.dtype).view(p.shape)).sum() for p in parts]).sum()


CASES = [
    ((), 1),
    ((), 70),  # blocks of 32, the first one partly filled
    ((5,), 37),
    ((12,), 5),  # shorter than its season
    ((40,), 130),  # a season longer than a block
    ((2, 3), 16),
    ((7, 30), 100),  # seasons that do not divide each other
    ((24, 168), 400),
    ((3, 6, 12), 30),
]


@pytest.mark.parametrize(("seasons", "steps"), CASES)
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["whole", "gaps"])
def test_blocks_are_the_loop_over_steps(seasons: tuple[int, ...], steps: int, share: float) -> None:
    parts = example(seasons, steps)
    observed = gaps(parts["values"], share)
    one, two = outputs(smooth(parts, observed)), looped(parts, observed)
    for fast, slow in zip(one, two, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    leaves = list(parts.values())
    fast_gradients = torch.autograd.grad(weighed(one), leaves)
    slow_gradients = torch.autograd.grad(weighed(two), leaves, allow_unused=True)
    for name, fast, slow in zip(parts, fast_gradients, slow_gradients, strict=True):
        expected = torch.zeros_like(fast) if slow is None else slow
        assert torch.allclose(fast, expected, rtol=1e-10, atol=1e-10), name


def test_numerical_gradients() -> None:
    parts = example((2, 3), 7, batch=1)
    observed = gaps(parts["values"])
    names = list(parts)

    def function(*given: Tensor) -> tuple[Tensor, ...]:
        return outputs(smooth(dict(zip(names, given, strict=True)), observed))

    assert torch.autograd.gradcheck(function, tuple(parts.values()))


@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_coefficients_at_their_bounds_are_exact(extreme: float) -> None:
    parts = example((4,), 50)
    parts["alpha"] = torch.full((BATCH, TARGETS), extreme, dtype=torch.float64, requires_grad=True)
    observed = gaps(parts["values"])
    smoothed = smooth(parts, observed)
    fast = torch.autograd.grad(weighed(outputs(smoothed)), parts["alpha"])[0]
    slow = torch.autograd.grad(weighed(looped(parts, observed)), parts["alpha"])[0]
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-10)
    if extreme == 0:
        assert torch.equal(smoothed.levels, parts["level"].unsqueeze(1).expand_as(smoothed.levels))
    else:
        torch.testing.assert_close(smoothed.levels[observed], smoothed.rest[observed], rtol=0, atol=1e-14)


def test_a_level_alone_is_the_exponentially_weighted_mean_of_pandas() -> None:
    rng = np.random.default_rng(0)
    column = pd.Series(rng.standard_normal(100)).mask(rng.random(100) < 0.3)
    column.iloc[0] = 1.5  # pandas begins with the first value
    expected = column.ewm(alpha=0.3, adjust=False, ignore_na=True).mean()
    values = torch.tensor(column.to_numpy()).view(1, -1, 1)
    state = SmoothingState(level=torch.tensor([[1.5]], dtype=torch.float64), profiles=())
    alpha = torch.full((1, 1), 0.3, dtype=torch.float64)
    found = exponential_smoothing(values, ~values.isnan(), alpha=alpha, gammas=[], state=state)
    np.testing.assert_allclose(found.levels.flatten().numpy(), expected.to_numpy(), rtol=1e-12)


def test_what_is_unobserved_is_not_read_and_gets_no_gradient() -> None:
    parts = example((5,), 33)
    observed = gaps(parts["values"])
    hidden = torch.where(observed, parts["values"], torch.nan).detach().requires_grad_()
    one, two = smooth(parts, observed), smooth({**parts, "values": hidden}, observed)
    for clean, given in zip(outputs(one), outputs(two), strict=True):
        assert torch.equal(clean, given)
    assert (two.rest[~observed] == 0).all()
    (gradient,) = torch.autograd.grad(weighed((*outputs(two), two.rest)), hidden)
    assert (gradient[~observed] == 0).all()
    assert (gradient[observed] != 0).all()


def test_a_window_without_any_value_carries_the_state_on() -> None:
    parts = example((4, 6), 15)
    state = smooth(parts, torch.zeros_like(parts["values"], dtype=torch.bool)).state
    assert torch.equal(state.level, parts["level"])
    assert torch.equal(state.profiles[0], parts["profile4"].roll(-15, 1))  # the next step is the fourth of its season
    assert torch.equal(state.profiles[1], parts["profile6"].roll(-15, 1))


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_it_goes_on_where_it_ended(cut: int) -> None:
    parts = example((5, 12), 60)
    observed = gaps(parts["values"])
    whole = smooth(parts, observed)
    first = smooth({**parts, "values": parts["values"][:, :cut]}, observed[:, :cut]).state
    gammas = [parts["gamma5"], parts["gamma12"]]
    rest = exponential_smoothing(
        parts["values"][:, cut:], observed[:, cut:], alpha=parts["alpha"], gammas=gammas, state=first
    )
    torch.testing.assert_close(rest.levels, whole.levels[:, cut:])
    torch.testing.assert_close(rest.state.forecast(30), whole.state.forecast(30))


def test_the_forecast_repeats_each_season_at_the_last_level() -> None:
    state = SmoothingState(
        level=torch.tensor([[10.0]]),
        profiles=(torch.tensor([[[1.0], [-1.0]]]), torch.tensor([[[100.0], [200.0], [300.0]]])),
    )
    assert state.forecast(7).flatten().tolist() == [111, 209, 311, 109, 211, 309, 111]
    assert state.seasonal(2).flatten().tolist() == [101, 199]


def test_it_computes_in_the_dtype_of_the_values_also_under_autocast() -> None:
    parts = example((4,), 20)
    observed = gaps(parts["values"])
    wide = smooth(parts, observed)
    narrow = {name: part.float() for name, part in parts.items()}
    torch.testing.assert_close(smooth(narrow, observed).levels, wide.levels.float(), rtol=1e-5, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = smooth({**narrow, "values": parts["values"]}, observed)
    assert mixed.levels.dtype == torch.float64
    torch.testing.assert_close(mixed.levels, wide.levels, rtol=1e-5, atol=1e-5)


def test_a_second_derivative_is_refused() -> None:
    parts = example((4,), 20)
    levels = smooth(parts, gaps(parts["values"])).levels
    (first,) = torch.autograd.grad(levels.square().sum(), parts["alpha"], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(first.sum())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"values": torch.zeros(3, 0, 2)},
            "expected values [batch, time, target] of at least one step, and a mask of booleans of the same shape; "
            "got values [3, 0, 2] and torch.bool [3, 9, 2]",
        ),
        ({"alpha": torch.zeros(2)}, "expected alpha of shape [3, 2]; got [2]"),
        ({"gamma4": torch.zeros(3, 1)}, "expected gamma of shape [3, 2]; got [3, 1]"),
        ({"level": torch.zeros(3, 1, 2)}, "expected level of shape [3, 2]; got [3, 1, 2]"),
        ({"profile4": torch.zeros(2, 4, 2)}, "expected a profile of shape [3, season, 2]; got [2, 4, 2]"),
        ({"gamma5": torch.zeros(3, 2)}, "expected one coefficient a season; got 2 for 1 seasonal profiles"),
    ],
)
def test_refused_shapes(change: dict[str, Tensor], message: str) -> None:
    parts = example((4,), 9)
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        smooth({**parts, **change}, gaps(parts["values"]))


def centred(*values: float) -> Tensor:
    profile = torch.tensor(values, dtype=torch.float64)
    return profile - profile.mean()


def test_a_profile_is_found_under_a_slope_and_a_level_that_jumps() -> None:
    profile = centred(1, 4, -2, 7)
    cycles = torch.tensor([0.0, 10.0, 3.0, 3.0], dtype=torch.float64)
    steps = torch.arange(16, dtype=torch.float64)
    jumping = (cycles[:, None] + profile).view(1, -1, 1)
    everywhere = torch.ones_like(jumping, dtype=torch.bool)
    # Half a cycle has been left out at the front: the first entry is still that of the first step.
    found = estimate_state(jumping[:, 2:], everywhere[:, 2:], (4,)).profiles[0].flatten()
    slope = (cycles[1:] - cycles[:-1]).mean() / 4
    line = (slope * torch.arange(4)).roll(-2) - (slope * torch.arange(4)).mean()
    assert found.shape == (4,)
    torch.testing.assert_close(found.sum(), torch.zeros_like(found.sum()), rtol=0, atol=1e-12)
    torch.testing.assert_close(found + line, profile.roll(-2), rtol=0, atol=1.5)
    rising = (0.5 * steps + profile.repeat(4)).view(1, -1, 1)
    exact = estimate_state(rising, everywhere, (4,))
    torch.testing.assert_close(exact.profiles[0].flatten(), profile, rtol=0, atol=1e-12)
    torch.testing.assert_close(exact.level, torch.tensor([[0.5 * 3.5]], dtype=torch.float64))  # the first eight steps


def test_two_profiles_are_found_with_gaps() -> None:
    short, long = centred(3, -1, 2), centred(5, 0, 1, -4, 2, 8)
    values = (2 + short.repeat(10) + long.repeat(5)).view(1, -1, 1)
    observed = gaps(values, 0.2)
    state = estimate_state(values, observed, (3, 6))
    expected = (short.repeat(2) + long).view(1, -1, 1)
    whole = estimate_state(values, torch.ones_like(observed), (3, 6))
    torch.testing.assert_close(whole.seasonal(6), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(whole.level.item(), 2.0)
    torch.testing.assert_close(state.seasonal(6), expected, rtol=0, atol=0.7)


def test_an_estimate_reads_observed_values_only() -> None:
    values = example((), 30)["values"].detach()
    observed = gaps(values)
    one = estimate_state(values, observed, (4, 12))
    two = estimate_state(torch.where(observed, values, torch.inf), observed, (4, 12))
    assert torch.equal(one.level, two.level)
    assert all(map(torch.equal, one.profiles, two.profiles))


def test_too_little_to_see_a_season_gives_a_profile_of_zeros() -> None:
    values = torch.arange(12, dtype=torch.float64).square().view(1, -1, 1)
    observed = torch.ones_like(values, dtype=torch.bool)
    observed[:, :7] = False  # five steps are left
    state = estimate_state(values, observed, (5, 6, 20))
    assert (state.profiles[0] != 0).any()
    assert [profile.shape[1] for profile in state.profiles] == [5, 6, 20]
    assert (state.profiles[1] == 0).all()
    assert (state.profiles[2] == 0).all()
    nothing = estimate_state(values, torch.zeros_like(observed), (5,))
    assert nothing.level.item() == 0
    assert (nothing.profiles[0] == 0).all()


def test_a_phase_that_is_never_observed_has_no_season() -> None:
    values = centred(1, 5, 9).repeat(6).view(1, -1, 1)
    observed = (torch.arange(18) % 3 != 1).view(1, -1, 1)
    profile = estimate_state(values, observed, (3,)).profiles[0].flatten()
    torch.testing.assert_close(profile, centred(1, 9)[torch.tensor([0, 0, 1])] * torch.tensor([1.0, 0.0, 1.0]))
