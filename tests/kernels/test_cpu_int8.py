"""Int8 weights against a slow oracle: `reference`, whose products are integers.

What a step quantises is the last step's h, and a rounding error there can move a value to the next whole number. So the
oracle takes each step from the h that the kernel gave for the step before, and only its own cell states from itself.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tidegate.kernels import native, ops, packing, reference
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, Activation, CellOptions

Draw = Callable[..., dict[str, Any]]
Gather = Callable[[str, dict[str, Any]], Any]

CELLS = {"lstm": (ops.LSTM, LSTM_OPTIONS), "gru": (ops.GRU, GRU_OPTIONS)}
SIZES = [(1, 1), (3, 5), (17, 3), (50, 1), (65, 50), (32, 33)]  # units, features
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def all_sets() -> tuple[str, ...]:
    if not native.available():
        pytest.skip(f"the compiled kernels are missing: {native.missing_because()}")
    known = native.INSTRUCTION_SETS
    return known[: known.index(native.instruction_set()) + 1]


def quantised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Give whole numbers in [-127, 127] and the scale of each row; float32 as far as it decides how to round."""
    most = rows.float().abs().amax(-1, keepdim=True)
    inverse = torch.where(most >= 1e-30, 127 / most, 0)
    return (rows.float() * inverse).round().long(), most.double() / 127


def integer_linear(values: Tensor, weight: Tensor) -> Tensor:
    """Multiply as int8 weights do: whole numbers, summed exactly."""
    (q, scale), (w, scales) = quantised(values), quantised(weight)
    assert int(q.abs().max()) <= 127
    return (q @ w.T).double() * scale * scales.squeeze(-1)


@pytest.fixture
def _integers(monkeypatch: pytest.MonkeyPatch) -> None:
    quantising = types.SimpleNamespace(linear=integer_linear, layer_norm=functional.layer_norm)
    monkeypatch.setattr(reference, "functional", quantising)


def run_int8(cell: str, tensors: dict[str, Any], options: CellOptions, *, int8: bool = True) -> list[Tensor]:
    """Pack and run: output and final states."""
    kind, names = CELLS[cell]
    fields = kind.tensors._fields
    weights = [tensors.get(name) for name in fields[fields.index("weight_ih") : fields.index("mask_x")]]
    scalars = tuple(int(v) if isinstance(v, Activation) else v for v in options.arguments(names)[:-3])
    packed = packing.pack(kind, weights, scalars, int8=int8)
    states = [tensors.get("h_0"), tensors.get("c_0")][: kind.states]
    flags = (options.batch_first, options.reverse, options.return_sequences)
    return list(packing.run_packed(packed, tensors["input"], tensors.get("lengths"), states, flags))


def expected(cell: str, tensors: dict[str, Any], options: CellOptions, given: Tensor, gather: Gather) -> list[Tensor]:
    """Step by step in float64, each from the kernel's h before it; `given` is its output, [time, batch, unit]."""
    x, lengths = tensors["input"], tensors.get("lengths")
    steps, batch, units = given.shape
    lengths = torch.full((batch,), steps) if lengths is None else lengths
    zeros = torch.zeros(batch, units)
    h, c = tensors.get("h_0", zeros).double(), tensors.get("c_0", zeros).double()
    output = torch.zeros(steps, batch, units, dtype=torch.float64)
    fixed = {k: v if v is None or not v.is_floating_point() else v.double() for k, v in tensors.items()}
    for step in reference.order(steps, options):
        now = (lengths > step).long()
        one = fixed | {"input": x[step : step + 1].double(), "lengths": now, "h_0": h}
        one |= {"c_0": c} if cell == "lstm" else {}
        results = getattr(reference, cell)(gather(cell, one), options)
        output[step], c = results[0][0], results[2] if cell == "lstm" else c
        h = torch.where(now.unsqueeze(1) > 0, given[step].double(), h)
    return [output, h, c][: 3 if cell == "lstm" else 2]


def check(cell: str, tensors: dict[str, Any], options: CellOptions, gather: Gather, sets: tuple[str, ...]) -> None:
    for name in sets:
        with native.limited_to(name), torch.inference_mode():
            results = run_int8(cell, tensors, options)
            wanted = expected(cell, tensors, options, results[0], gather)
        assert len(results) == len(wanted)
        for result, want in zip(results, wanted, strict=True):
            assert result.dtype == torch.float32
            assert result.shape == want.shape
            difference = float((result - want).abs().max())
            assert difference <= TOLERANCE * (1 + float(want.abs().max())), f"{name}: {difference:.2e}"


