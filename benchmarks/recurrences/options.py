"""What an option costs: ours against ours, forward and backward of the layer alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recurrences.rows import GREATEST, Figure, Row, Settings, milliseconds
from tidegate import nn as own
from tidegate.kernels.bench import Contender, interleaved, repeating

__all__ = ["options"]

UNITS, STEPS, BATCH, FEATURES = 64, 50, 32, 8
_LAYER_NORM = "layer_norm"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Option:
    """An option beside a layer without it.

    ``arguments`` are the constructor's, ``plain`` those that the layer beside it has as well; ``lengths`` and
    ``states`` are handed to the call, the states as a part of the model that is trained.
    """

    name: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    plain: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lengths: bool = False
    states: bool = False


_BOTH_WAYS = {"bidirectional": True}
_ACTIVATIONS = ("tanh", "sigmoid", "hard_sigmoid", "relu", "softsign", "linear")
_SHARED = (
    *(_Option(name=f"activation={name}", arguments={"activation": name}) for name in _ACTIVATIONS if name != "tanh"),
    *(
        _Option(name=f"recurrent_activation={name}", arguments={"recurrent_activation": name})
        for name in _ACTIVATIONS
        if name != "sigmoid"
    ),
    _Option(name="input_dropout", arguments={"input_dropout": 0.2}),
    _Option(name="recurrent_dropout", arguments={"recurrent_dropout": 0.2}),
    _Option(name="zoneout_hidden", arguments={"zoneout_hidden": 0.1}),
    _Option(name="go_backwards", arguments={"go_backwards": True}),
    _Option(name="stateful", arguments={"stateful": True}),
    _Option(name="return_sequences=False", arguments={"return_sequences": False}),
    *(
        _Option(name=f"merge_mode={mode}", arguments={"merge_mode": mode, **_BOTH_WAYS}, plain=_BOTH_WAYS)
        for mode in ("sum", "mul", "ave")
    ),
    _Option(name="lengths", lengths=True),
    _Option(name="initial states", states=True),
    _Option(name=_LAYER_NORM, arguments={"layer_norm": True}),
)
OPTIONS = {
    "LSTM": (
        *_SHARED,
        _Option(name="peephole", arguments={"peephole": True}),
        _Option(name="zoneout_cell", arguments={"zoneout_cell": 0.1}),
    ),
    "GRU": (*_SHARED, _Option(name="reset_after=False", arguments={"reset_after": False})),
}


def options(settings: Settings) -> Iterator[Row]:
    """Measure each option of each cell on its own, beside the plain cell."""
    for cell, choices in OPTIONS.items():
        figures = {option.name: _cost(cell, option, settings) for option in choices}
        norm = figures.pop(_LAYER_NORM)
        yield Row(
            what=f"cost of one option, {cell}, layer norm apart",
            figures=list(figures.values()),
            summary=GREATEST,
            target=1.3,
            at_most=True,
        )
        yield Row(what=f"cost of layer norm, {cell}", figures=[norm], target=1.6, at_most=True)


def _cost(cell: str, option: _Option, settings: Settings) -> Figure:
    make: Callable[..., nn.Module] = getattr(own, cell)
    torch.manual_seed(0)
    plain = _pass(make(FEATURES, UNITS, batch_first=True, **option.plain), {}, ())
    call, states = _call(cell, option)
    other = _pass(make(FEATURES, UNITS, batch_first=True, **option.arguments), call, states)
    timing = interleaved({"plain": plain, "option": other}, settings.pace)
    detail = milliseconds(timing, "option", "plain")
    return Figure(name=f"{cell} {option.name}", value=timing.ratio("option", "plain"), detail=detail)


def _call(cell: str, option: _Option) -> tuple[dict[str, Any], tuple[Tensor, ...]]:
    """Give what the option hands to the call, and the states among it."""
    if option.lengths:
        return {"lengths": torch.randint(1, STEPS + 1, (BATCH,))}, ()
    if not option.states:
        return {}, ()
    states = tuple(torch.zeros(1, BATCH, UNITS, requires_grad=True) for _ in range(2 if cell == "LSTM" else 1))
    return {"hx": states if cell == "LSTM" else states[0]}, states


def _pass(layer: nn.Module, call: Mapping[str, Any], states: tuple[Tensor, ...]) -> Contender:
    x = torch.randn(BATCH, STEPS, FEATURES)
    wanted = [*layer.parameters(), *states]
    output = layer(x, **call)[0]
    if not output.isfinite().all():
        raise ArithmeticError("numbers that are not finite would be no fair measure of an option")
    gradient = torch.randn_like(output)
    return repeating(lambda: torch.autograd.grad(layer(x, **call)[0], wanted, gradient))
