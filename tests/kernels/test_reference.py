"""The reference against the naive oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.kernels import reference
from tidegate.kernels.options import Activation, CellOptions

FLAGS = ("state", "bias", "layer_norm", "masks", "lengths", "seed", "peephole", "proj_size")

Draw = Callable[..., dict[str, Any]]
Gather = Callable[[str, dict[str, Any]], Any]
Naive = Callable[..., Any]


def compare(cell: str, tensors: dict[str, Any], options: CellOptions, gather: Gather, naive: Naive) -> None:
    outputs, hiddens, cells = naive(cell, tensors, options)
    run: Callable[..., tuple[torch.Tensor, ...]] = getattr(reference, cell)
    output, *states, reserve = run(gather(cell, tensors), options)
    expected = torch.tensor(outputs, dtype=torch.float64)
    expected = expected if options.batch_first else expected.transpose(0, 1)
    if options.return_sequences:
        torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-10)
    else:
        assert output.shape == (0,)
    torch.testing.assert_close(states[0], torch.tensor(hiddens, dtype=torch.float64), rtol=1e-10, atol=1e-10)
    if cell == "lstm":
        torch.testing.assert_close(states[1], torch.tensor(cells, dtype=torch.float64), rtol=1e-10, atol=1e-10)
    assert reserve.shape == (0,)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("activation", list(Activation))
def test_every_activation(cell: str, activation: Activation, draw: Draw, gather: Gather, naive: Naive) -> None:
    for options in (CellOptions(activation=activation), CellOptions(recurrent_activation=activation)):
        compare(cell, draw(cell, {"state", "bias"}), options, gather, naive)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(
    flags=st.sets(st.sampled_from(FLAGS)),
    activation=st.sampled_from(Activation),
    recurrent_activation=st.sampled_from(Activation),
    zoneout=st.sampled_from([(0.0, 0.0), (0.4, 0.0), (0.0, 0.3), (0.25, 0.6)]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    steps=st.sampled_from([1, 3, 18]),
)
@settings(max_examples=40)
def test_drawn_combinations(
    cell: str,
    flags: set[str],
    activation: Activation,
    recurrent_activation: Activation,
    zoneout: tuple[float, float],
    switches: tuple[bool, bool, bool, bool],
    steps: int,
    draw: Draw,
    gather: Gather,
    naive: Naive,
) -> None:
    bounded = activation in (Activation.TANH, Activation.SIGMOID, Activation.SOFTSIGN, Activation.HARD_SIGMOID)
    if not bounded or recurrent_activation in (Activation.RELU, Activation.LINEAR):
        steps = min(steps, 3)  # these may grow without bound
    reset_after, batch_first, reverse, return_sequences = switches
    options = CellOptions(
        activation=activation,
        recurrent_activation=recurrent_activation,
        zoneout_hidden=zoneout[0],
        zoneout_cell=zoneout[1],
        reset_after=reset_after or "layer_norm" in flags,
        batch_first=batch_first,
        reverse=reverse,
        return_sequences=return_sequences,
    )
    if cell == "gru":
        flags = flags - {"proj_size"}
    compare(cell, draw(cell, flags, steps=steps, batch_first=batch_first), options, gather, naive)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_without_steps_the_state_stays(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state"}, steps=0)
    run: Callable[..., tuple[torch.Tensor, ...]] = getattr(reference, cell)
    output, *states, reserve = run(gather(cell, tensors), CellOptions(), keep=True)
    assert output.shape == (0, 3, 4)
    assert torch.equal(states[0], tensors["h_0"])
    assert states[0] is not tensors["h_0"]
    assert reserve.shape == (0, 3, 24 if cell == "lstm" else 20)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_rounds_operands_only(cell: str, dtype: torch.dtype, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"state", "bias", "layer_norm", "peephole", "lengths"}, steps=12, dtype=dtype)
    exact = {k: v.double() if v.is_floating_point() else v for k, v in tensors.items()}
    run: Callable[..., tuple[torch.Tensor, ...]] = getattr(reference, cell)
    *low, reserve = run(gather(cell, tensors), CellOptions(), keep=True)
    *high, _ = run(gather(cell, exact), CellOptions())
    assert reserve.dtype == torch.float32
    for result, expected in zip(low, high, strict=True):
        assert result.dtype == dtype
        bound = 0.05 if dtype == torch.bfloat16 else 0.01
        torch.testing.assert_close(result.double(), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_kept_products_are_what_the_norms_read(cell: str, draw: Draw, gather: Gather) -> None:
    tensors = draw(cell, {"layer_norm", "masks", "lengths"}, steps=5)
    run: Callable[..., tuple[torch.Tensor, ...]] = getattr(reference, cell)
    output, *_, reserve = run(gather(cell, tensors), CellOptions(), keep=True)
    products = reserve[..., 24:] if cell == "lstm" else reserve[..., 20:]
    of_input, of_state = products.chunk(2, dim=-1)
    h = torch.cat((torch.zeros_like(output[:1]), output[:-1]))
    first = slice(None), 0  # the row of full length
    x = tensors["input"] * tensors["mask_x"]
    torch.testing.assert_close(of_input[first], x[first] @ tensors["weight_ih"].mT)
    torch.testing.assert_close(of_state[first], (h * tensors["mask_h"])[first] @ tensors["weight_hh"].mT)
    assert reserve.isfinite().all()


def test_cell_state_is_carried_in_float32(gather: Gather) -> None:
    """A thousand small additions would be lost in bfloat16, whose 1 + 2⁻⁹ is 1."""
    steps = 1000
    bias = torch.tensor([30.0, 30.0, 0.001, 30.0], dtype=torch.bfloat16)  # i, f, o open; g = tanh(0.001)
    zeros = torch.zeros(4, 1, dtype=torch.bfloat16)
    tensors = {"input": zeros.new_zeros(steps, 1, 1), "weight_ih": zeros, "weight_hh": zeros, "bias_ih": bias}
    _, _, c_n, _ = reference.lstm(gather("lstm", tensors), CellOptions(activation=Activation.LINEAR))
    assert c_n.item() == pytest.approx(steps * bias[2].item(), rel=0.005)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_reaches_nothing(cell: str, reverse: bool, draw: Draw, gather: Gather) -> None:
    options = CellOptions(reverse=reverse)
    tensors = draw(cell, {"state", "bias", "lengths", "layer_norm"}, steps=6)
    spoilt = dict(tensors)
    x = tensors["input"].clone()
    for row, length in enumerate(tensors["lengths"].tolist()):
        x[length:, row] = float("nan")
    spoilt["input"] = x
    run: Callable[..., tuple[torch.Tensor, ...]] = getattr(reference, cell)
    for clean, dirty in zip(run(gather(cell, tensors), options), run(gather(cell, spoilt), options), strict=True):
        assert torch.equal(clean, dirty)