@pytest.mark.usefixtures("_integers")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("batch", [1, 3, 33])
@pytest.mark.parametrize("sizes", SIZES)
def test_shapes(
    cell: str, batch: int, sizes: tuple[int, int], draw: Draw, gather: Gather, all_sets: tuple[str, ...]
) -> None:
    units, features = sizes
    steps = 3 if batch > 1 else 30  # more than the input is multiplied for at once
    drawn = {"steps": steps, "batch": batch, "features": features, "units": units}
    tensors = draw(cell, {"state", "bias"}, dtype=torch.float32, **drawn)
    check(cell, tensors, CellOptions(), gather, all_sets)


@pytest.mark.usefixtures("_integers")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, (0, 9, 1, 9, 4, 8, 0)])
@pytest.mark.parametrize("flags", [set(), {"state", "bias", "layer_norm", "peephole"}, {"bias", "peephole"}])
def test_options(
    cell: str,
    reverse: bool,
    lengths: tuple[int, ...] | None,
    flags: set[str],
    draw: Draw,
    gather: Gather,
    all_sets: tuple[str, ...],
) -> None:
    """What lies past the lengths is NaN, and reaches nothing."""
    tensors = draw(cell, flags, dtype=torch.float32, steps=9, batch=7, features=5, units=18)
    if lengths is not None:
        tensors["lengths"] = torch.tensor(lengths)
        for row, length in enumerate(lengths):
            tensors["input"][length:, row] = math.nan
    check(cell, tensors, CellOptions(reverse=reverse), gather, all_sets)
    zoned = CellOptions(reverse=reverse, zoneout_hidden=0.3, zoneout_cell=0.2, activation=Activation.SOFTSIGN)
    check(cell, tensors, zoned, gather, all_sets)


@pytest.mark.usefixtures("_integers")
def test_a_reset_before_the_product(draw: Draw, gather: Gather, all_sets: tuple[str, ...]) -> None:
    """r · h is quantised too; where rounding moves one of its values by a step, the whole row of n is off a little."""
    tensors = draw("gru", {"bias", "state"}, dtype=torch.float32, steps=12, batch=9, features=3, units=21)
    options = CellOptions(reset_after=False)
    for name in all_sets:
        with native.limited_to(name), torch.inference_mode():
            results = run_int8("gru", tensors, options)
            wanted = expected("gru", tensors, options, results[0], gather)
        off = (results[0] - wanted[0]).abs().amax(-1)  # [time, batch]
        assert float((off > TOLERANCE).float().mean()) <= 0.02
        assert float(off.max()) < 0.02


@pytest.mark.usefixtures("_integers")
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1)])
def test_the_greatest_sums(signs: tuple[int, int], gather: Gather, all_sets: tuple[str, ...]) -> None:
    """Every whole number is ±127: sums of pairs must not saturate in 16 bits."""
    units, features = 5, 67
    tensors = {
        "input": torch.full((2, 3, features), 0.25) * signs[0],
        "weight_ih": torch.full((4 * units, features), 0.0625) * signs[1],
        "weight_hh": torch.full((4 * units, units), 0.5),
    }
    check("lstm", tensors, CellOptions(), gather, all_sets)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_weights_on_the_grid_are_kept_exactly(cell: str, all_sets: tuple[str, ...]) -> None:
    """A single number is quantised without loss, and so is a state with a single unit on: float32 is the oracle."""
    generator, gates, units = torch.Generator().manual_seed(0), 4 if cell == "lstm" else 3, 19

    def grid(columns: int) -> Tensor:
        whole = torch.randint(-127, 128, (gates * units, columns), generator=generator)
        whole[:, 0] = torch.where(whole[:, 0] < 0, -127, 127)
        return whole * torch.rand(gates * units, 1, generator=generator) * 0.01

    tensors = {
        "input": torch.randn(1, units, 1, generator=generator),
        "h_0": torch.diag(torch.randn(units, generator=generator)),
        "weight_ih": grid(1),
        "weight_hh": grid(units),
    }
    for name in all_sets:
        with native.limited_to(name), torch.inference_mode():
            ours, plain = (run_int8(cell, tensors, CellOptions(), int8=int8)[0] for int8 in (True, False))
        assert float((ours - plain).abs().max()) < 1e-6


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("features", [1, 6])
def test_values_that_are_not_finite_show(cell: str, features: int, draw: Draw, all_sets: tuple[str, ...]) -> None:
    """NaN from the step on at which one is read, in its row alone; zeros and tiny numbers are nothing special."""
    tensors = draw(cell, {"bias"}, dtype=torch.float32, steps=30, batch=4, features=features, units=33)
    for name in all_sets:
        with native.limited_to(name), torch.inference_mode():
            tensors["input"][5:, 3] = 0.0
            tensors["input"][7:, 3, -1] = 1e-42
            good = run_int8(cell, tensors, CellOptions())[0]
            assert bool(good.isfinite().all())
            bad = tensors | {"input": tensors["input"].clone()}
            bad["input"][4, 0, -1], bad["input"][6, 2, 0] = math.nan, math.inf
            found = run_int8(cell, bad, CellOptions())[0]
        wanted = good.clone()
        wanted[4:, 0] = wanted[6:, 2] = math.nan
        assert torch.equal(found.isnan(), wanted.isnan())
        assert torch.equal(found.nan_to_num(7.0), wanted.nan_to_num(7.0))
        weight = tensors["weight_ih"].clone()
        weight[2, -1] = math.nan
        with native.limited_to(name), torch.inference_mode():
            assert bool(run_int8(cell, tensors | {"weight_ih": weight}, CellOptions())[0][:, :, 2].isnan().all())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("flags", [{"bias"}, {"bias", "layer_norm"}])
