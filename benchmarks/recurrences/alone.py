"""The recurrence alone, at the operators: floating-point operations a second beside the machine's measured peak."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import tidegate.kernels.ops  # noqa: F401 - defines the operators
from recurrences.rows import LEAST, Figure, Row, Settings
from tidegate.kernels import native
from tidegate.kernels.arguments import GRU_GRADIENTS, LSTM_GRADIENTS, GruTensors, LstmTensors
from tidegate.kernels.bench import Contender, Ratio, interleaved, repeating
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, CellOptions

__all__ = ["alone", "kept", "peak"]

BATCH, STEPS, FEATURES = 32, 100, 1
_TARGETS = {("LSTM", "forward"): (0.45, 0.60), ("LSTM", "backward"): (0.35, 0.50)}
_MATRICES = (512, 1024, 2048)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Cell:
    """The operators of one direction of one layer, with arguments."""

    name: str
    units: int
    forward: Callable[[], tuple[Tensor, ...]]
    backward: Callable[[], tuple[Tensor, ...]]

    @property
    def flops(self) -> int:
        """Multiplications and additions of the products of a forward pass; a backward pass has twice as many."""
        gates = 4 if self.name == "LSTM" else 3
        return 2 * BATCH * STEPS * gates * self.units * (FEATURES + self.units)


def _cell(name: str, units: int) -> _Cell:
    """Prepare the operators' arguments; to be called in inference mode, which leaves autograd out."""
    native.available()  # loads the compiled kernels
    lstm = name == "LSTM"
    gates, bound = 4 if lstm else 3, units**-0.5

    def uniform(*sizes: int) -> Tensor:
        return torch.empty(sizes).uniform_(-bound, bound)

    weights: dict[str, Any] = {
        "weight_ih": uniform(gates * units, FEATURES),
        "weight_hh": uniform(gates * units, units),
        "bias_ih": uniform(gates * units),
        "bias_hh": uniform(gates * units),
    }
    x, options = torch.randn(STEPS, BATCH, FEATURES), CellOptions()
    tensors: LstmTensors | GruTensors
    if lstm:
        tensors = LstmTensors(input=x, lengths=None, h_0=None, c_0=None, **weights)
        names, gradients, operator = LSTM_OPTIONS, LSTM_GRADIENTS, torch.ops.tidegate.lstm
        operator_backward = torch.ops.tidegate.lstm_backward
    else:
        tensors = GruTensors(input=x, lengths=None, h_0=None, **weights)
        names, gradients, operator = GRU_OPTIONS, GRU_GRADIENTS, torch.ops.tidegate.gru
        operator_backward = torch.ops.tidegate.gru_backward
    rest = (*tensors, *options.arguments(names))
    needs = [getattr(tensors, gradient) is not None for gradient in gradients]
    results = operator.default(*rest, True)
    given = (torch.randn_like(results[0]), *([None] * (len(results) - 2)), results[-1])
    return _Cell(
        name=name,
        units=units,
        forward=lambda: operator.default(*rest, True),
        backward=lambda: operator_backward.default(*given, *rest, needs),
    )


def peak(settings: Settings) -> tuple[Contender, int]:
    """Find the product of square float32 matrices that reaches the most operations a second; give it with its flops."""
    products = {}
    for size in _MATRICES:
        a, b, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
        products[str(size)] = repeating(lambda a=a, b=b, out=out: torch.mm(a, b, out=out))  # type: ignore[misc]
    timing = interleaved(products, settings.pace)
    best = max(_MATRICES, key=lambda size: 2 * size**3 / timing.median(str(size)))
    return products[str(best)], 2 * best**3


def alone(settings: Settings) -> Iterator[Row]:
    """Measure the share of the peak that the recurrence reaches, products of all gates counted, nothing else."""
    with torch.inference_mode():
        product, flops = peak(settings)
        for name in ("LSTM", "GRU"):
            cells = [_cell(name, units) for units in (64, 128, 256)]
            for direction in ("forward", "backward"):
                figures = [_share(cell, direction, product, flops, settings) for cell in cells]
                small, large = _TARGETS.get((name, direction), (None, None))
                what = f"recurrence alone, {name}, {direction}, share of the peak"
                yield Row(what=f"{what}, hidden 64", figures=figures[:1], target=small)
                yield Row(what=f"{what}, hidden 128 and 256", figures=figures[1:], target=large, summary=LEAST)


def _share(cell: _Cell, direction: str, product: Contender, flops: int, settings: Settings) -> Figure:
    work = repeating(cell.forward if direction == "forward" else cell.backward)
    done = cell.flops * (1 if direction == "forward" else 2)
    timing = interleaved({"operator": work, "peak": product}, settings.pace)
    times, scale = timing.ratio("peak", "operator"), done / flops
    share = Ratio(median=times.median * scale, lowest=times.lowest * scale, highest=times.highest * scale)
    reached, most = done / timing.median("operator") / 1e9, flops / timing.median("peak") / 1e9
    detail = f"{reached:.1f} of {most:.1f} GFLOP/s, {timing.median('operator') * 1e3:.3f} ms"
    return Figure(name=f"{cell.name} {cell.units}, {direction}", value=share, detail=detail)


def kept(_: Settings) -> Iterator[Row]:
    """Count the values that a plain cell keeps for backward, per row, step and unit."""
    units = 64
    with torch.inference_mode():
        for name, target in (("LSTM", 6.0), ("GRU", 5.0)):
            reserve = _cell(name, units).forward()[-1]
            values = reserve.numel() / (BATCH * STEPS * units)
            figure = Figure(name=f"{name} {units}", value=Ratio(median=values, lowest=values, highest=values))
            yield Row(what=f"values kept for backward, {name}", figures=[figure], target=target, at_most=True)
