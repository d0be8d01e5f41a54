"""What all heads promise: shapes, gradients, quantiles that do not cross, draws, and that they can be exported."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.nn.calibration import Calibration
from tidegate.nn.heads import Head, make_head, negative_binomial
from tidegate.specs import Scaling, Uncertainty
from tidegate.specs.uncertainty import HEADS

PROBABILITIES = torch.tensor([0.01, 0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 0.99], dtype=torch.float64)
SPREAD = tuple(name for name in HEADS if name != "point")

over_heads = pytest.mark.parametrize("name", HEADS)


def made(name: str) -> Head:
    return make_head(Uncertainty(head=name), "mae")


def example(head: Head, *shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Raw outputs [batch, horizon, target, size], a target, and a scale that broadcasts over the horizon."""
    draw = torch.Generator().manual_seed(0)
    raw = torch.randn(*shape, head.size, generator=draw, dtype=dtype)
    target = torch.randint(0, 9, shape, generator=draw).to(dtype)
    scale = torch.tensor([1.0, 4.0], dtype=torch.float64)[: shape[-1]].expand(shape[0], 1, shape[-1])
    return raw, target / scale, scale


@pytest.mark.parametrize(
    ("name", "size", "needs", "counts"),
    [
        ("point", 1, True, False),
        ("quantiles", 7, False, False),
        ("gaussian", 2, False, False),
        ("student_t", 3, False, False),
        ("negative_binomial", 2, False, True),
    ],
)
def test_what_a_head_says_of_itself(name: str, size: int, needs: bool, counts: bool) -> None:
    head = made(name)
    assert (head.size, head.needs_calibration, head.counts) == (size, needs, counts)


@pytest.mark.parametrize("name", SPREAD)
def test_a_loss_belongs_to_a_point(name: str) -> None:
    message = (
        f"a head '{name}' is trained by a loss of its own; loss='mse' belongs to head='point'. "
        "Leave loss at 'mae', or take Uncertainty(head='point')"
    )
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        make_head(Uncertainty(head=name), "mse")


@over_heads
def test_shapes(name: str) -> None:
    head = made(name)
    raw, target, scale = example(head, 3, 4, 2)
    assert head.loss(raw, target, scale).shape == (3, 4, 2)
    assert head.centre(raw, scale).shape == (3, 4, 2)
    assert head.mean(raw, scale).shape == (3, 4, 2)
    assert head.quantiles(raw, PROBABILITIES, scale).shape == (3, 4, 2, 8)


@over_heads
def test_the_losses_gradients(name: str) -> None:
    head = made(name)
    raw, target, scale = example(head, 3, 2, 2)
    assert torch.autograd.gradcheck(lambda x: head.loss(x, target, scale), raw.requires_grad_())


@over_heads
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_and_gradients_stay_finite_far_from_the_target(name: str, dtype: torch.dtype) -> None:
    head = made(name)
    extremes = torch.tensor([-60.0, -8.0, 0.0, 8.0, 60.0], dtype=dtype)
    raw = torch.cartesian_prod(*[extremes] * min(head.size, 3)).reshape(-1, min(head.size, 3))
    raw = nn.functional.pad(raw, (0, head.size - raw.shape[-1])).requires_grad_()
    for target in (0.0, 3.0, 1000.0):
        loss = head.loss(raw, torch.full(raw.shape[:1], target, dtype=dtype), torch.ones(1, dtype=torch.float64))
        (gradient,) = torch.autograd.grad(loss.sum(), raw)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()
        assert gradient.dtype == dtype


@over_heads
def test_float32_says_what_float64_says(name: str) -> None:
    head = made(name)
    raw, target, scale = example(head, 3, 4, 2)
    single = raw.float()
    for wide, narrow in (
        (head.loss(raw, target, scale), head.loss(single, target, scale)),
        (head.mean(raw, scale), head.mean(single, scale)),
        (head.quantiles(raw, PROBABILITIES, scale), head.quantiles(single, PROBABILITIES, scale)),
    ):
        torch.testing.assert_close(narrow.double(), wide, rtol=1e-5, atol=1e-5)


