"""What the tests of kernels share.

The naive oracle of the recurrences, element by element in plain Python; cells drawn at random; and calls of the
compiled operators beside the same calls of `reference`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

from tidegate.kernels import native, reference
from tidegate.kernels.arguments import CELL_GRADIENTS, GruTensors, LstmTensors
from tidegate.kernels.gru_backward import gru_backward
from tidegate.kernels.lstm_backward import lstm_backward
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, CellOptions

Vector: TypeAlias = list[float]
Tensors: TypeAlias = dict[str, Any]
Results: TypeAlias = dict[str, Tensor]
Naive: TypeAlias = Callable[[str, Tensors, CellOptions], tuple[list[list[Vector]], list[Vector], list[Vector]]]


def _philox_uniform(seed: int, unit: int, row: int, step: int, stream: int) -> float:
    words, key, mask = [unit // 4, row, step, stream], [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], 0xFFFFFFFF
    for _ in range(10):
        left, right = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
        words = [(right >> 32) ^ words[1] ^ key[0], right & mask, (left >> 32) ^ words[3] ^ key[1], left & mask]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return (words[unit % 4] >> 8) / 2**24


_ACTIVATIONS: list[Callable[[float], float]] = [
    math.tanh,
    lambda x: 1 / (1 + math.exp(-x)),
    lambda x: min(max(x / 6 + 0.5, 0.0), 1.0),
    lambda x: max(x, 0.0),
    lambda x: x / (1 + abs(x)),
    lambda x: x,
]


def _product(matrix: list[Vector], vector: Vector) -> Vector:
    return [sum(w * v for w, v in zip(row, vector, strict=True)) for row in matrix]


def _norm(values: Vector, weight: Vector | None, bias: Vector | None = None) -> Vector:
    if weight is None:
        return values
    mean = sum(values) / len(values)
    scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) + 1e-5)
    return [
        (v - mean) * scale * w + (bias[k] if bias else 0.0) for k, (v, w) in enumerate(zip(values, weight, strict=True))
    ]


class _NaiveRow:
    """One row of a batch, walked step by step."""

    def __init__(self, cell: str, row: int, tensors: Tensors, options: CellOptions) -> None:
        self.cell, self.row, self.options = cell, row, options
        self.t: dict[str, Any] = {name: tensor.tolist() for name, tensor in tensors.items()}
        self.sigma, self.phi = _ACTIVATIONS[options.recurrent_activation], _ACTIVATIONS[options.activation]
        self.gates = 4 if cell == "lstm" else 3
        self.units = len(self.t["weight_ih"]) // self.gates
        outputs = len(self.t["weight_hh"][0])
        self.h: Vector = self.t["h_0"][row] if "h_0" in self.t else [0.0] * outputs
        self.c: Vector = self.t["c_0"][row] if "c_0" in self.t else [0.0] * self.units

    def masked(self, values: Vector, name: str) -> Vector:
        if name not in self.t:
            return values
        return [v * m for v, m in zip(values, self.t[name][self.row], strict=True)]

    def bias(self, name: str) -> Vector:
        given: Vector | None = self.t.get(name)
        return given or [0.0] * (self.gates * self.units)

    def zone(self, old: Vector, new: Vector, p: float, step: int, stream: int) -> Vector:
        if p and "seed" not in self.t:
            return [p * o + (1 - p) * n for o, n in zip(old, new, strict=True)]
        if not p:
            return new
        kept = [_philox_uniform(self.t["seed"][0], k, self.row, step, stream) < p for k in range(len(new))]
        return [o if keep else n for keep, o, n in zip(kept, old, new, strict=True)]

    def step(self, x: Vector, step: int) -> None:
        x_part = _norm(_product(self.t["weight_ih"], self.masked(x, "mask_x")), self.t.get("weight_norm_ih"))
        h_part = _norm(_product(self.t["weight_hh"], self.masked(self.h, "mask_h")), self.t.get("weight_norm_hh"))
        x_part = [a + b for a, b in zip(x_part, self.bias("bias_ih"), strict=True)]
        h_part = [a + b for a, b in zip(h_part, self.bias("bias_hh"), strict=True)]
        (self.lstm if self.cell == "lstm" else self.gru)(x_part, h_part, step)

    def lstm(self, x_part: Vector, h_part: Vector, step: int) -> None:
        n, u = self.units, [a + b for a, b in zip(x_part, h_part, strict=True)]
        p = self.t.get("weight_peephole") or [0.0] * (3 * n)
        i = [self.sigma(u[k] + p[k] * self.c[k]) for k in range(n)]
        f = [self.sigma(u[n + k] + p[n + k] * self.c[k]) for k in range(n)]
        c = [f[k] * self.c[k] + i[k] * self.phi(u[2 * n + k]) for k in range(n)]
        o = [self.sigma(u[3 * n + k] + p[2 * n + k] * c[k]) for k in range(n)]
        seen = _norm(c, self.t.get("weight_norm_c"), self.t.get("bias_norm_c"))
        h = [o[k] * self.phi(seen[k]) for k in range(n)]
        if self.t.get("weight_hr"):
            h = _product(self.t["weight_hr"], h)
        self.h = self.zone(self.h, h, self.options.zoneout_hidden, step, 0)
        self.c = self.zone(self.c, c, self.options.zoneout_cell, step, 1)

    def gru(self, x_part: Vector, h_part: Vector, step: int) -> None:
        n = self.units
        r = [self.sigma(x_part[k] + h_part[k]) for k in range(n)]
        z = [self.sigma(x_part[n + k] + h_part[n + k]) for k in range(n)]
        if self.options.reset_after:
            recurrent = [r[k] * h_part[2 * n + k] for k in range(n)]
        else:
            reset = self.masked([a * b for a, b in zip(r, self.h, strict=True)], "mask_h")
            plus = self.bias("bias_hh")[2 * n :]
            recurrent = [a + b for a, b in zip(_product(self.t["weight_hh"][2 * n :], reset), plus, strict=True)]
        candidate = [self.phi(x_part[2 * n + k] + recurrent[k]) for k in range(n)]
        new = [(1 - z[k]) * candidate[k] + z[k] * self.h[k] for k in range(n)]
        self.h = self.zone(self.h, new, self.options.zoneout_hidden, step, 0)


def _naive(cell: str, tensors: Tensors, options: CellOptions) -> tuple[list[list[Vector]], list[Vector], list[Vector]]:
    x = tensors["input"] if options.batch_first else tensors["input"].transpose(0, 1)  # [batch, time, feature]
    lengths = tensors.get("lengths")
    outputs, hiddens, cells = [], [], []
    for row, steps in enumerate(x.tolist()):
        walker = _NaiveRow(cell, row, tensors, options)
        valid = len(steps) if lengths is None else int(lengths[row])
        output = [[0.0] * len(walker.h) for _ in steps]
        for step in reversed(range(valid)) if options.reverse else range(valid):
            walker.step(steps[step], step)
            output[step] = walker.h
        outputs.append(output)
        hiddens.append(walker.h)
        cells.append(walker.c)
    return outputs, hiddens, cells


@pytest.fixture(scope="session")
def naive() -> Naive:
    """Give the oracle: output ``[batch][time][unit]``, final hidden states and final cells ``[batch][unit]``."""
    return _naive


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sizes:
    steps: int = 4
    batch: int = 3
    features: int = 2
    units: int = 4


def _draw(cell: str, flags: frozenset[str], sizes: _Sizes, *, batch_first: bool, dtype: torch.dtype) -> Tensors:
    steps, batch, features, units = sizes.steps, sizes.batch, sizes.features, sizes.units
    outputs = max(1, units - 1) if "proj_size" in flags else units
    gates = 4 if cell == "lstm" else 3
    generator = torch.Generator().manual_seed(len(flags) + steps)

    def normal(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.7).to(dtype)

    def weight(rows: int, columns: int) -> Tensor:
        return normal(rows, columns) * min(1, 2 / math.sqrt(columns))  # so that wide cells do not saturate

    drawn: Tensors = {
        "input": normal(batch, steps, features) if batch_first else normal(steps, batch, features),
        "weight_ih": weight(gates * units, features),
        "weight_hh": weight(gates * units, outputs),
    }
    if "state" in flags:
        drawn["h_0"] = normal(batch, outputs)
    if "bias" in flags:
        drawn |= {"bias_ih": normal(gates * units), "bias_hh": normal(gates * units)}
    if "layer_norm" in flags:
        drawn |= {"weight_norm_ih": normal(gates * units), "weight_norm_hh": normal(gates * units)}
    if "masks" in flags:
        drawn |= {"mask_x": normal(batch, features).abs(), "mask_h": normal(batch, outputs).abs()}
    if "lengths" in flags:
        further = [row * 7 % (steps + 1) for row in range(3, batch)]
        drawn["lengths"] = torch.tensor([steps, 0, steps // 2, *further][:batch], dtype=torch.int64)
    if "seed" in flags:
        drawn["seed"] = torch.tensor([2**40 + 12345])
    if cell == "lstm":
        drawn |= {"c_0": normal(batch, units)} if "state" in flags else {}
        drawn |= {"weight_hr": weight(outputs, units)} if "proj_size" in flags else {}
        drawn |= {"weight_peephole": normal(3 * units)} if "peephole" in flags else {}
        drawn |= {"weight_norm_c": normal(units)} if "layer_norm" in flags else {}
        drawn |= {"bias_norm_c": normal(units)} if {"layer_norm", "bias"} <= flags else {}
    return drawn


@pytest.fixture(scope="session")
def draw() -> Callable[..., Tensors]:
    """Give a function that draws a cell's tensors by name: ``draw(cell, flags, steps=, batch_first=, dtype=, …)``."""

    def drawing(
        cell: str,
        flags: frozenset[str] | set[str],
        *,
        steps: int = 4,
        batch: int = 3,
        features: int = 2,
        units: int = 4,
        batch_first: bool = False,
        dtype: torch.dtype = torch.float64,
    ) -> Tensors:
        sizes = _Sizes(steps=steps, batch=batch, features=features, units=units)
        return _draw(cell, frozenset(flags), sizes, batch_first=batch_first, dtype=dtype)

    return drawing


