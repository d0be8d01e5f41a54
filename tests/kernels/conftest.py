"""The naive oracle of the recurrences, element by element in plain Python, and cells drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

from tidegate.kernels.arguments import GruTensors, LstmTensors
from tidegate.kernels.options import CellOptions

Vector: TypeAlias = list[float]
Tensors: TypeAlias = dict[str, Any]
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


def _draw(cell: str, flags: frozenset[str], *, steps: int, batch_first: bool, dtype: torch.dtype) -> Tensors:
    batch, features, units = 3, 2, 4
    outputs = 3 if "proj_size" in flags else units
    gates = 4 if cell == "lstm" else 3
    generator = torch.Generator().manual_seed(len(flags) + steps)

    def normal(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.7).to(dtype)

    drawn: Tensors = {
        "input": normal(batch, steps, features) if batch_first else normal(steps, batch, features),
        "weight_ih": normal(gates * units, features),
        "weight_hh": normal(gates * units, outputs),
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
        drawn["lengths"] = torch.tensor([steps, 0, steps // 2])
    if "seed" in flags:
        drawn["seed"] = torch.tensor([2**40 + 12345])
    if cell == "lstm":
        drawn |= {"c_0": normal(batch, units)} if "state" in flags else {}
        drawn |= {"weight_hr": normal(outputs, units)} if "proj_size" in flags else {}
        drawn |= {"weight_peephole": normal(3 * units)} if "peephole" in flags else {}
        drawn |= {"weight_norm_c": normal(units), "bias_norm_c": normal(units)} if "layer_norm" in flags else {}
    return drawn


@pytest.fixture(scope="session")
def draw() -> Callable[..., Tensors]:
    """Give a function that draws a cell's tensors by name: ``draw(cell, flags, steps=, batch_first=, dtype=)``."""

    def drawing(
        cell: str,
        flags: frozenset[str] | set[str],
        *,
        steps: int = 4,
        batch_first: bool = False,
        dtype: torch.dtype = torch.float64,
    ) -> Tensors:
        return _draw(cell, frozenset(flags), steps=steps, batch_first=batch_first, dtype=dtype)

    return drawing


@pytest.fixture(scope="session")
def gather() -> Callable[[str, Tensors], LstmTensors | GruTensors]:
    """Give a function that turns tensors by name into an operator's arguments."""

    def gathering(cell: str, tensors: Tensors) -> LstmTensors | GruTensors:
        kind: Any = LstmTensors if cell == "lstm" else GruTensors
        arguments: LstmTensors | GruTensors = kind(**{name: tensors.get(name) for name in kind._fields})
        return arguments

    return gathering
