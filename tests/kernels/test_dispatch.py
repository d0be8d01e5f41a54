"""Which implementation runs, and why."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from tidegate import nn
from tidegate.kernels import explain
from tidegate.kernels.dispatch import TIDEGATE, TORCH, choose

LENGTHS = torch.tensor([6, 2, 4])


def test_plain_cells_run_on_torch() -> None:
    assert choose((), steps=3).implementation == TORCH
    assert choose((), steps=3, shortest=1).implementation == TORCH


@pytest.mark.parametrize(
    ("beyond", "steps", "shortest", "reason"),
    [
        (("peephole", "layer_norm"), 3, None, "torch's own kernels lack peephole, layer_norm"),
        ((), 0, None, "torch's own kernels refuse a sequence without steps"),
        ((), 3, 0, "torch's own kernels refuse a length of 0"),
    ],
)
def test_the_rest_runs_on_the_operators(beyond: tuple[str, ...], steps: int, shortest: int | None, reason: str) -> None:
    assert choose(beyond, steps=steps, shortest=shortest) == (TIDEGATE, reason)


@pytest.mark.parametrize(
    ("options", "call", "implementation", "reason"),
    [
        ({}, {}, "torch", "a plain cell"),
        ({"recurrent_dropout": 0.5}, {}, "tidegate", "recurrent_dropout"),
        ({"input_dropout": 0.5}, {}, "torch", "a plain cell"),
        ({"input_dropout": 0.5, "bidirectional": True}, {}, "tidegate", "input_dropout in two directions"),
        (
            {"peephole": True, "activation": "relu"},
            {},
            "tidegate",
            "torch's own kernels lack activation='relu', peephole",
        ),
        ({}, {"lengths": LENGTHS}, "torch", "a plain cell"),
        ({}, {"lengths": torch.tensor([0, 1, 2])}, "tidegate", "a length of 0"),
        ({"bidirectional": True, "merge_mode": "ave"}, {}, "torch", "a plain cell"),
        ({"stateful": True, "go_backwards": True, "return_sequences": False}, {}, "torch", "a plain cell"),
    ],
)
def test_explain(options: dict[str, Any], call: dict[str, Any], implementation: str, reason: str) -> None:
    explanation = explain(nn.LSTM(4, 5, **options), torch.zeros(6, 3, 4), **call)
    assert explanation.implementation == implementation
    assert reason in explanation.reason
    assert str(explanation).startswith(f"LSTM runs on {implementation} (torch.float32, cpu): ")


def test_explain_takes_packed_sequences() -> None:
    explanation = explain(nn.GRU(4, 5).double(), pack_sequence([torch.zeros(3, 4, dtype=torch.float64)]))
    assert str(explanation) == (
        "GRU runs on torch (torch.float64, cpu): a plain cell: torch's own kernels compute exactly this"
    )