@pytest.fixture(scope="session")
def gather() -> Callable[[str, Tensors], LstmTensors | GruTensors]:
    """Give a function that turns tensors by name into an operator's arguments."""

    return _gather


def _gather(cell: str, tensors: Tensors) -> LstmTensors | GruTensors:
    kind: Any = LstmTensors if cell == "lstm" else GruTensors
    arguments: LstmTensors | GruTensors = kind(**{name: tensors.get(name) for name in kind._fields})
    return arguments


# ---------------------------------------------------------------- compiled kernels beside the reference

_OPTIONS = {"lstm": LSTM_OPTIONS, "gru": GRU_OPTIONS}
_RESULTS = {"lstm": ("output", "h_n", "c_n"), "gru": ("output", "h_n")}
_TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}


def _laid_out(tensor: Tensor, layout: str) -> Tensor:
    """Lay a tensor's values out in memory in some way, between values that would be noticed if they were read."""
    foreign = math.nan if tensor.is_floating_point() else 0
    if layout == "contiguous" or tensor.dim() == 0:
        return tensor
    if layout == "expanded":  # a stride of 0; along the rows of a matrix, for equal gates would have no norm
        first = tensor[:, :1] if tensor.dim() == 2 else tensor[:1]
        return first.expand(tensor.shape) if tensor.numel() else tensor
    if layout == "transposed" and tensor.dim() > 1:
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "shifted":  # contiguous, but aligned to nothing
        wide = tensor.new_full((tensor.numel() + 2,), foreign)
        wide[1:-1] = tensor.flatten()
        return wide[1:-1].view(tensor.shape)
    wide = tensor.new_full((*tensor.shape[:-1], 2 * tensor.shape[-1]), foreign)  # "strided"
    wide[..., ::2] = tensor
    return wide[..., ::2]