def test_a_row_has_the_same_bits_in_every_batch(
    cell: str, flags: set[str], draw: Draw, all_sets: tuple[str, ...]
) -> None:
    tensors = draw(cell, flags, dtype=torch.float32, steps=30, batch=33, features=7, units=50)
    threads = torch.get_num_threads()
    for name in all_sets:
        with native.limited_to(name), torch.inference_mode():
            whole = run_int8(cell, tensors, CellOptions())[0]
            for rows in (1, 2, 7):
                some = run_int8(cell, tensors | {"input": tensors["input"][:, :rows]}, CellOptions())[0]
                assert torch.equal(some, whole[:, :rows])
            try:
                torch.set_num_threads(2)
                assert torch.equal(run_int8(cell, tensors, CellOptions())[0], whole)
            finally:
                torch.set_num_threads(threads)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("sizes", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_without_steps_rows_or_features(
    cell: str, sizes: tuple[int, int, int], draw: Draw, all_sets: tuple[str, ...]
) -> None:
    steps, batch, features = sizes
    tensors = draw(cell, {"bias"}, dtype=torch.float32, steps=steps, batch=batch, features=max(features, 1), units=5)
    if features == 0:
        tensors["input"], tensors["weight_ih"] = tensors["input"][..., :0], tensors["weight_ih"][:, :0]
    for name in all_sets:
        with native.limited_to(name), torch.inference_mode():
            ours, plain = (run_int8(cell, tensors, CellOptions(), int8=int8) for int8 in (True, False))
        for result, wanted in zip(ours, plain, strict=True):
            assert result.shape == wanted.shape
            assert torch.allclose(result, wanted, atol=5e-3)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_strides_and_other_dtypes(cell: str, draw: Draw) -> None:
    tensors = draw(cell, {"bias", "state"}, dtype=torch.float32, steps=4, batch=5, features=6, units=21)
    wide = {name: tensor.double() for name, tensor in tensors.items()}
    spread = torch.full((4, 5, 12), math.nan)
    spread[..., ::2] = tensors["input"]
    turned = tensors["input"].transpose(0, 1).contiguous()
    with torch.inference_mode():
        plain = run_int8(cell, tensors, CellOptions())
        assert torch.equal(run_int8(cell, tensors | {"input": spread[..., ::2]}, CellOptions())[0], plain[0])
        answer = run_int8(cell, tensors | {"input": turned}, CellOptions(batch_first=True))
        assert torch.equal(answer[0].transpose(0, 1), plain[0])
        final = run_int8(cell, tensors, CellOptions(return_sequences=False))
        assert final[0].numel() == 0
        assert torch.equal(final[1], plain[1])
        double = run_int8(cell, wide, CellOptions())
    assert double[0].dtype == torch.float64  # computed in float32
    assert torch.equal(double[0].float(), plain[0])
