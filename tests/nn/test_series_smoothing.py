"""Smoothing that learns: what it begins with, what each series has of its own, and what an unseen one gets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.series_smoothing import SeriesSmoothing
from tidegate.nn.smoothing import Smoothed, estimate_state, exponential_smoothing

TARGETS = 2


def window(steps: int = 24) -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    values = torch.randn(4, steps, TARGETS, dtype=torch.float64)
    return values, torch.rand(values.shape) > 0.1


def disturbed(layer: SeriesSmoothing) -> SeriesSmoothing:
    """As if it had been trained."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn(parameter.shape))
    return layer


def test_before_training_it_is_classical_smoothing() -> None:
    values, observed = window()
    layer = SeriesSmoothing((4, 6), targets=TARGETS, series=5, alpha=0.4, gamma=0.2)
    found = layer(values, observed, torch.tensor([0, 3, -1, 4]), torch.tensor([24, 25, 26, 30]))
    alpha, gamma = (torch.full((4, TARGETS), share, dtype=torch.float64) for share in (0.4, 0.2))
    state = estimate_state(values, observed, (4, 6))
    expected = exponential_smoothing(values, observed, alpha=alpha, gammas=[gamma, gamma], state=state)
    torch.testing.assert_close(found.levels, expected.levels, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.state.forecast(9), expected.state.forecast(9), rtol=1e-6, atol=1e-6)


def test_an_unseen_series_has_the_mean_logits_and_no_correction() -> None:
    values, observed = window()
    layer = disturbed(SeriesSmoothing((4,), targets=TARGETS, series=5))
    assert layer.series_logits is not None
    changes = layer.logits + layer.series_logits.mean(0)
    logits = torch.logit(torch.tensor([[0.3], [0.3]])) + 5 * changes  # a parameter moves its logit five times as far
    torch.testing.assert_close(layer.coefficients(2, torch.tensor([-1, 3]))[0], logits.sigmoid())
    unseen = layer(values, observed, torch.full((4,), -1), torch.full((4,), 24))
    torch.testing.assert_close(layer(values, observed).levels, unseen.levels)
    with torch.no_grad():
        for profiles in layer.series_profiles:
            profiles.add_(100)
    assert torch.equal(layer(values, observed, torch.full((4,), -1), torch.full((4,), 24)).levels, unseen.levels)


def test_the_profile_of_a_series_goes_by_absolute_phase() -> None:
    layer = SeriesSmoothing((4,), series=3)
    with torch.no_grad():
        layer.series_profiles[0][1] = 10 * torch.tensor([[10.0], [20.0], [30.0], [40.0]])  # kept in tenths
    values = torch.zeros(4, 6, 1, dtype=torch.float64)
    observed = torch.zeros_like(values, dtype=torch.bool)  # nothing is estimated, nothing is smoothed
    found = layer(values, observed, torch.tensor([1, 1, 0, 1]), torch.tensor([6, 7, 7, 1001]))
    assert found.seasonals[0].flatten().tolist() == [10, 20, 30, 40, 10, 20]  # begins at step 0
    assert found.seasonals[1].flatten().tolist() == [20, 30, 40, 10, 20, 30]  # begins at step 1
    assert found.seasonals[2].flatten().tolist() == [0] * 6  # another series
    assert found.state.seasonal(3)[3].flatten().tolist() == [20, 30, 40]  # step 1001 is next


def test_a_window_moves_the_parameters_of_its_series_only() -> None:
    values, observed = window()
    layer = disturbed(SeriesSmoothing((4,), targets=TARGETS, series=6))
    layer(values, observed, torch.tensor([0, 2, 2, 5]), torch.full((4,), 24)).state.forecast(
        4
    ).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        moved = parameter.grad.flatten(1).abs().sum(1) > 0
        assert moved.tolist() == ([True, True] if name == "logits" else [True, False, True, False, False, True]), name


def test_each_series_learns_how_fast_its_level_moves() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 100, 1, generator=generator, dtype=torch.float64)
    values = torch.stack([noise[0].cumsum(0), noise[1]])  # a random walk, and noise about a level
    observed = torch.ones_like(values, dtype=torch.bool)
    layer = SeriesSmoothing((), series=2)
    assert layer.series_logits is not None
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.2)
    series = torch.tensor([0, 1])
    for _ in range(25):
        optimizer.zero_grad()
        levels = layer(values, observed, series, torch.tensor([100, 100])).levels
        (values[:, 1:] - levels[:, :-1]).square().mean(1).div(values.var(1)).sum().backward()
        optimizer.step()
    walk, still = layer.coefficients(2, series).flatten().tolist()
    assert walk > 0.85
    assert still < 0.15


def test_without_series_of_its_own_numbers_are_not_needed() -> None:
    values, observed = window()
    layer = SeriesSmoothing((4,), targets=TARGETS)
    numbered = layer(values, observed, torch.tensor([7, 1, 2, 3])).levels
    assert torch.equal(layer(values, observed).levels, numbered)
    assert [name for name, _ in layer.named_parameters()] == ["logits"]


def test_refusals_of_the_layer() -> None:
    values, observed = window()
    message = "the profiles of a series go by absolute phase: give the position of each window"
    with pytest.raises(ShapeError, match=f"^{message}$"):
        SeriesSmoothing((4,), targets=TARGETS, series=2)(values, observed, torch.tensor([0, 0, 0, 0]))
    with pytest.raises(SpecError, match=r"^a season must be a whole number of at least 2; got 1$"):
        SeriesSmoothing((1,))


def test_it_can_be_exported() -> None:
    values, observed = window(10)
    layer = disturbed(SeriesSmoothing((4,), targets=TARGETS, series=5)).eval()
    series, position = torch.tensor([0, 3, -1, 4]), torch.tensor([24, 25, 26, 30])

    class Forecast(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, values: Tensor, observed: Tensor, series: Tensor, position: Tensor) -> Tensor:
            smoothed: Smoothed = self.layer(values, observed, series, position)
            return smoothed.state.forecast(5)

    module = Forecast()
    with torch.no_grad():
        exported = torch.export.export(module, (values, observed, series, position))
        torch.testing.assert_close(
            exported.module()(values, observed, series, position), module(values, observed, series, position)
        )
