"""What every layer promises."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from tidegate._core.seeds import seeded
from tidegate.testing.verdicts import Check, close, hold, run_checks, same

__all__ = ["LAYER_CHECKS", "LayerCall", "LayerCase", "check_layer", "first_output"]

LayerCall: TypeAlias = Callable[[nn.Module, Tensor, Tensor | None], tuple[Tensor, ...]]
"""``(layer, values [batch, time, feature], lengths [batch] or None) -> tensors, each [batch, …]``."""

_TIME, _PADDING = 7, 4
_LENGTHS = (7, 3, 1, 5, 4)
_ORDER = (3, 0, 4, 1, 2)


def first_output(layer: nn.Module, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, ...]:
    """Call the layer and keep the first tensor of what it returns."""
    result: Any = layer(values) if lengths is None else layer(values, lengths=lengths)
    while isinstance(result, tuple):
        result = result[0]
    return (result,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerCase:
    """A layer, and how the checks call it.

    Parameters
    ----------
    make
        Builds the layer; its weights are drawn from torch's generator.
    size
        Features of its input.
    lengths
        Whether ``forward`` takes ``lengths=``.
    call
        Calls the layer; every tensor that it gives must have the batch as its first axis.
    """

    make: Callable[[], nn.Module]
    size: int
    lengths: bool = True
    call: LayerCall = first_output

    def layer(self, seed: int = 0) -> nn.Module:
        """Build the layer with weights that follow from ``seed``, in evaluation mode."""
        with seeded(seed):
            return self.make().eval()

    def values(self) -> Tensor:
        """Give an input [batch, time, feature]."""
        with seeded(1):
            return torch.randn(len(_LENGTHS), _TIME, self.size)

    def ragged(self) -> Tensor | None:
        """Give lengths [batch] for that input, where the layer takes any."""
        return torch.tensor(_LENGTHS) if self.lengths else None

    def run(self, layer: nn.Module, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, ...]:
        """Call the layer without gradients."""
        with torch.no_grad():
            return self.call(layer, values, lengths)


def check_state_dict(case: LayerCase) -> None:
    """Check that a layer that loads another's ``state_dict`` answers like it, to the bit."""
    one, two, values = case.layer(0), case.layer(1), case.values()
    with seeded(6):
        case.run(one.train(), values, case.ragged())  # so that running statistics are not what they began with
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    hold(same(dict(two.state_dict()), dict(one.state_dict())), "state_dict is not what was loaded")
    before, after = case.run(one.eval(), values, None), case.run(two.eval(), values, None)
    hold(same(before, after), "the state_dict does not hold all that the answer depends on")


def check_eval_is_deterministic(case: LayerCase) -> None:
    """Check that in evaluation mode the answer repeats to the bit, draws no random number and changes no buffer."""
    layer, values = case.layer(), case.values()
    state = copy.deepcopy(layer.state_dict())
    generator = torch.get_rng_state()
    with seeded(2):
        one = case.run(layer, values, case.ragged())
    with seeded(3):
        two = case.run(layer, values, case.ragged())
    hold(same(one, two), "in eval() the answer depends on chance, or on the calls before")
    case.run(layer, values, case.ragged())
    hold(torch.equal(torch.get_rng_state(), generator), "in eval() it draws from torch's generator")
    hold(same(dict(layer.state_dict()), dict(state)), "in eval() it changed its state_dict")


def check_eval_comes_back(case: LayerCase) -> None:
    """Check that ``train()`` and ``train(False)`` lead back to the answers of before."""
    layer, values = case.layer(), case.values()
    before = case.run(layer, values, case.ragged())
    layer.train()
    hold(all(part.training for part in layer.modules()), "train() does not reach every part")
    layer.train(False)
    hold(not any(part.training for part in layer.modules()), "train(False) does not reach every part")
    hold(same(case.run(layer, values, case.ragged()), before), "after train() and train(False) it answers otherwise")


def check_batch_order(case: LayerCase) -> None:
    """Check that the order of the sequences in a batch changes no answer beyond rounding."""
    layer, values, order = case.layer(), case.values(), torch.tensor(_ORDER)
    for lengths in _with_and_without(case):
        straight = case.run(layer, values, lengths)
        turned = case.run(layer, values[order], None if lengths is None else lengths[order])
        for one, two in zip(turned, straight, strict=True):
            hold(close(one, two[order]), f"the answers depend on the order in the batch ({_how(lengths)})")


