"""Each check of layers refuses a layer that breaks its promise, and passes one that keeps all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tidegate import nn as layers
from tidegate.testing import LAYER_CHECKS, LayerCase, check_layer
from tidegate.testing import layers as promises

Refuses = Callable[..., None]


class Mean(nn.Module):
    """The running mean of the valid steps, through a linear layer: small, and keeps every promise."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.drop = nn.Dropout(0.2)
        self.count: Tensor
        self.register_buffer("count", torch.ones(()))

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        time = values.shape[1]
        steps = torch.arange(1, time + 1, device=values.device)[:, None]
        output: Tensor = self.drop(self.linear(values.cumsum(1) / steps)) * self.count
        if lengths is None:
            return output
        valid = torch.arange(time, device=values.device) < lengths.to(values.device)[:, None]
        return output * valid[:, :, None]


def case(make: Callable[[], nn.Module], **options: Any) -> LayerCase:
    return LayerCase(make=make, size=3, **options)


@pytest.mark.parametrize("check", LAYER_CHECKS, ids=lambda check: check.__name__)
def test_one_that_keeps_all_promises_passes(check: Callable[..., None]) -> None:
    generator, dtype = torch.get_rng_state(), torch.get_default_dtype()
    check(case(Mean))
    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.get_default_dtype() is dtype


def test_the_message_names_layer_check_and_finding() -> None:
    with pytest.raises(AssertionError, match="NoPadding does not pass check_padding: the padding reaches valid steps"):
        check_layer(NoPadding, size=3)


def test_layers_without_lengths_are_not_given_any() -> None:
    check_layer(lambda: nn.Linear(3, 2), size=3, lengths=False)
    with pytest.raises(AssertionError, match="unexpected keyword argument 'lengths'"):
        check_layer(lambda: nn.Linear(3, 2), size=3)


# -- state -------------------------------------------------------------------------------------------------------


class Hidden(Mean):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.randn(2)

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths) + self.hidden


class Loses(Mean):
    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
        return super().load_state_dict({**state, "linear.bias": torch.zeros(2)}, strict, assign)


def test_state_dict(refuses: Refuses) -> None:
    refuses(promises.check_state_dict, case(Hidden), words="does not hold all that the answer depends on")
    refuses(promises.check_state_dict, case(Loses), words="not what was loaded")


class AlwaysDrops(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return nn.functional.dropout(super().forward(values, lengths), 0.5)


class Draws(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        torch.rand(1)
        return super().forward(values, lengths)


class Remembers(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        output = super().forward(values, lengths)
        self.count = self.count + 1
        return output


class Tallies(Mean):
    def __init__(self) -> None:
        super().__init__()
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        self.calls = self.calls + 1
        return super().forward(values, lengths)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (AlwaysDrops, "depends on chance"),
        (Draws, "draws from torch's generator"),
        (Remembers, "or on the calls before"),
        (Tallies, "changed its state_dict"),
    ],
)
def test_eval_is_deterministic(layer: Callable[[], nn.Module], words: str, refuses: Refuses) -> None:
    refuses(promises.check_eval_is_deterministic, case(layer), words=words)


class StaysInTraining(Mean):
    def train(self, mode: bool = True) -> Any:
        self.drop.train(True)
        self.training = mode
        return self


class ForgetsWhenTrained(Mean):
    def train(self, mode: bool = True) -> Any:
        if mode:
            self.count.zero_()
        return super().train(mode)


class PartsStay(Mean):
    def train(self, mode: bool = True) -> Any:
        self.training = mode
        return self


def test_eval_comes_back(refuses: Refuses) -> None:
    refuses(promises.check_eval_comes_back, case(StaysInTraining), words=r"train\(False\) does not reach every part")
    refuses(promises.check_eval_comes_back, case(ForgetsWhenTrained), words="it answers otherwise")

    def evaluated() -> nn.Module:
        layer = PartsStay()
        layer.drop.eval()
        return layer

    refuses(promises.check_eval_comes_back, case(evaluated), words=r"train\(\) does not reach every part")


# -- the batch ---------------------------------------------------------------------------------------------------


class NumbersRows(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        rows = torch.arange(len(values), device=values.device)[:, None, None]
        return super().forward(values, lengths) + rows


class SortsLengths(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, None if lengths is None else lengths.sort().values)


class CentresBatch(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        output = super().forward(values, lengths)
        return output - output.mean(0)


def test_batch_order(refuses: Refuses) -> None:
    refuses(promises.check_batch_order, case(NumbersRows), words=r"order in the batch \(without lengths\)")
    refuses(promises.check_batch_order, case(SortsLengths), words=r"order in the batch \(with lengths\)")
    promises.check_batch_order(case(CentresBatch))


def test_company(refuses: Refuses) -> None:
    refuses(promises.check_company, case(CentresBatch), words=r"row 0 is answered otherwise alone \(without lengths\)")
    refuses(promises.check_company, case(SortsLengths), words=r"answered otherwise alone \(with lengths\)")


# -- padding -----------------------------------------------------------------------------------------------------


class NoPadding(Mean):
    """Takes lengths, and reads from the end all the same."""

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values.flip(1), None).flip(1)


class PoolsAll(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths).sum(1) + values.mean((1, 2))[:, None]


class CountsSteps(Mean):
    """Blind to what stands in the padding, but not to how much of it there is."""

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths).sum(1) / values.shape[1]


class CentresInTraining(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values - values.mean() if self.training else values, lengths)


class PlainBatchNorm(layers.BatchNorm):
    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        return super().forward(x)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (NoPadding, r"reaches valid steps \(eval\(\), other padding\)"),
        (PoolsAll, r"reaches a final state or a pooled answer \(eval\(\), other padding\)"),
        (CountsSteps, r"pooled answer \(eval\(\), more padding\)"),
        (CentresInTraining, r"reaches valid steps \(train\(\), other padding\)"),
        (lambda: PlainBatchNorm(3), r"reaches valid steps \(train\(\), other padding\)"),
    ],
)
def test_padding(layer: Callable[[], nn.Module], words: str, refuses: Refuses) -> None:
    refuses(promises.check_padding, case(layer), words=words)


