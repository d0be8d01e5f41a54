"""The options of a cell and their order in the schemas."""

from __future__ import annotations

import pytest

from tidegate.errors import SpecError
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, Activation, CellOptions
from tidegate.specs.recurrent import ACTIVATIONS


def test_activations_are_those_of_the_specs() -> None:
    assert tuple(Activation.named("activation", name).name.lower() for name in ACTIVATIONS) == ACTIVATIONS


def test_activation_codes_never_change() -> None:
    assert {member.name: int(member) for member in Activation} == {
        "TANH": 0,
        "SIGMOID": 1,
        "HARD_SIGMOID": 2,
        "RELU": 3,
        "SOFTSIGN": 4,
        "LINEAR": 5,
    }


def test_unknown_activation_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match=r"recurrent_activation must be one of 'tanh', .*; got 'gelu'"):
        Activation.named("recurrent_activation", "gelu")


def test_options_survive_the_schema() -> None:
    options = CellOptions(activation=Activation.RELU, zoneout_cell=0.5, reverse=True, return_sequences=False)
    values = options.arguments(LSTM_OPTIONS)
    assert values == (3, 1, 0.0, 0.5, False, True, False)
    assert CellOptions.from_arguments(LSTM_OPTIONS, values) == options
    gru = CellOptions(reset_after=False, batch_first=True)
    assert gru.arguments(GRU_OPTIONS) == (0, 1, 0.0, False, True, False, True)
    assert CellOptions.from_arguments(GRU_OPTIONS, gru.arguments(GRU_OPTIONS)) == gru