def check_company(case: LayerCase) -> None:
    """Check that in evaluation mode a sequence alone is answered as in a batch: nothing of the others reaches it."""
    layer, values = case.layer(), case.values()
    for lengths in _with_and_without(case):
        together = case.run(layer, values, lengths)
        for row in range(len(values)):
            alone = case.run(layer, values[row : row + 1], None if lengths is None else lengths[row : row + 1])
            for one, two in zip(alone, together, strict=True):
                hold(close(one, two[row : row + 1]), f"row {row} is answered otherwise alone ({_how(lengths)})")


def check_padding(case: LayerCase) -> None:
    """Check that padding, whatever it holds, reaches no valid step and no final state, in training neither."""
    if not case.lengths:
        return
    layer, values, lengths = case.layer(), case.values(), torch.tensor(_LENGTHS)
    filled = torch.where(_valid(), values, 1e3)
    longer = torch.cat([filled, filled.new_full((len(values), _PADDING, case.size), -1e3)], dim=1)
    clean = case.run(layer, values, lengths)
    _hold_valid(case.run(layer, filled, lengths), clean, "eval(), other padding")
    _hold_valid(case.run(layer, longer, lengths), clean, "eval(), more padding")
    layer.train()
    with seeded(4):
        clean = case.run(layer, values, lengths)
    with seeded(4):
        _hold_valid(case.run(layer, filled, lengths), clean, "train(), other padding")


def check_padding_gradient(case: LayerCase) -> None:
    """Check that no gradient flows into the steps beyond the lengths."""
    if not case.lengths:
        return
    values = case.values().requires_grad_()
    with seeded(7):
        outputs = case.call(case.layer().train(), values, torch.tensor(_LENGTHS))
    torch.autograd.backward(_mixed(outputs))
    assert values.grad is not None
    beyond = values.grad.masked_select(~_valid()).abs().max()
    hold(float(beyond) == 0, f"a gradient of {float(beyond):g} flows into the padding")


def check_precision(case: LayerCase) -> None:
    """Check that ``double()`` computes in float64 to the same answers, and ``float()`` leads back to the same bits."""
    layer, values = case.layer(), case.values()
    before = case.run(layer, values, case.ragged())
    layer.double()
    wide = case.run(layer, values.double(), case.ragged())
    for one, two in zip(wide, before, strict=True):
        hold(one.dtype == torch.float64, f"after double() it answers in {one.dtype}")
        hold(close(one, two.double()), "after double() it answers otherwise, beyond rounding")
    layer.float()
    hold(same(case.run(layer, values, case.ragged()), before), "double() and float() do not lead back")


def check_gradients(case: LayerCase) -> None:
    """Check that a gradient reaches every parameter, and it is finite and not 0 throughout."""
    layer = case.layer().train()
    with seeded(8):
        outputs = case.call(layer, case.values(), case.ragged())
    torch.autograd.backward(_mixed(outputs))
    for name, parameter in layer.named_parameters():
        grad = parameter.grad
        hold(grad is not None and bool(grad.any()), f"no gradient reaches the parameter {name!r}")
        hold(grad is not None and bool(grad.isfinite().all()), f"the gradient of the parameter {name!r} is not finite")


def check_deep_copy(case: LayerCase) -> None:
    """Check that a deep copy, of a layer in use, answers like the original to the bit and shares no memory with it."""
    layer, values = case.layer(), case.values()
    before = case.run(layer, values, case.ragged())
    twin = copy.deepcopy(layer)
    hold(same(case.run(twin, values, case.ragged()), before), "a deep copy answers otherwise")
    with torch.no_grad():
        for part in (*twin.parameters(), *twin.buffers()):
            part.logical_not_() if part.dtype == torch.bool else part.add_(1)
    hold(same(case.run(layer, values, case.ragged()), before), "changing a deep copy changed the original")


