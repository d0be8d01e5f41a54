from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError, SpecError
from tidegate.training.losses import LOSSES, align, cross_entropy, huber, mae, mse, reduce_loss, resolve_loss

NAN = math.nan


def test_losses_by_hand() -> None:
    output, target = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.5, 2.0, 2.0])
    assert mse(output, target).tolist() == [0.25, 0.0, 9.0]
    assert mae(output, target).tolist() == [0.5, 0.0, 3.0]
    assert huber(output, target).tolist() == [0.125, 0.0, 2.5]


def test_cross_entropy_over_sequences_is_torchs_with_the_classes_last() -> None:
    output, target = torch.randn(2, 5, 3), torch.randint(3, (2, 5))
    expected = functional.cross_entropy(output.movedim(-1, 1), target, reduction="none")
    torch.testing.assert_close(cross_entropy(output, target), expected, rtol=0, atol=0)


def test_cross_entropy_of_even_logits_is_log_of_the_classes() -> None:
    assert cross_entropy(torch.zeros(1, 4), torch.tensor([2])).item() == pytest.approx(math.log(4))


def test_cross_entropy_refuses_floats_and_other_shapes() -> None:
    with pytest.raises(ShapeError, match=r"class numbers \(int64\) as target; got torch.float32"):
        cross_entropy(torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ShapeError, match=r"got \[2, 3\] and \[3\]"):
        cross_entropy(torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64))


def test_unlike_shapes_are_refused_not_broadcast() -> None:
    for name in ("mse", "mae", "huber"):
        with pytest.raises(ShapeError, match=rf"{name} compares .* shape \[4, 2\], the target \[4, 1\]"):
            LOSSES[name](torch.zeros(4, 2), torch.zeros(4, 1))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4, 1)])
def test_align_reshapes_axes_of_length_one(shape: tuple[int, ...]) -> None:
    target = torch.arange(4.0).reshape(shape)
    assert align(torch.zeros(4, 1), target, mse).tolist() == [[0.0], [1.0], [2.0], [3.0]]


def test_align_leaves_what_differs_otherwise() -> None:
    assert align(torch.zeros(4, 2), torch.zeros(2, 4), mse).shape == (2, 4)


def test_align_of_class_numbers_looks_before_the_classes() -> None:
    assert align(torch.zeros(4, 3), torch.zeros(4, 1, dtype=torch.int64), cross_entropy).shape == (4,)


def test_names_and_callables_are_resolved() -> None:
    assert resolve_loss("mse") is mse
    own = nn.L1Loss()
    assert resolve_loss(own) is own
    with pytest.raises(SpecError, match=r"loss must be one of .*'binary_cross_entropy'; got 'rms'"):
        resolve_loss("rms")


def test_without_mask_and_weight_it_is_the_mean() -> None:
    loss, weight = reduce_loss(mse, torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]))
    assert (loss.item(), weight) == (2.5, 2.0)


def test_masked_elements_count_in_neither_loss_nor_gradient() -> None:
    output = torch.tensor([[1.0, 5.0], [2.0, 9.0]], requires_grad=True)
    target = torch.tensor([[0.0, NAN], [0.0, NAN]])
    loss, weight = reduce_loss(mse, output, target, torch.tensor([[True, False], [True, False]]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert (loss.item(), float(weight)) == (2.5, 2.0)
    assert output.grad is not None
    assert output.grad.tolist() == [[1.0, 0.0], [2.0, 0.0]]


def test_examples_are_weighted() -> None:
    output, target = torch.tensor([[1.0, 1.0], [3.0, 3.0]]), torch.zeros(2, 2)
    loss, weight = reduce_loss(mae, output, target, None, torch.tensor([3.0, 1.0]))
    assert (loss.item(), float(weight)) == (1.5, 8.0)  # (3·1 + 3·1 + 3 + 3) / 8


def test_steps_are_weighted_over_all_that_follows() -> None:
    output = torch.tensor([[[1.0, 2.0], [5.0, 1.0]], [[2.0, 2.0], [1.0, 3.0]]])  # [batch, time, target]
    weight = torch.tensor([[1.0, 0.0], [2.0, 0.5]])
    loss, total = reduce_loss(mae, output, torch.zeros(2, 2, 2), None, weight)
    # (1·(1 + 2) + 0·6 + 2·(2 + 2) + 0.5·(1 + 3)) / (2·1 + 2·0 + 2·2 + 2·0.5)
    assert [loss.item(), float(total)] == pytest.approx([13 / 7, 7.0])
    flat, _ = reduce_loss(mae, output[..., 0], torch.zeros(2, 2), None, weight)
    assert flat.item() == pytest.approx((1 + 0 + 4 + 0.5) / 3.5)


def test_steps_of_equal_weights_are_the_examples_weight() -> None:
    output, target, mask = torch.randn(3, 4, 2), torch.randn(3, 4, 2), torch.rand(3, 4, 2) > 0.3
    weight = torch.tensor([1.0, 0.0, 2.5])
    one = reduce_loss(mse, output, target, mask, weight)
    two = reduce_loss(mse, output, target, mask, weight[:, None].expand(3, 4))
    assert float(one[0]) == float(two[0])
    assert float(one[1]) == float(two[1])


def test_a_step_of_weight_zero_has_no_gradient() -> None:
    output = torch.tensor([[1.0, 2.0]], requires_grad=True)
    loss, _ = reduce_loss(
        mse, output, torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.0, 3.0]])
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad.tolist() == [[0.0, 4.0]]


