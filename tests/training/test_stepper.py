from __future__ import annotations

import pytest
import torch
from torch import nn

from tidegate.errors import SpecError
from tidegate.specs import Training
from tidegate.training.schedules import LearningRate
from tidegate.training.stepper import Stepper, resolve_precision

CPU = torch.device("cpu")


def stepper(module: nn.Module, **options: object) -> Stepper:
    training = Training(learning_rate=1.0, optimizer="sgd", **{"clip_norm": None, **options})  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    return Stepper(optimizer, LearningRate(optimizer, None, None), training, CPU)


def test_accumulated_batches_weigh_by_their_elements(one_weight: nn.Module) -> None:
    weight = next(one_weight.parameters())
    made = stepper(one_weight, accumulate=3)
    for gradient, elements in ((1.0, 4.0), (2.0, torch.tensor(4.0)), (10.0, 2.0)):
        made.backward(gradient * weight.sum(), elements)
    assert made.pending == 3
    made.step(0)
    assert weight.item() == pytest.approx(1 - (4 * 1 + 4 * 2 + 2 * 10) / 10)
    assert (made.pending, weight.grad) == (0, None)


@pytest.mark.parametrize("nothing", [0.0, torch.tensor(0.0)])
def test_batches_in_which_nothing_counts_change_nothing(one_weight: nn.Module, nothing: float) -> None:
    weight = next(one_weight.parameters())
    made = stepper(one_weight, accumulate=2)
    made.backward(weight.sum() * 5, nothing)
    made.step(0)
    assert weight.item() == 1


def test_clipping_comes_after_averaging(one_weight: nn.Module) -> None:
    weight = next(one_weight.parameters())
    made = stepper(one_weight, accumulate=2, clip_norm=1.0)
    for _ in range(2):
        made.backward(weight.sum() * 0.5, 8.0)
    made.step(0)
    assert weight.item() == 0.5  # the mean gradient, 0.5, is within the limit; their sum is not


def test_discarded_gradients_are_gone(one_weight: nn.Module) -> None:
    weight = next(one_weight.parameters())
    made = stepper(one_weight, accumulate=2)
    made.backward(weight.sum(), 1.0)
    made.discard()
    made.backward(weight.sum() * 3, 1.0)
    made.step(0)
    assert weight.item() == -2


def test_precisions() -> None:
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16
    assert resolve_precision("auto", CPU) == torch.float32
    with pytest.raises(SpecError, match="precision='float16' needs a CUDA device, the module lies on cpu; take"):
        resolve_precision("float16", CPU)


def test_bfloat16_computes_products_in_bfloat16() -> None:
    module = nn.Linear(2, 2)
    with stepper(module, precision="bfloat16").autocast():
        assert module(torch.ones(1, 2)).dtype == torch.bfloat16
    with stepper(module).autocast():
        assert module(torch.ones(1, 2)).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_float16_scales_the_loss_on_cuda() -> None:
    device = torch.device("cuda")
    module = nn.Linear(1, 1, bias=False).to(device)
    nn.init.ones_(module.weight)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    made = Stepper(
        optimizer, LearningRate(optimizer, None, None), Training(precision="float16", clip_norm=None), device
    )
    with made.autocast():
        loss = module(torch.full((1, 1), 2.0, device=device)).float().sum()
    made.backward(loss, 1.0)
    made.step(0)
    assert module.weight.item() == 0.0  # 1 − 0.5 · 2: the scale is taken out again
    assert made.state_dict()["scaler"]["scale"] == 65536.0
