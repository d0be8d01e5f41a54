from __future__ import annotations

import numpy as np
import pytest
import torch

from tidegate.errors import SpecError
from tidegate.nn.channel_scaling import ChannelScaling


def test_by_the_steps_of_training() -> None:
    steps = np.random.default_rng(0).normal(5, 3, size=(50, 2))
    steps[:10, 1] = np.nan
    scaling = ChannelScaling("train", 2)
    scaling.fit(steps)
    expected = (steps - np.nanmean(steps, axis=0)) / np.nanstd(steps, axis=0)
    scaled = scaling(torch.from_numpy(steps).unsqueeze(0), lengths=torch.tensor([3]))
    np.testing.assert_allclose(scaled[0].numpy(), expected)


def test_by_the_series_itself_and_nothing_behind_its_end() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(5, 3, size=(2, 6, 2)))
    x[0, 2, 1] = torch.nan
    x[1, 4:] = 1e9
    scaling = ChannelScaling("series", 2)
    scaling.fit(np.full((3, 2), 7.0))  # which does not matter
    scaled = scaling(x, lengths=torch.tensor([6, 4]))
    for row, length in ((0, 6), (1, 4)):
        part = x[row, :length].numpy()
        expected = (part - np.nanmean(part, axis=0)) / np.nanstd(part, axis=0)
        np.testing.assert_allclose(scaled[row, :length].numpy(), expected)


def test_not_at_all() -> None:
    x = torch.randn(2, 3, 1)
    scaling = ChannelScaling(None, 1)
    scaling.fit(np.full((3, 1), 7.0))
    torch.testing.assert_close(scaling(x), x.double())


@pytest.mark.parametrize("kind", ["train", "series"])
def test_a_constant_channel_of_any_level_becomes_zero(kind: str) -> None:
    scaling = ChannelScaling(kind, 1)
    steps = np.full((5, 1), 123456.789)
    scaling.fit(steps)
    assert scaling(torch.from_numpy(steps).unsqueeze(0)).abs().max().item() < 1e-9


def test_levels_far_from_zero_lose_nothing() -> None:
    wave = np.sin(np.arange(40.0))[:, None]
    scaling = ChannelScaling("series", 1)
    scaled = scaling(torch.from_numpy(wave + 1e9).unsqueeze(0)).numpy()
    np.testing.assert_allclose(scaled[0], (wave - wave.mean()) / wave.std(), atol=1e-6)


def test_an_unknown_kind() -> None:
    with pytest.raises(SpecError, match=r"^scaling must be one of 'train', 'series', None; got 'window'$"):
        ChannelScaling("window", 1)
