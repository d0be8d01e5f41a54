"""Direct and recursive forecasts: what they read, what reaches what, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.errors import SpecError
from tidegate.forecast.strategies import Direct, Recursive, Strategy, make_strategy
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import Recurrent, Scaling

HORIZON, CONTEXT, TARGETS = 5, 12, 2


def build(name: str, output: str = "last", *, targets: int = TARGETS, segment: int = 1, **network: Any) -> Strategy:
    torch.manual_seed(0)
    scaling = WindowScaling(Scaling(output=output), season=4)
    spec = Recurrent(hidden_size=6, **network)
    strategy = make_strategy(name, spec, scaling, horizon=HORIZON, targets=targets, segment=segment)
    torch.nn.init.normal_(strategy.head.weight)  # the quiet start would hide what the network says
    return strategy.eval()


def window(batch: int = 3) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(batch, CONTEXT, TARGETS, dtype=torch.float64), torch.ones(
        batch, CONTEXT, TARGETS, dtype=torch.bool
    )


NAMES = ("direct", "recursive")
OUTPUTS = ("centre", "last", "season")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_first_step_responds_to_the_last_value(name: str, output: str) -> None:
    strategy = build(name, output)
    scaled, observed = window()
    scaled.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(scaled, observed)[:, 0].sum(), scaled)
    assert (gradient[:, -1].abs() > 1e-4).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output", OUTPUTS)
def test_only_the_context_is_read_in_a_forecast(name: str, output: str) -> None:
    strategy = build(name, output)
    scaled, observed = window()
    target, there = torch.randn(3, HORIZON, TARGETS).double(), torch.ones(3, HORIZON, TARGETS, dtype=torch.bool)
    first = strategy.fitted(scaled, observed, target, there)[:, 0]
    again = strategy.fitted(scaled, observed, target + 100, there)[:, 0]
    torch.testing.assert_close(first, again)
    torch.testing.assert_close(first, strategy(scaled, observed)[:, 0])


@pytest.mark.parametrize("targets", [1, TARGETS])
def test_a_steps_loss_reaches_other_outputs_only_through_the_shared_network(targets: int) -> None:
    strategy = build("direct", targets=targets)
    assert isinstance(strategy, Direct)
    scaled, observed = (part[..., :targets] for part in window())
    for step in range(HORIZON):
        strategy.zero_grad()
        strategy(scaled, observed)[:, step].sum().backward()
        gradient = strategy.head.weight.grad
        assert gradient is not None
        rows = gradient.view(HORIZON, targets, -1).abs().sum((1, 2))
        assert rows[step] > 0
        assert rows.sum() == rows[step]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_roll_out_is_teacher_forcing_on_its_own_forecasts(output: str) -> None:
    strategy = build("recursive", output)
    assert isinstance(strategy, Recursive)
    scaled, observed = window()
    forecast = strategy(scaled, observed)
    everywhere = torch.ones_like(forecast, dtype=torch.bool)
    torch.testing.assert_close(strategy.fitted(scaled, observed, forecast, everywhere), forecast, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output", OUTPUTS)
def test_teacher_forcing_does_not_read_missing_truth(output: str) -> None:
    strategy = build("recursive", output)
    scaled, observed = window()
    target = torch.randn(3, HORIZON, TARGETS).double()
    there = torch.ones_like(target, dtype=torch.bool)
    there[:, 1] = False
    target[:, 1] = 0  # as encoding leaves it
    one = strategy.fitted(scaled, observed, target, there)
    assert torch.isfinite(one).all()
    filled = strategy.fitted(scaled, observed, target, torch.ones_like(there))
    assert not torch.allclose(one[:, 2], filled[:, 2])  # a missing value is told from a value of 0


def test_a_step_of_the_truth_moves_only_later_steps() -> None:
    strategy = build("recursive", "season")
    scaled, observed = window()
    target, there = torch.randn(3, HORIZON, TARGETS).double(), torch.ones(3, HORIZON, TARGETS, dtype=torch.bool)
    changed = target.clone()
    changed[:, 2] += 1
    difference = strategy.fitted(scaled, observed, changed, there) - strategy.fitted(scaled, observed, target, there)
    assert (difference[:, :3] == 0).all()
    assert (difference[:, 3:] != 0).all()


def test_both_directions_of_a_bidirectional_network_have_read_everything() -> None:
    strategy = build("direct", bidirectional=True)
    scaled, observed = window()
    scaled.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(scaled, observed).sum(), scaled)
    # The backward half ends at the first step, the forward half at the last.
    assert (gradient[:, 0].abs() > 1e-3).all()
    assert (gradient[:, -1].abs() > 1e-3).all()


def test_recursive_refuses_a_bidirectional_network() -> None:
    with pytest.raises(SpecError, match="does not have; use strategy='direct' or bidirectional=False"):
        build("recursive", bidirectional=True)


def test_segments_read_the_same_values() -> None:
    strategy = build("direct", segment=4)
    assert isinstance(strategy, Direct)
    scaled, observed = window()
    scaled.requires_grad_()
    (gradient,) = torch.autograd.grad(strategy(scaled, observed).sum(), scaled)
    assert (gradient.abs() > 1e-6).all()
    change = torch.cat([torch.zeros_like(scaled[:, :4]), scaled[:, 4:] - scaled[:, :-4]], dim=1)  # a season is 4 steps
    features = torch.cat([scaled, observed, change], dim=-1).float()
    seen: list[Tensor] = []
    strategy.stack.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    strategy(scaled, observed)
    torch.testing.assert_close(seen[0][0, 1].view(4, -1), features[0, 4:8])


def test_the_change_since_the_season_before_is_read_where_both_are_observed() -> None:
    strategy = build("direct", targets=1)
    assert isinstance(strategy, Direct)
    scaled = torch.arange(CONTEXT).double().square().view(1, CONTEXT, 1)
    observed = torch.ones(1, CONTEXT, 1, dtype=torch.bool)
    observed[0, 5] = False
    seen: list[Tensor] = []
    strategy.stack.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    strategy(torch.where(observed, scaled, 0.0), observed)
    expected = [0, 0, 0, 0, 16, 0, 36 - 4, 49 - 9, 64 - 16, 0, 100 - 36, 121 - 49]  # steps 5 and 9 lack one of two
    assert seen[0][0, :, 2].tolist() == expected
    short = Direct(Recurrent(hidden_size=3), strategy.scaling, horizon=2, targets=1)  # a context within one season
    assert torch.isfinite(short(scaled[:, :3], observed[:, :3])).all()