@dataclasses.dataclass(frozen=True)
class _Call:
    """A call of a cell's operators, and the gradients that come back to its results."""

    cell: str
    tensors: LstmTensors | GruTensors
    options: CellOptions
    gradients: tuple[Tensor | None, ...]

    def by_reference(self, dtype: torch.dtype | None = None) -> Results:
        """Give results and gradients by `reference`, computed in ``dtype`` (float64 for what float32 should be)."""
        tensors, gradients = self.tensors, self.gradients
        if dtype is not None:
            tensors = type(tensors)(*(_cast(tensor, dtype) for tensor in tensors))  # type: ignore[arg-type]
            gradients = tuple(_cast(gradient, dtype) for gradient in gradients)
        needs = [getattr(tensors, name) is not None for name in CELL_GRADIENTS[self.cell]]
        if isinstance(tensors, LstmTensors):
            *results, reserve = reference.lstm(tensors, self.options, keep=True)
            d_output, d_h, d_c = gradients
            derived = lstm_backward((d_output, d_h, d_c), reserve, tensors, self.options, needs)
        else:
            *results, reserve = reference.gru(tensors, self.options, keep=True)
            d_output, d_h = gradients
            derived = gru_backward((d_output, d_h), reserve, tensors, self.options, needs)
        return self._named(results, [result for result in derived if result is not None], needs)

    def by_operators(self, needs: Sequence[str] | None = None) -> Results:
        """Give results and the gradients called ``needs`` (all that there are, if None) by the operators."""
        *results, reserve = self.forward(keep=True)
        return self._named(results, *self.backward(reserve, needs))

    def forward(self, *, keep: bool) -> tuple[Tensor, ...]:
        """Call the forward operator."""
        operator: Callable[..., tuple[Tensor, ...]] = getattr(torch.ops.tidegate, self.cell).default
        return operator(*self.tensors, *self.options.arguments(_OPTIONS[self.cell]), keep)

    def backward(self, reserve: Tensor, needs: Sequence[str] | None = None) -> tuple[list[Tensor], list[bool]]:
        """Call the backward operator: the gradients asked for, and which they are; the others must be empty."""
        operator: Callable[..., tuple[Tensor, ...]] = getattr(torch.ops.tidegate, f"{self.cell}_backward").default
        names = CELL_GRADIENTS[self.cell]
        needed = [getattr(self.tensors, name) is not None if needs is None else name in needs for name in names]
        scalars = self.options.arguments(_OPTIONS[self.cell])
        derived = operator(*self.gradients, reserve, *self.tensors, *scalars, needed)
        for name, need, gradient in zip(names, needed, derived, strict=True):
            assert need or gradient.shape == (0,), f"nobody asked for the gradient of {name}"
        return [gradient for gradient, need in zip(derived, needed, strict=True) if need], needed

    def _named(self, results: Sequence[Tensor], derived: Sequence[Tensor], needed: Sequence[bool]) -> Results:
        names = [name for name, need in zip(CELL_GRADIENTS[self.cell], needed, strict=True) if need]
        return dict(zip(_RESULTS[self.cell], results, strict=True)) | {
            f"gradient of {name}": gradient for name, gradient in zip(names, derived, strict=True)
        }


