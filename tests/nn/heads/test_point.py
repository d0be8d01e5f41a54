"""Points: their losses, and the quantiles that calibration stretches."""

from __future__ import annotations

import re

import pytest
import torch

from tidegate.errors import SpecError
from tidegate.nn.heads import make_head
from tidegate.nn.heads.point import PointHead
from tidegate.specs import Uncertainty
from tidegate.training.losses import resolve_loss

RAW = torch.tensor([[1.0], [-2.0], [0.25], [5.0]], dtype=torch.float64)
ONE = torch.ones(1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("mae", [1.0, 2.0, 0.25, 5.0]), ("mse", [1.0, 4.0, 0.0625, 25.0]), ("huber", [0.5, 1.5, 0.03125, 4.5])],
)
def test_losses_by_hand_and_as_in_training(loss: str, expected: list[float]) -> None:
    target = torch.zeros(4, dtype=torch.float64)
    found = make_head(Uncertainty(), loss).loss(RAW, target, ONE)
    assert found.tolist() == expected
    torch.testing.assert_close(found, resolve_loss(loss)(RAW[:, 0], target))


def test_an_unknown_loss() -> None:
    with pytest.raises(SpecError, match=r"^loss must be one of 'mae', 'mse', 'huber'; got 'rms'$"):
        make_head(Uncertainty(), "rms")


def test_the_forecast_is_the_number() -> None:
    head = PointHead("mse")
    assert head.centre(RAW, ONE).tolist() == [1.0, -2.0, 0.25, 5.0]
    assert head.mean(RAW, ONE).tolist() == [1.0, -2.0, 0.25, 5.0]


def test_quantiles_are_those_of_a_standard_normal_around_it() -> None:
    found = PointHead().quantiles(RAW[:2], torch.tensor([0.025, 0.5, 0.975], dtype=torch.float64), ONE)
    expected = [[1 - 1.959963984540054, 1, 1 + 1.959963984540054], [-2 - 1.959963984540054, -2, -0.040036015459946]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_there_is_nothing_to_draw_from() -> None:
    message = (
        "a head 'point' has no distribution to draw from; "
        "use Uncertainty(head='quantiles') or another head with a spread"
    )
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        PointHead().sample(RAW, ONE, None)
