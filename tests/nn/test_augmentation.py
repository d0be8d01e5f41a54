"""Random changes: what they may do to a series, and what they must leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate import specs
from tidegate.nn.augmentation import Augmentation, resampled, smooth_curve

NOTHING: dict[str, Any] = {"scaling": 0.0, "jitter": 0.0, "probability": 1.0}
LENGTHS = torch.tensor([9, 5, 1, 0])
CHANGES: list[dict[str, Any]] = [
    {"crop": 0.4},
    {"time_warp": 0.3},
    {"magnitude_warp": 0.3},
    {"scaling": 0.3},
    {"jitter": 0.3},
]
over_changes = pytest.mark.parametrize("change", CHANGES, ids=str)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw() -> Tensor:
    return torch.randn(4, 9, 2)


def changed(x: Tensor, change: dict[str, Any], **options: Any) -> Tensor:
    module = Augmentation(specs.Augmentation(**{**NOTHING, **change, **options}))
    result: Tensor = module.train()(x, lengths=LENGTHS)
    return result


@over_changes
def test_only_in_training(change: dict[str, Any]) -> None:
    x = draw()
    module = Augmentation(specs.Augmentation(**{**NOTHING, **change}))
    assert module.eval()(x) is x
    assert not torch.equal(module.train()(x), x)


@over_changes
def test_the_generator_decides(change: dict[str, Any]) -> None:
    x = draw()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(changed(x, change))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@over_changes
def test_what_lies_behind_the_end_reaches_nothing(change: dict[str, Any]) -> None:
    x = draw()
    other = x.clone()
    other[1, 5:] = 1e6
    torch.manual_seed(1)
    first = changed(x, change)
    torch.manual_seed(1)
    second = changed(other, change)
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=0)
    torch.testing.assert_close(first[1, :5], second[1, :5], rtol=0, atol=0)


@over_changes
def test_missing_values_stay_missing(change: dict[str, Any]) -> None:
    x = draw()
    x[:, :, 1] = torch.nan
    result = changed(x, change)
    assert result[:, :, 1].isnan().all()
    assert not result[:, :, 0].isnan().any()


@over_changes
def test_about_as_many_examples_as_were_asked_for_are_changed(change: dict[str, Any]) -> None:
    x = torch.randn(400, 6, 1)
    module = Augmentation(specs.Augmentation(**{**NOTHING, **change, "probability": 0.25})).train()
    share = (module(x) != x).any(dim=2).any(dim=1).float().mean().item()
    assert 0.18 < share < 0.32


def test_a_crop_and_a_warp_read_the_series_from_first_to_last() -> None:
    ramp = torch.arange(9.0).repeat(64, 1).unsqueeze(2)  # a value is its own place
    module = Augmentation(specs.Augmentation(**{**NOTHING, "time_warp": 0.3})).train()
    warped = module(ramp)[:, :, 0]
    assert (warped.diff(dim=1) > 0).all()
    torch.testing.assert_close(warped[:, 0], torch.zeros(64))
    torch.testing.assert_close(warped[:, -1], torch.full((64,), 8.0))
    cropped = Augmentation(specs.Augmentation(**{**NOTHING, "crop": 0.5})).train()(ramp)[:, :, 0]
    kept = (cropped[:, -1] - cropped[:, 0]) / 8
    assert (kept >= 0.5 - 1e-6).all()
    assert (kept <= 1).all()
    assert kept.std() > 0.05
    torch.testing.assert_close(cropped.diff(dim=1), (8 * kept / 8).unsqueeze(1).expand(-1, 8), atol=1e-4, rtol=1e-4)


def test_scaling_multiplies_each_channel_by_one_number() -> None:
    x = draw().abs() + 1
    factor = changed(x, {"scaling": 0.2}) / x
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    assert (factor[0, 0, 0] - factor[0, 0, 1]).abs() > 1e-3


def test_jitter_has_the_spread_that_was_asked_for() -> None:
    x = torch.zeros(4, 4000, 2)
    module = Augmentation(specs.Augmentation(**{**NOTHING, "jitter": 0.2})).train()
    assert module(x).std().item() == pytest.approx(0.2, rel=0.02)


def test_a_curve_goes_through_its_points_by_cubics() -> None:
    x = torch.zeros(1, 31, 1, dtype=torch.float64)
    torch.manual_seed(3)
    curve = smooth_curve(x, None, 4, 0.5, 1)[0, :, 0]
    torch.manual_seed(3)
    points = (0.5 * torch.randn(1, 8, 1, dtype=torch.float64))[0, :, 0].numpy()
    torch.testing.assert_close(curve[::6].numpy(), 1 + points[1:7])  # 30 steps, 5 segments
    a, b, c, d = points[1:5]  # the second segment, in its middle
    middle = (-a + 9 * b + 9 * c - d) / 16
    np.testing.assert_allclose(curve[9].item(), 1 + middle)


def test_reading_between_steps() -> None:
    x = torch.tensor([[[0.0], [10.0], [torch.nan], [30.0]]])
    read = resampled(x, torch.tensor([[0.25, 1.0, 1.5, 9.0]]))
    assert read[0, :2, 0].tolist() == [2.5, 10.0]
    assert read[0, 2].isnan()
    assert read[0, 3].item() == 30
