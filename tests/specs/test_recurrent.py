"""What a recurrent network can be, and what it cannot."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Recurrent


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "rnn"}, "cell must be one of 'lstm', 'gru'; got 'rnn'"),
        ({"activation": "gelu"}, "activation must be one of 'tanh', 'sigmoid', 'hard_sigmoid', 'relu', "),
        ({"init": "zeros"}, "init must be one of 'torch', 'keras', 'xavier', 'he', 'orthogonal'; got 'zeros'"),
        ({"norm": "group"}, "norm must be one of None, 'layer', 'batch'; got 'group'"),
        ({"dropout": 1.0}, "dropout must be a probability, 0 ≤ dropout < 1; got 1.0"),
        ({"input_dropout": -0.1}, "input_dropout must be a probability, 0 ≤ input_dropout < 1; got -0.1"),
        ({"recurrent_dropout": "x"}, "recurrent_dropout must be a finite number; got 'x'"),
        ({"bidirectional": "false"}, "bidirectional must be one of True, False; got 'false'"),
        ({"peephole": None}, "peephole must be one of True, False; got None"),
        ({"layer_norm": 3}, "layer_norm must be one of True, False; got 3"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1; got 0"),
        ({"hidden_size": 2.0}, "hidden_size must be a whole number of at least 1; got 2.0"),
        ({"hidden_size": (8, -1)}, "hidden_size must be a whole number of at least 1; got -1"),
        ({"hidden_size": ()}, "hidden_size must be a whole number or at least one of them; got ()"),
        (
            {"hidden_size": (8, 4), "num_layers": 3},
            "num_layers is 3, but hidden_size gives 2 layers: (8, 4); leave num_layers out",
        ),
        (
            {"cell": "gru", "peephole": True},
            "peephole belongs to the LSTM, which has a cell state to look at; cell is 'gru'",
        ),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        Recurrent(**options)


@pytest.mark.parametrize(
    ("options", "sizes", "output"),
    [
        ({"hidden_size": 8}, (8,), 8),
        ({"hidden_size": 8, "num_layers": 3, "bidirectional": True}, (8, 8, 8), 16),
        ({"hidden_size": (8, 4), "num_layers": 2}, (8, 4), 4),
        ({"hidden_size": (8, 4), "bidirectional": True}, (8, 4), 8),
    ],
)
def test_sizes(options: dict[str, Any], sizes: tuple[int, ...], output: int) -> None:
    spec = Recurrent(**options)
    assert (spec.sizes, spec.output_size) == (sizes, output)


def test_a_vast_number_of_layers_costs_nothing_to_describe() -> None:
    assert Recurrent(num_layers=10**12).num_layers == 10**12


def test_it_is_frozen_and_by_keyword_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recurrent().cell = "gru"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Recurrent("gru")  # type: ignore[call-arg]
