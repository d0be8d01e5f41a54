"""What stands beside recurrent layers, and what makes a network."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Convolution, Dilated, Parallel, Recurrent, SelfAttention, from_tagged, to_dict
from tidegate.specs.parts import PARTS, flat_parts, network_parts


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        (Convolution, {"channels": 0}, "channels must be a whole number of at least 1; got 0"),
        (Convolution, {"kernel_size": 2.5}, "kernel_size must be a whole number of at least 1; got 2.5"),
        (Convolution, {"layers": -1}, "layers must be a whole number of at least 1; got -1"),
        (Convolution, {"dilation": True}, "dilation must be a whole number of at least 1; got True"),
        (Convolution, {"activation": "gelu"}, "activation must be one of 'tanh', 'sigmoid', 'hard_sigmoid', 'relu', "),
        (Convolution, {"causal": 1.5}, "causal must be one of True, False; got 1.5"),
        (Convolution, {"norm": "layer"}, "norm must be one of None, 'batch'; got 'layer'"),
        (Parallel, {"branches": (Dilated(),)}, "branches must be two at least, each a part or a tuple of parts; got "),
        (Parallel, {"branches": [Dilated(), Dilated()]}, "branches must be two at least, each a part or a tuple of "),
        (
            Parallel,
            {"branches": (Dilated(), "fcn")},
            "a branch is a part (Recurrent, Convolution, Dilated, SelfAttention, Parallel) or a tuple of them; "
            "got 'fcn'",
        ),
        (Parallel, {"branches": (Dilated(), ())}, "a branch must have one part at least; got ()"),
        (Dilated, {"cell": "rnn"}, "cell must be one of 'lstm', 'gru'; got 'rnn'"),
        (Dilated, {"hidden_size": (8, 4)}, "hidden_size must be a whole number of at least 1; got (8, 4)"),
        (Dilated, {"dilations": ()}, "dilations must be one whole number a layer, such as (1, 2, 4); got ()"),
        (Dilated, {"dilations": 4}, "dilations must be one whole number a layer, such as (1, 2, 4); got 4"),
        (Dilated, {"dilations": (1, 0)}, "each of dilations must be a whole number of at least 1; got 0"),
        (Dilated, {"residual": "no"}, "residual must be one of True, False; got 'no'"),
        (Dilated, {"dropout": 1.0}, "dropout must be a probability, 0 ≤ dropout < 1; got 1.0"),
        (SelfAttention, {"heads": 0}, "heads must be a whole number of at least 1; got 0"),
        (SelfAttention, {"layers": "2"}, "layers must be a whole number of at least 1; got '2'"),
        (SelfAttention, {"feed_forward": 0}, "feed_forward must be a whole number of at least 1; got 0"),
        (SelfAttention, {"dropout": -0.5}, "dropout must be a probability, 0 ≤ dropout < 1; got -0.5"),
        (SelfAttention, {"causal": None}, "causal must be one of True, False; got None"),
    ],
)
def test_refusals(part: type, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        part(**options)


@pytest.mark.parametrize("part", [Convolution, Dilated, SelfAttention])
def test_they_are_frozen_and_by_keyword_only(part: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        part().dropout = 0.5
    with pytest.raises(TypeError):
        part(3)
    assert hash(part()) == hash(part())


def test_output_size() -> None:
    assert Dilated(hidden_size=8).output_size == 8


def test_the_parts_of_a_network() -> None:
    convolution, recurrent, attention = Convolution(), Recurrent(), SelfAttention()
    assert network_parts(recurrent) == (recurrent,)
    assert network_parts(Dilated()) == (Dilated(),)
    assert network_parts((convolution, recurrent, attention)) == (convolution, recurrent, attention)


def test_branches_count_as_parts() -> None:
    convolution, recurrent, attention = Convolution(causal=False, norm="batch"), Recurrent(), SelfAttention()
    branches = Parallel(branches=(recurrent, (convolution, Parallel(branches=(attention, Dilated())))))
    assert network_parts(branches) == (branches,)
    assert flat_parts((branches, attention)) == (recurrent, convolution, attention, Dilated(), attention)
    assert hash(branches) == hash(dataclasses.replace(branches))


def test_branches_come_back_from_json() -> None:
    branches = Parallel(branches=(Recurrent(hidden_size=(8, 4)), (Convolution(norm="batch"), SelfAttention())))
    described = json.loads(json.dumps(to_dict(branches)))
    assert from_tagged(described, PARTS) == branches


def test_a_convolution_of_before_there_were_norms_comes_back() -> None:
    described = {"kind": "convolution", "channels": 8, "kernel_size": 3, "layers": 1, "dilation": 1}
    assert from_tagged({**described, "activation": "relu"}, PARTS) == Convolution(channels=8, causal=True, norm=None)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ((), "a network needs a recurrent part, a Recurrent or a Dilated; got no part at all"),
        (Convolution(), "a network needs a recurrent part, a Recurrent or a Dilated; got Convolution"),
        (
            (Convolution(), SelfAttention()),
            "a network needs a recurrent part, a Recurrent or a Dilated; got Convolution, SelfAttention",
        ),
        (
            Parallel(branches=(Convolution(), SelfAttention())),
            "a network needs a recurrent part, a Recurrent or a Dilated; got Parallel",
        ),
        (
            "lstm",
            "a network is a Recurrent, a Dilated, or a tuple of parts (Recurrent, Convolution, Dilated, "
            "SelfAttention, Parallel); got 'lstm'",
        ),
        (
            (Recurrent(), 3),
            "a network is a Recurrent, a Dilated, or a tuple of parts (Recurrent, Convolution, Dilated, "
            "SelfAttention, Parallel); got 3",
        ),
        (
            [Recurrent(hidden_size=1)],
            "a network is a Recurrent, a Dilated, or a tuple of parts (Recurrent, Convolution, Dilated, "
            "SelfAttention, Parallel); got [Recurrent(",
        ),
    ],
)
def test_what_is_no_network(network: Any, message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        network_parts(network)