def test_weights_of_another_shape_are_refused() -> None:
    message = (
        r"examples are weighted \(weight has shape \[2, 3\]\), but the loss gave shape \[2, 4\]; give a loss with one "
        r"number an element or a step \(reduction='none'\)"
    )
    with pytest.raises(ShapeError, match=message):
        reduce_loss(mse, torch.zeros(2, 4), torch.zeros(2, 4), None, torch.ones(2, 3))
    with pytest.raises(
        ShapeError, match=r"weight has shape \[3\]\), but the loss gave shape \[2, 4\]; .* or an example"
    ):
        reduce_loss(mse, torch.zeros(2, 4), torch.zeros(2, 4), None, torch.ones(3))


def test_mask_and_weight_together() -> None:
    output, target = torch.tensor([[1.0, 7.0], [3.0, 3.0]]), torch.zeros(2, 2)
    mask = torch.tensor([[True, False], [True, True]])
    loss, weight = reduce_loss(mae, output, target, mask, torch.tensor([3.0, 1.0]))
    assert [loss.item(), float(weight)] == pytest.approx([1.8, 5.0])  # (3·1 + 3 + 3) / 5


def test_nothing_observed_is_a_loss_of_zero_with_a_gradient_of_zero() -> None:
    for loss_function in (mse, nn.MSELoss()):
        output = torch.ones(2, 1, requires_grad=True)
        loss, weight = reduce_loss(loss_function, output, torch.full((2, 1), NAN), torch.zeros(2, 1, dtype=torch.bool))
        loss.backward()  # type: ignore[no-untyped-call]
        assert (loss.item(), float(weight)) == (0.0, 0.0)
        assert output.grad is not None
        assert output.grad.tolist() == [[0.0], [0.0]]


def test_a_loss_that_averages_by_itself_sees_the_observed_alone() -> None:
    output, target = torch.tensor([[1.0, 5.0], [2.0, 9.0]]), torch.tensor([[0.0, NAN], [0.0, NAN]])
    loss, weight = reduce_loss(nn.MSELoss(), output, target, torch.tensor([[True, False], [True, False]]))
    assert (loss.item(), float(weight)) == (2.5, 2.0)


def test_a_loss_that_averages_by_itself_cannot_be_weighted() -> None:
    with pytest.raises(ShapeError, match=r"examples are weighted .*reduction='none'"):
        reduce_loss(nn.MSELoss(), torch.zeros(2, 1), torch.zeros(2, 1), None, torch.ones(2))
    with pytest.raises(ShapeError, match="cannot be masked or weighted"):
        reduce_loss(nn.MSELoss(), torch.zeros(2), torch.zeros(2), torch.ones(2, dtype=torch.bool), torch.ones(2))


def test_a_masked_loss_must_keep_the_elements_apart() -> None:
    def an_example(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(1)

    with pytest.raises(ShapeError, match=r"gave shape \[2\], the mask of observed targets has \[2, 3\]"):
        reduce_loss(an_example, torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))