@over_heads
def test_quantiles_do_not_cross_and_the_centre_is_the_median(name: str) -> None:
    head = made(name)
    raw, _, scale = example(head, 50, 4, 2)
    found = head.quantiles(raw, PROBABILITIES, scale)
    assert (found.diff(dim=-1) >= 0).all()
    assert (found[..., -1] > found[..., 0]).any()
    torch.testing.assert_close(head.centre(raw, scale), found[..., 3])


@pytest.mark.parametrize("name", ["point", "quantiles", "gaussian", "student_t"])
def test_a_shift_moves_the_location_and_nothing_else(name: str) -> None:
    head = made(name)
    raw, target, scale = example(head, 3, 4, 2)
    origin = torch.randn(3, 1, 2, dtype=torch.float64)  # one for all steps
    moved = head.shifted(raw, origin)
    assert moved.shape == raw.shape
    torch.testing.assert_close(head.centre(moved, scale), head.centre(raw, scale) + origin)
    torch.testing.assert_close(head.mean(moved, scale), head.mean(raw, scale) + origin)
    torch.testing.assert_close(
        head.quantiles(moved, PROBABILITIES, scale), head.quantiles(raw, PROBABILITIES, scale) + origin.unsqueeze(-1)
    )
    torch.testing.assert_close(head.loss(moved, target + origin, scale), head.loss(raw, target, scale))


@pytest.mark.parametrize("name", SPREAD)
def test_draws_have_the_quantiles_and_the_mean_of_the_head(name: str) -> None:
    head = made(name)
    raw, _, scale = example(head, 1, 3, 2)
    many = raw.expand(40_000, -1, -1, -1)
    drawn = head.sample(many, scale, torch.Generator().manual_seed(1))
    assert drawn.shape == (40_000, 3, 2)
    below = (drawn.unsqueeze(-1) <= head.quantiles(raw, PROBABILITIES, scale)).double().mean(0)
    if head.counts:  # a whole number may carry more than the share that was asked for
        assert (below > PROBABILITIES - 0.01).all()
    else:
        assert (below - PROBABILITIES).abs().max() < 0.01  # four standard errors
    errors = drawn.std(0) / 200
    assert ((drawn.mean(0) - head.mean(raw, scale)[0]).abs() < 4 * errors).all()


@pytest.mark.parametrize("name", SPREAD)
def test_draws_follow_from_the_generator(name: str) -> None:
    head = made(name)
    raw, _, scale = example(head, 3, 4, 2)
    one, two = (head.sample(raw, scale, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, head.sample(raw, scale, torch.Generator().manual_seed(8)))


@pytest.mark.parametrize("name", [name for name in HEADS if name != "negative_binomial"])
def test_any_scaling_will_do(name: str) -> None:
    made(name).check_scaling(Scaling(transform="log", method="robust", output="season"))


class Answer(nn.Module):
    """Quantiles of a head, calibrated, as they are exported."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.meaning = head
        factors = torch.linspace(0.5, 2, 4 * 2 * 5).reshape(4, 2, 5)
        self.calibration = Calibration(torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9]), factors)

    def forward(self, raw: Tensor, origin: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.meaning.shifted(raw, origin)
        found = self.meaning.quantiles(raw, PROBABILITIES, scale)
        return self.calibration(found[..., 3], found, PROBABILITIES), self.meaning.mean(raw, scale)


@over_heads
def test_it_is_exported_with_any_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negative_binomial, "_ROUNDS", 1)  # each is written out, which takes seconds
    head = made(name)
    answer = Answer(head)
    raw, _, scale = example(head, 3, 4, 2)
    batch = torch.export.Dim("batch")
    exported = torch.export.export(
        answer, (raw, torch.zeros(3, 4, 2), scale), dynamic_shapes=({0: batch}, {0: batch}, {0: batch})
    ).module()
    raw, _, scale = example(head, 5, 4, 2)
    for found, expected in zip(
        exported(raw, torch.zeros(5, 4, 2), scale), answer(raw, torch.zeros(5, 4, 2), scale), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
