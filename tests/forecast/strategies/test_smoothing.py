"""Forecasts around exponential smoothing: what they begin with, what reaches them, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.errors import SpecError
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies.smoothing import SmoothingStrategy
from tidegate.nn.heads import make_head
from tidegate.nn.scaling import WindowScaling
from tidegate.nn.smoothing import estimate_state, exponential_smoothing
from tidegate.specs import Recurrent, Scaling, Uncertainty
from tidegate.specs.parts import Network
from tidegate.specs.smoothing import Smoothing

BATCH, CONTEXT, HORIZON, TARGETS = 3, 24, 5, 2
SIZES = Sizes(context=CONTEXT, horizon=HORIZON, targets=TARGETS, lags=(12, 4), series=6)


def build(
    spec: Smoothing | None = None,
    sizes: Sizes = SIZES,
    *,
    uncertainty: Uncertainty | None = None,
    network: Network | None = None,
    loud: bool = True,
) -> SmoothingStrategy:
    torch.manual_seed(0)
    head = make_head(uncertainty or Uncertainty(), "mae")
    scaling = WindowScaling(Scaling(), season=4)
    strategy = SmoothingStrategy(spec or Smoothing(), network or Recurrent(hidden_size=6), scaling, head, sizes)
    if loud:  # the quiet start would hide what the network says
        for parameter in strategy.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return strategy.eval()


def context(**more: Any) -> Context:
    torch.manual_seed(1)
    values = torch.randn(BATCH, CONTEXT, TARGETS, dtype=torch.float64)
    observed = torch.rand(values.shape) > 0.1
    return Context(
        values=torch.where(observed, values, 0.0),
        observed=observed,
        scale=torch.ones(BATCH, 1, TARGETS),
        series=torch.tensor([0, 5, 3]),
        position=torch.tensor([24, 31, 50]),
        **more,
    )


def changed(given: Context, name: str, part: Tensor) -> Context:
    return dataclasses.replace(given, **{name: part})


def test_before_training_it_is_classical_smoothing() -> None:
    given = context()
    strategy = build(Smoothing(seasons=(4, 12), alpha=0.2, gamma=0.4), loud=False)
    alpha, gamma = (torch.full((BATCH, TARGETS), share, dtype=torch.float64) for share in (0.2, 0.4))
    state = estimate_state(given.values, given.observed, (4, 12))
    smoothed = exponential_smoothing(given.values, given.observed, alpha=alpha, gammas=[gamma, gamma], state=state)
    expected = smoothed.state.forecast(HORIZON)
    found = strategy(given)
    assert found.shape == (BATCH, HORIZON, TARGETS, 1)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found[..., 0], expected, rtol=0, atol=0.1)  # the network whispers
    for parameter in strategy.head.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(strategy(given)[..., 0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("lags", "seasons"), [((12, 4), (4, 12)), ((4,), (4,)), ((), ())])
def test_the_seasons_are_those_of_the_forecaster_unless_given(lags: tuple[int, ...], seasons: tuple[int, ...]) -> None:
    sizes = dataclasses.replace(SIZES, lags=lags)
    assert build(sizes=sizes).smoothing.seasons == seasons
    assert build(Smoothing(seasons=(6,)), sizes).smoothing.seasons == (6,)
    assert build(Smoothing(seasons=()), sizes).smoothing.seasons == ()


@pytest.mark.parametrize("highway", [0, 10])
@pytest.mark.parametrize("seasons", [(), (4,), (4, 12)])
def test_a_level_moves_the_forecast_and_nothing_else(seasons: tuple[int, ...], highway: int) -> None:
    strategy = build(Smoothing(seasons=seasons, highway=highway))
    given = context()
    moved = changed(given, "values", torch.where(given.observed, given.values + 7, 0.0))
    torch.testing.assert_close(strategy(moved), strategy(given) + 7, rtol=1e-5, atol=1e-5)


def test_what_is_unobserved_is_not_read() -> None:
    strategy = build(Smoothing(highway=24))
    given = context()
    filled = changed(given, "values", torch.where(given.observed, given.values, 1e3))
    assert torch.equal(strategy(filled), strategy(given))


def test_every_observed_value_reaches_the_forecast_and_every_parameter_learns() -> None:
    strategy = build(Smoothing(highway=24))
    given = context()
    values = given.values.clone().requires_grad_()
    torch.autograd.backward(strategy(changed(given, "values", values)).square().sum())
    assert values.grad is not None
    assert (values.grad[given.observed] != 0).all()
    for name, parameter in strategy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_target_is_not_read() -> None:
    strategy, given = build(), context()
    target = torch.randn(BATCH, HORIZON, TARGETS)
    assert torch.equal(strategy.fitted(given, target, target > 0), strategy(given))


def test_an_unseen_series_is_forecast_without_corrections() -> None:
    strategy, given = build(), context()
    unseen = strategy(changed(given, "series", torch.full((BATCH,), -1)))
    assert not torch.allclose(unseen, strategy(given))
    assert torch.equal(unseen, strategy(dataclasses.replace(given, series=None, position=None)))
    shared = build(Smoothing(per_series=False))
    assert torch.equal(shared(given), shared(dataclasses.replace(given, series=None, position=None)))


def test_covariates_reach_the_steps_that_they_belong_to() -> None:
    sizes = dataclasses.replace(SIZES, past=1, known=2, static=3, segment=4)
    strategy = build(sizes=sizes)
    past = torch.randn(BATCH, CONTEXT, 1, requires_grad=True)
    known = torch.randn(BATCH, CONTEXT + HORIZON, 2, requires_grad=True)
    static = torch.randn(BATCH, 3, requires_grad=True)
    found = strategy(context(past=past, known=known, static=static))
    gradients = torch.autograd.grad(found[:, 2].sum(), (past, known, static))
    assert all((gradient != 0).any() for gradient in gradients)
    reached = gradients[1].abs().sum((0, 2)) > 0
    assert reached[:CONTEXT].all()
    assert reached[CONTEXT:].tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("segment", [1, 4, 24])
def test_segments_are_read_at_once(segment: int) -> None:
    strategy = build(sizes=dataclasses.replace(SIZES, segment=segment))
    seen: list[Tensor] = []
    strategy.network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    strategy(context())
    assert seen[0].shape == (BATCH, CONTEXT // segment, 2 * TARGETS * segment)


def test_a_highway_reads_the_last_steps_without_season_and_level() -> None:
    strategy, given = build(Smoothing(highway=3)), context()
    seen: list[Tensor] = []
    assert strategy.highway is not None
    strategy.highway.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    found = strategy(given)
    smoothed = strategy.smoothing(given.values, given.observed, given.series, given.position)
    expected = given.values - smoothed.seasonals - smoothed.state.level.unsqueeze(1)
    torch.testing.assert_close(seen[0], torch.where(given.observed, expected, 0.0))
    torch.nn.init.zeros_(strategy.highway.linear.weight)
    assert not torch.allclose(strategy(given), found)


def test_every_quantile_is_measured_from_the_same_forecast() -> None:
    strategy = build(uncertainty=Uncertainty(head="quantiles", quantiles=(0.1, 0.5, 0.9)), loud=False)
    given = context()
    moved = changed(given, "values", torch.where(given.observed, given.values + 7, 0.0))
    found = strategy(given)
    assert found.shape == (BATCH, HORIZON, TARGETS, 3)
    quantiles = strategy.meaning.quantiles(found, torch.tensor([0.1, 0.9]), given.scale[..., 0:1])
    shifted = strategy.meaning.quantiles(strategy(moved), torch.tensor([0.1, 0.9]), given.scale[..., 0:1])
    torch.testing.assert_close(shifted, quantiles + 7, rtol=1e-5, atol=1e-5)


def test_a_bidirectional_network_says_what_both_ends_say() -> None:
    strategy, given = build(network=Recurrent(hidden_size=6, bidirectional=True)), context()
    assert strategy(given).shape == (BATCH, HORIZON, TARGETS, 1)


def test_refusals() -> None:
    with pytest.raises(
        SpecError,
        match=r"^a season of 30 steps must fit into the context \(24\) to be smoothed; "
        r"lengthen the context, or leave that season out$",
    ):
        build(Smoothing(seasons=(4, 30)))
    with pytest.raises(
        SpecError,
        match=r"^strategy='smoothing' measures its outputs from a level and seasons, a head for counts from 0; "
        r"take another head or another strategy$",
    ):
        build(uncertainty=Uncertainty(head="negative_binomial"))
