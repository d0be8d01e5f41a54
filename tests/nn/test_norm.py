from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.norm import BatchNorm

LENGTHS = torch.tensor([6, 3, 0, 1])


def ragged(seed: int = 0) -> Tensor:
    """Draw sequences [4, 6, 3] whose padding would throw any statistic off."""
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 5
    x[padding()] = 1e6
    return x


def padding() -> Tensor:
    return torch.arange(6) >= LENGTHS[:, None]


def pair(momentum: float | None = 0.1) -> tuple[BatchNorm, nn.BatchNorm1d]:
    """Give ours and torch's with the same weights, other than the defaults."""
    ours = BatchNorm(3, momentum=momentum).double()
    theirs = nn.BatchNorm1d(3, momentum=momentum).double()
    with torch.no_grad():
        ours.norm.weight.copy_(torch.tensor([0.5, 2.0, -1.0]))
        ours.norm.bias.copy_(torch.tensor([1.0, 0.0, 3.0]))
    theirs.load_state_dict(ours.norm.state_dict())
    return ours, theirs


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_dense_input_is_torch_batch_norm(momentum: float | None) -> None:
    ours, theirs = pair(momentum)
    for seed in range(3):
        x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        torch.testing.assert_close(ours(x), theirs(x.mT).mT)
    torch.testing.assert_close(ours.norm.state_dict(), theirs.state_dict())
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x.mT).mT)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_padding_does_not_count(momentum: float | None) -> None:
    ours, theirs = pair(momentum)
    for seed in range(3):
        x = ragged(seed)
        expected = theirs(x[~padding()])  # torch's own, on nothing but the valid steps
        output = ours(x, lengths=LENGTHS)
        torch.testing.assert_close(output[~padding()], expected)
        assert output[padding()].abs().max().item() == 0
    torch.testing.assert_close(ours.norm.state_dict(), theirs.state_dict())


def test_evaluation_uses_the_running_statistics() -> None:
    ours, theirs = pair()
    x = ragged()
    ours(x, lengths=LENGTHS)
    theirs(x[~padding()])
    ours.eval(), theirs.eval()
    before = ours.norm.state_dict()
    output = ours(x, lengths=LENGTHS)
    torch.testing.assert_close(output[~padding()], theirs(x[~padding()]))
    assert output[padding()].abs().max().item() == 0
    torch.testing.assert_close(ours.norm.state_dict(), before)
    step_by_step = torch.cat([ours(x[:, t : t + 1]) for t in range(6)], dim=1)
    torch.testing.assert_close(step_by_step[~padding()], output[~padding()])


def test_gradients_are_those_of_torch_on_the_valid_steps() -> None:
    ours, theirs = pair()
    x = ragged().requires_grad_()
    valid = ragged()[~padding()].requires_grad_()
    weight = torch.randn(int(LENGTHS.sum()), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    (ours(x, lengths=LENGTHS)[~padding()] * weight).sum().backward()
    (theirs(valid) * weight).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad[~padding()], valid.grad)
    assert x.grad[padding()].abs().max().item() == 0
    torch.testing.assert_close(ours.norm.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.norm.bias.grad, theirs.bias.grad)


def test_gradcheck() -> None:
    ours, _ = pair()
    x = torch.randn(4, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: ours(x, lengths=LENGTHS), (x,))
    assert torch.autograd.gradgradcheck(lambda x: ours(x, lengths=LENGTHS), (x,))


@pytest.mark.parametrize("lengths", [[0, 0, 0, 0], [0, 1, 0, 0]])
def test_too_few_steps_for_a_variance_leave_the_statistics_alone(lengths: list[int]) -> None:
    ours, _ = pair(momentum=None)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    output = ours(ragged(), lengths=torch.tensor(lengths))
    torch.testing.assert_close(ours.state_dict(), before)
    expected = torch.zeros(4, 6, 3, dtype=torch.float64)
    expected[1, : lengths[1]] = ours.norm.bias.detach()
    torch.testing.assert_close(output.detach(), expected)


def test_statistics_of_half_precision_are_taken_in_float32() -> None:
    ours = BatchNorm(1)
    x = torch.full((1, 4096, 1), 100.0, dtype=torch.bfloat16)
    x[:, ::2] += 1  # a sum in bfloat16 would stop growing long before the end
    output = ours(x, lengths=torch.tensor([4096]))
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(ours.norm.running_mean, torch.tensor([10.05]))
    torch.testing.assert_close(output[0, :2, 0].float(), torch.tensor([1.0, -1.0]), atol=1e-2, rtol=0)


def test_refusals() -> None:
    with pytest.raises(ShapeError, match=r"expected \[batch, time, 3\]; got \[4, 3\]"):
        BatchNorm(3)(torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"lengths must be whole numbers of shape \[4\], .* got torch.int64 of shape"):
        BatchNorm(3)(torch.zeros(4, 6, 3), lengths=torch.tensor([1, 2]))
    with pytest.raises(ShapeError, match=r"got torch.float32 of shape \[4\]"):
        BatchNorm(3)(torch.zeros(4, 6, 3), lengths=torch.ones(4))
    with pytest.raises(SpecError, match="size must be a whole number of at least 1; got 0"):
        BatchNorm(0)
    with pytest.raises(SpecError, match="momentum must be at least 0; got -1"):
        BatchNorm(3, momentum=-1)