def _cast(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return tensor.to(dtype) if tensor is not None and tensor.is_floating_point() else tensor


def _make_call(cell: str, tensors: Tensors, options: CellOptions, layout: str) -> _Call:
    x = tensors["input"]
    batch, steps = x.shape[:2] if options.batch_first else (x.shape[1], x.shape[0])
    outputs, units = tensors["weight_hh"].shape[1], tensors["weight_ih"].shape[0] // (4 if cell == "lstm" else 3)
    generator = torch.Generator().manual_seed(steps + batch)
    sequence = (batch, steps, outputs) if options.batch_first else (steps, batch, outputs)
    shapes = [sequence, (batch, outputs), (batch, units)][: len(_RESULTS[cell])]
    gradients: list[Tensor | None] = [
        torch.randn(s, generator=generator, dtype=torch.float64).to(x.dtype) for s in shapes
    ]
    if not options.return_sequences:
        gradients[0] = None
    placed = {name: _laid_out(tensor, layout) for name, tensor in tensors.items()}
    return _Call(
        cell, _gather(cell, placed), options, tuple(None if g is None else _laid_out(g, layout) for g in gradients)
    )


def _differences(results: Results, expected: Results) -> dict[str, float]:
    """Give by how much each result differs, as a share of 1 + the greatest expected value; NaN if anything is NaN."""
    shares = {}
    for name, result in results.items():
        wanted = expected[name].double()
        assert result.shape == wanted.shape, f"{name} is of shape {tuple(result.shape)}, not {tuple(wanted.shape)}"
        worst = ((result.double() - wanted).abs().max() / (1 + wanted.abs().max())).item() if wanted.numel() else 0.0
        shares[name] = worst
    return shares


@pytest.fixture(scope="session")
def make_call() -> Callable[..., _Call]:
    """Give a maker of calls from drawn tensors: ``make_call(cell, tensors, options, layout=)``."""

    def making(cell: str, tensors: Tensors, options: CellOptions, *, layout: str = "shifted") -> _Call:
        return _make_call(cell, tensors, options, layout)

    return making


@pytest.fixture(scope="session")
def instruction_sets() -> tuple[str, ...]:
    """Give the instruction sets that this CPU has, but for VNNI, which is for int8; skip without compiled kernels."""
    if not native.available():
        pytest.skip(f"the compiled kernels are missing: {native.missing_because()}")
    known = native.INSTRUCTION_SETS
    return tuple(name for name in known[: known.index(native.instruction_set()) + 1] if name != "avx512_vnni")


@pytest.fixture(scope="session")
def agree(instruction_sets: tuple[str, ...]) -> Callable[..., None]:
    """Give a check that a call comes out alike by the operators, at every instruction set, and by `reference`."""

    def agreeing(call: _Call) -> None:
        dtype = call.tensors.input.dtype
        expected = call.by_reference(torch.float64)
        bounds = dict.fromkeys(expected, _TOLERANCES[dtype])
        if dtype == torch.float32:  # may lose more by itself, as with a norm of almost equal values
            lost = _differences(call.by_reference(), expected)
            bounds = {name: max(bound, 4 * lost[name]) for name, bound in bounds.items()}
        for instructions in instruction_sets:
            with native.limited_to(instructions):
                results = call.by_operators()
                *inferred, reserve = call.forward(keep=False)
            assert {result.dtype for result in (*results.values(), *inferred)} == {dtype}
            assert reserve.shape == (0,)
            for given in (results, dict(zip(_RESULTS[call.cell], inferred, strict=True))):
                for name, share in _differences(given, expected).items():
                    assert share <= bounds[name], f"{instructions}: {name} differs by {share:.3g} of its size"

    return agreeing