def test_padding_gradient(refuses: Refuses) -> None:
    refuses(promises.check_padding_gradient, case(NoPadding), words="flows into the padding")
    refuses(promises.check_padding_gradient, case(CentresInTraining), words="flows into the padding")


def test_layers_without_lengths_have_no_padding() -> None:
    promises.check_padding(case(NoPadding, lengths=False))
    promises.check_padding_gradient(case(NoPadding, lengths=False))


# -- precision, gradients, memory --------------------------------------------------------------------------------


class AnswersFloat(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths).float()


class CoarseInDouble(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        if values.dtype == torch.float64:
            values = values.bfloat16().double()
        return super().forward(values, lengths)


class Grows(Mean):
    def double(self) -> Any:
        self.count.add_(1e-6)
        return super().double()


def test_precision(refuses: Refuses) -> None:
    refuses(promises.check_precision, case(AnswersFloat), words=r"answers in torch.float32")
    refuses(promises.check_precision, case(CoarseInDouble), words="beyond rounding")
    refuses(promises.check_precision, case(Grows), words="do not lead back")


class Detaches(Mean):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths) * self.scale.detach()


class Dead(Detaches):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return Mean.forward(self, values, lengths) + 0 * self.scale


class Infinite(Detaches):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return Mean.forward(self, values, lengths) + (self.scale - 1).sqrt()


def test_gradients(refuses: Refuses) -> None:
    refuses(promises.check_gradients, case(Detaches), words="no gradient reaches the parameter 'scale'")
    refuses(promises.check_gradients, case(Dead), words="no gradient reaches the parameter 'scale'")
    refuses(promises.check_gradients, case(Infinite), words="gradient of the parameter 'scale' is not finite")


class Shares(Mean):
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = Mean()
        twin.linear = self.linear
        return twin.train(self.training)


class Restarts(Mean):
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return Restarts().train(self.training)


def test_deep_copy(refuses: Refuses) -> None:
    refuses(promises.check_deep_copy, case(Shares), words="changing a deep copy changed the original")
    refuses(promises.check_deep_copy, case(Restarts), words="a deep copy answers otherwise")


def test_moves(refuses: Refuses) -> None:
    refuses(promises.check_moves, case(Hidden), words=r"leaves \['hidden'\] behind")

    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = Hidden()

        def forward(self, values: Tensor, lengths: Tensor | None = None) -> Any:
            return self.part(values, lengths)

    refuses(promises.check_moves, case(Part), words=r"leaves \['hidden'\] of 'part' behind")


class UsesDefaultDtype(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths) + torch.zeros(())[None]


class UsesDefaultDevice(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        return super().forward(values, lengths).to(torch.empty(()).device)


def test_defaults(refuses: Refuses) -> None:
    refuses(promises.check_defaults, case(UsesDefaultDevice), words="another default device changes the answer")
    with pytest.raises(RuntimeError, match="meta"):  # check_layer makes an AssertionError of it
        promises.check_defaults(case(UsesDefaultDtype))

    class Widens(Mean):
        def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
            return super().forward(values, lengths).to(torch.get_default_dtype())

    refuses(promises.check_defaults, case(Widens), words="another default dtype changes the answer")
    assert torch.get_default_dtype() == torch.float32


class ZeroesPadding(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        values[:, -1] = 0
        return super().forward(values, lengths)


class ClampsLengths(Mean):
    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None and not self.training:
            lengths.clamp_(min=2)
        return super().forward(values, lengths)


def test_input_unchanged(refuses: Refuses) -> None:
    refuses(promises.check_input_unchanged, case(ZeroesPadding), words=r"changed its input \(train\(True\)\)")
    refuses(promises.check_input_unchanged, case(ClampsLengths), words=r"changed its lengths \(train\(False\)\)")
