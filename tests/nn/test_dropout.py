"""Dropout and zoneout within layers: masks, modes, reproducibility."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tidegate import nn
from tidegate.kernels import ops
from tidegate.kernels.arguments import LstmTensors
from tidegate.kernels.dispatch import REFERENCE, TORCH, forced
from tidegate.kernels.options import CellOptions
from tidegate.nn.dropout import sequence_mask

RANDOM: list[dict[str, Any]] = [
    {"input_dropout": 0.5},
    {"recurrent_dropout": 0.5},
    {"zoneout_hidden": 0.5},
    {"dropout": 0.5, "num_layers": 2},
    {"input_dropout": 0.3, "recurrent_dropout": 0.3, "bidirectional": True},
]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("options", RANDOM)
def test_reproducible_from_torchs_generator(kind: str, options: dict[str, Any]) -> None:
    layer = getattr(nn, kind)(4, 8, **options)
    x = torch.randn(6, 3, 4)
    torch.manual_seed(7)
    one = layer(x)[0]
    other = layer(x)[0]
    torch.manual_seed(7)
    assert torch.equal(layer(x)[0], one)
    assert not torch.equal(other, one)
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_mask_statistics() -> None:
    mask = sequence_mask(torch.zeros(1), 400, 500, 0.3)
    assert sorted(set(mask.flatten().tolist())) == pytest.approx([0, 1 / 0.7])
    assert (mask == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert mask.mean().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("two", [False, True])
def test_one_input_mask_for_all_steps_and_another_for_each_row_and_direction(
    two: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a GRU that passes its input on, the output shows the mask itself."""
    size = 16
    layer = nn.GRU(
        size, size, bidirectional=two, input_dropout=0.5, activation="linear", recurrent_activation="sigmoid"
    )
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.zero_()
            if name.startswith("weight_ih"):
                parameter[2 * size :].copy_(torch.eye(size))
            if name.startswith("bias_ih"):
                parameter[size : 2 * size].fill_(-50)  # z = 0: h' = n = x ∘ m_x
    output = layer(torch.ones(5, 64, size))[0]
    assert torch.equal(output, output[:1].expand_as(output))
    assert (output == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert not torch.equal(output[0, 0], output[0, 1])
    if two:
        assert not torch.equal(output[..., :size], output[..., size:])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_input_dropout_on_torchs_kernels_is_that_of_the_operators(kind: str) -> None:
    layer = getattr(nn, kind)(4, 8, 2, batch_first=True, input_dropout=0.5)
    x, lengths = torch.randn(3, 6, 4), torch.tensor([6, 2, 4])
    with forced(TORCH):
        torch.manual_seed(2)
        by_torch = layer(x, lengths=lengths)[0]
    with forced(REFERENCE):
        torch.manual_seed(2)
        torch.testing.assert_close(layer(x, lengths=lengths)[0], by_torch, rtol=0, atol=1e-6)
    torch.manual_seed(2)
    torch.testing.assert_close(layer(x, lengths=lengths)[0], by_torch, rtol=0, atol=1e-6)


def test_recurrent_mask_reaches_the_product_only() -> None:
    layer = nn.LSTM(4, 8, recurrent_dropout=0.5, batch_first=True)
    x = torch.randn(3, 6, 4)
    torch.manual_seed(9)
    output = layer(x)[0]
    torch.manual_seed(9)
    mask = sequence_mask(x, 3, 8, 0.5)
    weights = {kind: getattr(layer, f"{kind}_l0") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    tensors = LstmTensors(input=x, lengths=None, h_0=None, c_0=None, mask_h=mask, **weights)
    assert torch.equal(ops.lstm(tensors, CellOptions(batch_first=True))[0], output)
    layer.eval()
    assert not torch.equal(layer(x)[0], output)


def test_zoneout_keeps_the_old_value_with_its_probability() -> None:
    layer = nn.GRU(4, 64, zoneout_hidden=0.3)
    output = layer(torch.randn(50, 16, 4))[0]
    kept = (output[1:] == output[:-1]).float()
    assert kept.mean().item() == pytest.approx(0.3, abs=0.01)
    assert kept.mean(dim=(1, 2)).std() < 0.02  # a new draw at every step
    assert not torch.equal(kept[0], kept[1])


def test_zoneout_expects_at_inference() -> None:
    layer = nn.LSTM(4, 8, zoneout_hidden=0.25, zoneout_cell=0.5).eval()
    plain = nn.LSTM(4, 8)
    plain.load_state_dict(layer.state_dict())
    x, start = torch.randn(1, 3, 4), (torch.randn(1, 3, 8), torch.randn(1, 3, 8))
    h, c = layer(x, start)[1]
    new_h, new_c = plain(x, start)[1]  # the hidden state comes from the cell before its zoneout
    torch.testing.assert_close(h, 0.25 * start[0] + 0.75 * new_h)
    torch.testing.assert_close(c, 0.5 * start[1] + 0.5 * new_c)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}])
def test_dropout_lies_between_layers_only(options: dict[str, Any]) -> None:
    """With everything dropped the second layer reads zeros; what it gives is not dropped itself."""
    layer = nn.GRU(4, 5, 2, dropout=1.0, **options)
    upper = nn.GRU(5, 5, **options)
    upper.load_state_dict({name.replace("_l1", "_l0"): p for name, p in layer.state_dict().items() if "_l1" in name})
    output, h_n = layer(torch.randn(6, 3, 4))
    torch.testing.assert_close(output, upper(torch.zeros(6, 3, 5))[0], rtol=0, atol=1e-6)
    assert h_n[0].abs().min() > 0
    assert output.abs().max() > 0


@pytest.mark.parametrize("options", [{}, {"layer_norm": True, "zoneout_hidden": 0.2}])
def test_inference_mode_gives_the_numbers_of_eval(options: dict[str, Any]) -> None:
    layer = nn.LSTM(4, 5, **options).eval()
    x = torch.randn(6, 3, 4)
    with torch.inference_mode():
        inferred = layer(x)[0]
    assert torch.equal(inferred, layer(x)[0])
