"""Strategies: what they read, what reaches what, and what they refuse."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.errors import SpecError
from tidegate.forecast.context import Context, Sizes
from tidegate.forecast.strategies import Strategy, make_strategy
from tidegate.forecast.strategies.base import CarriedStrategy, Highway
from tidegate.forecast.strategies.direct import DirectStrategy
from tidegate.forecast.strategies.recursive import RecursiveStrategy
from tidegate.nn.heads import make_head
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import (
    Convolution,
    Direct,
    Recurrent,
    Scaling,
    Uncertainty,
)
from tidegate.specs.strategies import resolve_strategy

HORIZON, CONTEXT, TARGETS = 5, 12, 2


def build(
    strategy: Any,
    output: str = "last",
    *,
    targets: int = TARGETS,
    segment: int = 1,
    head: str = "point",
    parts: Any = None,
    covariates: tuple[int, int, int] = (0, 0, 0),
    **network: Any,
) -> Strategy:
    torch.manual_seed(0)
    scaling = WindowScaling(Scaling(output=output), season=4)
    past, known, static = covariates
    sizes = Sizes(
        context=CONTEXT,
        horizon=HORIZON,
        targets=targets,
        lags=(4,),
        segment=segment,
        past=past,
        known=known,
        static=static,
    )
    spec = Recurrent(**{"hidden_size": 6, **network}) if parts is None else parts
    made = make_strategy(resolve_strategy(strategy), spec, scaling, make_head(Uncertainty(head=head), "mae"), sizes)
    for name, parameter in made.named_parameters():  # the quiet start would hide what the network says
        if name.startswith(("head", "highway")):
            torch.nn.init.normal_(parameter)
    return made.eval()


def window(batch: int = 3, targets: int = TARGETS, covariates: tuple[int, int, int] = (0, 0, 0)) -> Context:
    torch.manual_seed(1)
    past, known, static = covariates
    return Context(
        values=torch.randn(batch, CONTEXT, targets, dtype=torch.float64),
        observed=torch.ones(batch, CONTEXT, targets, dtype=torch.bool),
        scale=torch.ones(batch, 1, targets, dtype=torch.float64),
        past=torch.randn(batch, CONTEXT, past) if past else None,
        known=torch.randn(batch, CONTEXT + HORIZON, known) if known else None,
        static=torch.randn(batch, static) if static else None,
    )


def point(strategy: Strategy, context: Context) -> Tensor:
    """The forecast of a point head: [batch, horizon, target]."""
    raw: Tensor = strategy(context)
    assert raw.shape[-1] == 1
    return raw[..., 0]


def fitted(strategy: Strategy, context: Context, target: Tensor, there: Tensor) -> Tensor:
    return strategy.fitted(context, target, there)[..., 0]


NAMES = ("direct", "recursive", "encoder_decoder", "segments", Direct(highway=7), Direct(highway=7, experts=3))
MOVING = ("centre", "last", "season")  # what a recursive strategy can measure from
OUTPUTS = (*MOVING, "level_season", "trend")
EVERY = [(name, output) for name in NAMES for output in (MOVING if name == "recursive" else OUTPUTS)]


ALL = (4, 3, 2)  # past, known and static covariates


@pytest.mark.parametrize(("name", "output"), EVERY)
def test_the_first_step_responds_to_the_last_value(name: Any, output: str) -> None:
    strategy, context = build(name, output), window()
    context.values.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(context)[:, 0].sum(), context.values)
    assert (gradient[:, -1].abs() > 1e-4).all()


@pytest.mark.parametrize(("name", "output"), EVERY)
def test_only_the_context_is_read_in_a_forecast(name: Any, output: str) -> None:
    strategy, context = build(name, output), window()
    target, there = torch.randn(3, HORIZON, TARGETS).double(), torch.ones(3, HORIZON, TARGETS, dtype=torch.bool)
    first = strategy.fitted(context, target, there)[:, 0]
    again = strategy.fitted(context, target + 100, there)[:, 0]
    torch.testing.assert_close(first, again)
    torch.testing.assert_close(first, strategy(context)[:, 0])


@pytest.mark.parametrize("name", ["direct", "encoder_decoder", "segments"])
def test_every_covariate_reaches_the_forecast(name: str) -> None:
    strategy, context = build(name, covariates=ALL), window(covariates=ALL)
    for part in (context.past, context.known, context.static):
        assert part is not None
        part.requires_grad_()
        (gradient,) = torch.autograd.grad(strategy(context).sum(), part)
        reached = gradient.abs().sum(0) > 0
        assert reached.all(), name


@pytest.mark.parametrize("name", ["direct", "recursive", "encoder_decoder"])
def test_a_steps_known_covariates_reach_it_and_no_step_before(name: str) -> None:
    covariates = (0, 3, 0)
    strategy, context = build(name, covariates=covariates), window(covariates=covariates)
    assert context.known is not None
    context.known.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(context)[:, 2].sum(), context.known)
    steps = gradient.abs().sum((0, 2))[CONTEXT:]
    assert steps[2] > 0
    assert (steps[3:] == 0).all()


@pytest.mark.parametrize("targets", [1, TARGETS])
def test_a_steps_loss_reaches_other_outputs_only_through_the_shared_network(targets: int) -> None:
    strategy = build("direct", targets=targets)
    assert isinstance(strategy, DirectStrategy)
    assert isinstance(strategy.head, torch.nn.Linear)
    for step in range(HORIZON):
        strategy.zero_grad()
        strategy(window(targets=targets))[:, step].sum().backward()
        gradient = strategy.head.weight.grad
        assert gradient is not None
        rows = gradient.view(HORIZON, targets, -1).abs().sum((1, 2))
        assert rows[step] > 0
        assert rows.sum() == rows[step]


@pytest.mark.parametrize("output", MOVING)
@pytest.mark.parametrize("covariates", [(0, 0, 0), (0, 2, 1)])
def test_a_roll_out_is_teacher_forcing_on_its_own_forecasts(output: str, covariates: tuple[int, int, int]) -> None:
    strategy, context = build("recursive", output, covariates=covariates), window(covariates=covariates)
    forecast = point(strategy, context)
    everywhere = torch.ones_like(forecast, dtype=torch.bool)
    torch.testing.assert_close(fitted(strategy, context, forecast, everywhere), forecast, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output", MOVING)
def test_true_values_within_the_horizon_are_gone_on_from(output: str) -> None:
    strategy, context = build("recursive", output), window()
    given = torch.full((3, HORIZON, TARGETS), torch.nan, dtype=torch.float64)
    given[:, :2] = torch.randn(3, 2, TARGETS)
    mixed = dataclasses.replace(context, given=given)
    forecast, plain = point(strategy, mixed), point(strategy, context)
    torch.testing.assert_close(forecast[:, 0], plain[:, 0])
    assert not torch.allclose(forecast[:, 1], plain[:, 1])
    true = torch.cat([given[:, :2], forecast[:, 2:]], dim=1)
    everywhere = torch.ones_like(true, dtype=torch.bool)
    torch.testing.assert_close(fitted(strategy, context, true, everywhere), forecast, rtol=1e-5, atol=1e-6)


def test_a_path_without_spread_is_the_roll_out() -> None:
    """With a spread of nearly nothing, what is drawn is the centre."""
    strategy = build("recursive", head="gaussian")
    assert isinstance(strategy, RecursiveStrategy)
    with torch.no_grad():
        strategy.head.weight.view(TARGETS, 2, -1)[:, 1] = 0
        strategy.head.bias.view(TARGETS, 2)[:, 1] = -100
    context = window()
    drawn = strategy.sampled(context, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn, strategy(context)[..., 0], atol=2e-2, rtol=1e-2)


def test_paths_follow_their_generator() -> None:
    strategy, context = build("recursive", head="gaussian"), window()
    assert isinstance(strategy, RecursiveStrategy)
    one, two, other = (strategy.sampled(context, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("output", MOVING)
def test_teacher_forcing_does_not_read_missing_truth(output: str) -> None:
    strategy, context = build("recursive", output), window()
    target = torch.randn(3, HORIZON, TARGETS).double()
    there = torch.ones_like(target, dtype=torch.bool)
    there[:, 1] = False
    target[:, 1] = 0  # as encoding leaves it
    one = fitted(strategy, context, target, there)
    assert torch.isfinite(one).all()
    filled = fitted(strategy, context, target, torch.ones_like(there))
    assert not torch.allclose(one[:, 2], filled[:, 2])  # a missing value is told from a value of 0


def test_a_step_of_the_truth_moves_only_later_steps() -> None:
    strategy, context = build("recursive", "season"), window()
    target, there = torch.randn(3, HORIZON, TARGETS).double(), torch.ones(3, HORIZON, TARGETS, dtype=torch.bool)
    changed = target.clone()
    changed[:, 2] += 1
    difference = fitted(strategy, context, changed, there) - fitted(strategy, context, target, there)
    assert (difference[:, :3] == 0).all()
    assert (difference[:, 3:] != 0).all()


@pytest.mark.parametrize("name", ["direct", "recursive"])
def test_a_state_carried_on_is_the_window_read_at_once(name: str) -> None:
    strategy, context = build(name), window()
    assert isinstance(strategy, CarriedStrategy)
    assert strategy.carries
    _, state = strategy.read(until(context, CONTEXT - 1))
    output, _ = strategy.read(context, state)
    whole, _ = strategy.read(context)
    torch.testing.assert_close(output[:, -1], whole[:, -1])


def test_both_directions_of_a_bidirectional_network_have_read_everything() -> None:
    strategy, context = build("direct", bidirectional=True), window()
    context.values.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(context).sum(), context.values)
    # The backward half ends at the first step, the forward half at the last.
    assert (gradient[:, 0].abs() > 1e-3).all()
    assert (gradient[:, -1].abs() > 1e-3).all()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("recursive", {"bidirectional": True}, "does not have; use strategy='direct' or bidirectional=False"),
        ("recursive", {"covariates": (1, 0, 0)}, "would need the future of past covariates too"),
        ("recursive", {"parts": (Convolution(), Recurrent())}, "needs a network of recurrent layers alone"),
        ("recursive", {"output": "trend"}, "must be one of 'centre', 'last', 'season'; got 'trend'"),
        ("encoder_decoder", {"bidirectional": True}, "must be one Recurrent in one direction"),
        ("segments", {"parts": (Convolution(), Recurrent())}, "must be one Recurrent in one direction"),
    ],
)
def test_networks_that_a_strategy_cannot_use(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build(name, **options)


def test_segments_read_the_same_values() -> None:
    strategy, context = build("direct", segment=4), window()
    assert isinstance(strategy, DirectStrategy)
    values = context.values.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(context).sum(), values)
    assert (gradient.abs() > 1e-6).all()
    change = torch.cat([torch.zeros_like(values[:, :4]), values[:, 4:] - values[:, :-4]], dim=1)  # a season is 4 steps
    features = torch.cat([values, context.observed, change], dim=-1).float()
    seen: list[Tensor] = []
    strategy.network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    strategy(context)
    torch.testing.assert_close(seen[0][0, 1].view(4, -1), features[0, 4:8])


def test_the_change_since_the_season_before_is_read_where_both_are_observed() -> None:
    values = torch.arange(CONTEXT).double().square().view(1, CONTEXT, 1)
    observed = torch.ones(1, CONTEXT, 1, dtype=torch.bool)
    observed[0, 5] = False
    context = Context(values=torch.where(observed, values, 0.0), observed=observed, scale=torch.ones(1, 1, 1))
    expected = [0, 0, 0, 0, 16, 0, 36 - 4, 49 - 9, 64 - 16, 0, 100 - 36, 121 - 49]  # steps 5 and 9 lack one of two
    assert context.history(torch.float32, lags=(4,))[0, :, 2].tolist() == expected
    short = until(context, 3)  # a context within one season
    assert short.history(torch.float32, lags=(4,))[0, :, 2].tolist() == [0, 0, 0]


def test_a_highway_alone_is_a_linear_map_of_the_last_steps() -> None:
    highway = Highway(3, 2)
    with torch.no_grad():
        highway.linear.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 2]]))
    values = torch.arange(10.0).view(1, 5, 2)  # last three steps: 4 6 8 and 5 7 9
    assert highway(values).tolist() == [[[4, 5], [16, 18]]]


def test_the_experts_of_a_highway_are_mixed_by_the_gate() -> None:
    highway = Highway(1, 1, experts=2, state=1)
    assert highway.gate is not None
    with torch.no_grad():
        highway.linear.weight.copy_(torch.tensor([[1.0], [3.0]]))
        highway.gate.weight.copy_(torch.tensor([[0.0], [1.0]]))
        highway.gate.bias.zero_()
    made = highway(torch.full((2, 1, 1), 10.0), torch.tensor([[0.0], [20.0]]))
    torch.testing.assert_close(made.flatten(), torch.tensor([20.0, 30.0]))  # half and half; the second alone


def until(context: Context, steps: int) -> Context:
    return dataclasses.replace(context, values=context.values[:, :steps], observed=context.observed[:, :steps])


@pytest.mark.parametrize(
    ("fade", "horizon", "season", "head", "steps"),
    [
        (None, 8, 2, "point", 4.0),  # four seasons ahead
        (None, 7, 2, "point", 0.0),
        (None, 8, 1, "point", 0.0),
        (None, 8, 2, "quantiles", 0.0),
        (0, 8, 2, "point", 0.0),
        (3, 4, 2, "gaussian", 3.0),
    ],
)
def test_a_networks_share_fades_far_ahead(
    fade: float | None, horizon: int, season: int, head: str, steps: float
) -> None:
    scaling = WindowScaling(Scaling(), season=season)
    sizes = Sizes(context=12, horizon=horizon, targets=1)
    meaning = make_head(Uncertainty(head=head), "mae")
    made = make_strategy(Direct(fade=fade), Recurrent(hidden_size=3), scaling, meaning, sizes)
    assert isinstance(made, DirectStrategy)
    shares = [math.exp(-step / steps) if steps else 1.0 for step in range(horizon)]
    assert made.shares.flatten().tolist() == pytest.approx(shares)


@pytest.mark.parametrize("name", ["direct", "recursive", "encoder_decoder", "segments"])
def test_quantiles_start_with_a_spread_around_the_origin(name: str) -> None:
    torch.manual_seed(0)
    sizes = Sizes(context=CONTEXT, horizon=HORIZON, targets=TARGETS)
    head = make_head(Uncertainty(head="quantiles", quantiles=(0.1, 0.5, 0.9)), "mae")
    scaling = WindowScaling(Scaling(output="last"), season=1)
    strategy = make_strategy(resolve_strategy(name), Recurrent(hidden_size=6), scaling, head, sizes)
    context = window()
    raw = strategy(context)
    from_last = raw[:, 0] - context.values[:, -1].unsqueeze(-1)
    expected = torch.tensor([-0.6408, 0.0, 0.6408], dtype=torch.float64)  # half a standard deviation
    torch.testing.assert_close(from_last, expected.expand_as(from_last), atol=0.1, rtol=0)