def check_moves(case: LayerCase) -> None:
    """Check that ``to(device)`` moves every tensor, and that CUDA, where there is it, gives the same answers."""
    layer, values = case.layer(), case.values()
    before = case.run(layer, values, case.ragged())
    if torch.cuda.is_available():
        moved = case.run(layer.to("cuda"), values.cuda(), case.ragged())
        for one, two in zip(moved, before, strict=True):
            hold(one.is_cuda, "on CUDA it answers with a tensor on the CPU")
            hold(close(one.cpu(), two, tolerance=1e-4), "on CUDA it answers otherwise, beyond rounding")
    layer.to("meta")
    for where, part in layer.named_modules():
        held = {**part._parameters, **part._buffers, **vars(part)}
        left = sorted(name for name, value in held.items() if isinstance(value, Tensor) and not value.is_meta)
        place = f" of {where!r}" if where else ""
        hold(not left, f"to(device) leaves {left}{place} behind; make it a parameter or a buffer")


def check_defaults(case: LayerCase) -> None:
    """Check that torch's default device and default dtype change no answer: they are for tensors that are made anew."""
    layer, values, lengths = case.layer(), case.values(), case.ragged()
    before = case.run(layer, values, lengths)
    with torch.device("meta"):
        other = case.run(layer, values, lengths)
    hold(same(other, before), "another default device changes the answer: give device= to the tensors made in forward")
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        other = case.run(layer, values, lengths)
    finally:
        torch.set_default_dtype(default)
    hold(same(other, before), "another default dtype changes the answer: give dtype= to the tensors made in forward")


def check_input_unchanged(case: LayerCase) -> None:
    """Check that ``forward`` leaves its input as it was."""
    layer, values, lengths = case.layer(), case.values(), case.ragged()
    for mode in (True, False):
        with seeded(9):
            case.run(layer.train(mode), values, lengths)
        hold(same(values, case.values()), f"forward changed its input (train({mode}))")
        hold(same(lengths, case.ragged()), f"forward changed its lengths (train({mode}))")


LAYER_CHECKS: tuple[Check, ...] = (
    check_state_dict,
    check_eval_is_deterministic,
    check_eval_comes_back,
    check_batch_order,
    check_company,
    check_padding,
    check_padding_gradient,
    check_precision,
    check_gradients,
    check_deep_copy,
    check_moves,
    check_defaults,
    check_input_unchanged,
)


def check_layer(
    make: Callable[[], nn.Module], size: int, *, lengths: bool = True, call: LayerCall = first_output
) -> None:
    """Try every promise of a layer.

    Parameters
    ----------
    make, size, lengths, call
        As in `LayerCase`.

    Raises
    ------
    AssertionError
        At the first promise that is not kept; the message says which, and what came.

    Examples
    --------
    >>> import tidegate as tg
    >>> check_layer(lambda: tg.nn.GRU(3, 4, batch_first=True), size=3)
    >>> check_layer(lambda: torch.nn.Linear(3, 4), size=3, lengths=False)
    """
    case = LayerCase(make=make, size=size, lengths=lengths, call=call)
    run_checks(LAYER_CHECKS, type(case.layer()).__name__, case)


def _with_and_without(case: LayerCase) -> tuple[Tensor | None, ...]:
    return (None, case.ragged()) if case.lengths else (None,)


def _how(lengths: Tensor | None) -> str:
    return "without lengths" if lengths is None else "with lengths"


def _valid() -> Tensor:
    return (torch.arange(_TIME) < torch.tensor(_LENGTHS)[:, None])[:, :, None]  # [batch, time, 1]


def _mixed(outputs: tuple[Tensor, ...]) -> Tensor:
    """Weigh all outputs together with fixed weights, so that no gradient cancels."""
    with seeded(5):
        return torch.stack([(output * torch.randn_like(output)).sum() for output in outputs]).sum()


def _hold_valid(outputs: tuple[Tensor, ...], clean: tuple[Tensor, ...], when: str) -> None:
    for one, two in zip(outputs, clean, strict=True):
        if two.dim() == 3 and two.shape[1] == _TIME:
            hold(close((one[:, :_TIME] * _valid()), two * _valid()), f"the padding reaches valid steps ({when})")
        else:
            hold(close(one, two), f"the padding reaches a final state or a pooled answer ({when})")
