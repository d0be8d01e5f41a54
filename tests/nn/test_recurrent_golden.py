"""The layers against golden vectors: Keras 3 and ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate import nn

KERAS = (
    "lstm_default",
    "lstm_relu",
    "lstm_hard_sigmoid",
    "lstm_softsign_linear",
    "lstm_no_bias",
    "lstm_backwards",
    "lstm_masked_right",
    "gru_reset_after",
    "gru_reset_before",
    "gru_masked_right",
    "gru_relu_hard_sigmoid",
)
ONNX = ("peephole_forward", "peephole_bidirectional")


@pytest.fixture(scope="module")
def golden(golden_vectors: Path) -> dict[str, Any]:
    with np.load(golden_vectors / "recurrent.npz") as archive:
        return dict(archive)


def case(golden: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    index = json.loads(golden["index"].tobytes())
    described = next(case for case in index["cases"] if case["name"] == name)
    prefix = f"{name}."
    arrays = {key.removeprefix(prefix): torch.from_numpy(golden[key]) for key in golden if key.startswith(prefix)}
    return described, arrays


def test_every_case_is_here(golden: dict[str, Any]) -> None:
    index = json.loads(golden["index"].tobytes())
    assert {case["name"] for case in index["cases"]} == {*KERAS, *ONNX}


def from_keras(kernel: Tensor, gru: bool) -> Tensor:
    """Turn Keras' ``[..., gates · H]`` into torch's ``[gates · H, ...]``: z, r, h become r, z, n; i, f, c, o stay."""
    blocks = list(kernel.chunk(3 if gru else 4, dim=-1))
    if gru:
        blocks[0], blocks[1] = blocks[1], blocks[0]
    return torch.cat(blocks, dim=-1).mT if kernel.dim() > 1 else torch.cat(blocks)


def biases(bias: Tensor, gru: bool) -> tuple[Tensor, Tensor | None]:
    if bias.dim() == 2:
        return from_keras(bias[0], gru), from_keras(bias[1], gru)
    return from_keras(bias, gru), None


def layer_of(described: dict[str, Any], arrays: dict[str, Tensor]) -> nn.LSTM | nn.GRU:
    options = dict(described["options"])
    bias = options.pop("use_bias", True)
    kind = nn.LSTM if described["layer"] == "LSTM" else nn.GRU
    features, units = arrays["kernel"].shape[0], arrays["recurrent_kernel"].shape[0]
    layer: nn.LSTM | nn.GRU = kind(features, units, bias=bias, batch_first=True, **options)
    gru = kind is nn.GRU
    with torch.no_grad():
        layer.get_parameter("weight_ih_l0").copy_(from_keras(arrays["kernel"], gru))
        layer.get_parameter("weight_hh_l0").copy_(from_keras(arrays["recurrent_kernel"], gru))
        if bias:
            into_ih, into_hh = biases(arrays["bias"], gru)
            layer.get_parameter("bias_ih_l0").copy_(into_ih)
            layer.get_parameter("bias_hh_l0").copy_(torch.zeros_like(into_ih) if into_hh is None else into_hh)
    return layer


@pytest.mark.parametrize("name", KERAS)
def test_keras(golden: dict[str, Any], name: str) -> None:
    described, arrays = case(golden, name)
    layer = layer_of(described, arrays)
    x = arrays["x"].requires_grad_()
    lengths = arrays["lengths"] if described["masked"] else None
    output, state = layer(x, lengths=lengths)
    states = state if isinstance(state, tuple) else (state,)
    valid = (torch.arange(x.shape[1]) < arrays["lengths"].unsqueeze(1)).unsqueeze(2)
    torch.testing.assert_close(output * valid, arrays["output"] * valid, rtol=0, atol=1e-5)
    for key, value in zip(("h", "c"), states, strict=False):
        torch.testing.assert_close(value[0], arrays[key], rtol=0, atol=1e-5)

    total = (torch.sin(output) * valid).sum() + torch.stack([torch.cos(value).sum() for value in states]).sum()
    total.backward()  # type: ignore[no-untyped-call]
    gru = described["layer"] == "GRU"
    expected = {"weight_ih_l0": from_keras(arrays["grad_kernel"], gru)}
    expected["weight_hh_l0"] = from_keras(arrays["grad_recurrent_kernel"], gru)
    if "grad_bias" in arrays:
        into_ih, into_hh = biases(arrays["grad_bias"], gru)
        expected |= {"bias_ih_l0": into_ih} if into_hh is None else {"bias_ih_l0": into_ih, "bias_hh_l0": into_hh}
    gradients = {key: layer.get_parameter(key).grad for key in expected}
    for key, value in [*expected.items(), ("x", arrays["grad_x"])]:
        gradient = x.grad if key == "x" else gradients[key]
        assert gradient is not None
        assert (gradient - value).norm() <= 1e-4 * value.norm(), key


def from_onnx(tensor: Tensor) -> Tensor:
    """Turn i, o, f, c into i, f, g, o."""
    i, o, f, c = tensor.chunk(4)
    return torch.cat((i, f, c, o))


@pytest.mark.parametrize("name", ONNX)
def test_onnx_peepholes(golden: dict[str, Any], name: str) -> None:
    _, arrays = case(golden, name)
    directions, _, features = arrays["W"].shape
    units = arrays["R"].shape[2]
    layer = nn.LSTM(features, units, bidirectional=directions == 2, peephole=True)
    with torch.no_grad():
        for direction, suffix in zip(range(directions), ("", "_reverse"), strict=False):
            into_ih, into_hh = arrays["B"][direction].chunk(2)
            i, o, f = arrays["P"][direction].chunk(3)
            layer.get_parameter(f"weight_ih_l0{suffix}").copy_(from_onnx(arrays["W"][direction]))
            layer.get_parameter(f"weight_hh_l0{suffix}").copy_(from_onnx(arrays["R"][direction]))
            layer.get_parameter(f"bias_ih_l0{suffix}").copy_(from_onnx(into_ih))
            layer.get_parameter(f"bias_hh_l0{suffix}").copy_(from_onnx(into_hh))
            layer.get_parameter(f"weight_peephole_l0{suffix}").copy_(torch.cat((i, f, o)))
    output, (h_n, c_n) = layer(arrays["X"], lengths=arrays["lengths"])
    expected = arrays["Y"].permute(0, 2, 1, 3).flatten(2)  # [time, batch, directions · unit]
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(h_n, arrays["Yh"], rtol=0, atol=1e-5)
    torch.testing.assert_close(c_n, arrays["Yc"], rtol=0, atol=1e-5)
