"""Refusals of the constructors, each by name."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tidegate import nn
from tidegate.errors import SpecError

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("LSTM", {"go_backwards": True, "bidirectional": True}, "go_backwards cannot go together with bidirectional"),
    ("GRU", {"stateful": True, "bidirectional": True}, "stateful cannot go together with bidirectional"),
    ("LSTM", {"merge_mode": "sum"}, "merge_mode='sum' merges two directions; set bidirectional=True or leave it out"),
    ("GRU", {"layer_norm": True, "reset_after": False}, "layer_norm cannot go together with reset_after=False"),
    ("LSTM", {"unit_forget_bias": True, "bias": False}, "unit_forget_bias needs a bias"),
    ("LSTM", {"proj_size": 5}, "proj_size must be less than hidden_size, which is 5; got 5"),
    ("LSTM", {"proj_size": -1}, "proj_size must be a whole number of at least 0; got -1"),
    ("GRU", {"num_layers": 0}, "num_layers must be a whole number of at least 1; got 0"),
    ("GRU", {"dropout": 1.5, "num_layers": 2}, "dropout must be a probability, 0 ≤ dropout ≤ 1; got 1.5"),
    ("GRU", {"dropout": True}, "dropout must be a probability, 0 ≤ dropout ≤ 1; got True"),
    ("LSTM", {"bias": 1}, "bias must be True or False; got 1"),
    ("LSTM", {"peephole": "yes"}, "peephole must be True or False; got 'yes'"),
    ("LSTM", {"unit_forget_bias": 1}, "unit_forget_bias must be True or False; got 1"),
    ("LSTM", {"activation": "swish"}, "activation must be one of 'tanh', "),
    ("GRU", {"recurrent_activation": "elu"}, "recurrent_activation must be one of 'tanh', "),
    ("LSTM", {"merge_mode": "max", "bidirectional": True}, "merge_mode must be one of 'concat', 'sum', 'mul', 'ave'"),
    ("LSTM", {"init": "zeros"}, "init must be one of 'torch', 'keras', "),
    *(
        ("LSTM", {name: 1.0}, f"{name} must be a probability, 0 ≤ {name} < 1; got 1.0")
        for name in ("input_dropout", "recurrent_dropout", "zoneout_hidden", "zoneout_cell")
    ),
]


@pytest.mark.parametrize(("kind", "options", "message"), REFUSED)
def test_refused_by_name(kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        getattr(nn, kind)(4, 5, **options)


@pytest.mark.parametrize("name", ["input_size", "hidden_size"])
@pytest.mark.parametrize("value", [0, -3, 2.5, True])
def test_sizes(name: str, value: Any) -> None:
    sizes = {"input_size": 4, "hidden_size": 5} | {name: value}
    with pytest.raises(SpecError, match=f"{name} must be a whole number of at least 1; got {value}"):
        nn.LSTM(**sizes)


@pytest.mark.parametrize("option", ["peephole", "zoneout_cell", "unit_forget_bias", "proj_size"])
def test_a_gru_has_no_cell(option: str) -> None:
    kind: Any = nn.GRU
    with pytest.raises(TypeError, match=option):
        kind(4, 5, **{option: 1})


def test_dropout_with_one_layer_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"there is one layer only; got dropout=0.5 and num_layers=1") as caught:
        nn.GRU(4, 5, dropout=0.5)
    assert caught[0].filename == __file__
