"""What a tagger reads of words, and how tags write spans: descriptions that go to JSON and back, and refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Convolution, Recurrent, TagSchemes, WordFeatures, from_dict, to_dict


@pytest.mark.parametrize(
    "spec",
    [
        WordFeatures(),
        WordFeatures(characters=None, affixes=(), shape=False, context=100),
        WordFeatures(characters=Convolution(channels=3)),
        WordFeatures(characters=Recurrent(hidden_size=(3, 2))),
        TagSchemes(given="iob1", learned="iob2", predicted="iobes", repair=True),
    ],
)
def test_there_and_back(spec: Any) -> None:
    assert from_dict(type(spec), json.loads(json.dumps(to_dict(spec)))) == spec


def test_slots() -> None:
    assert WordFeatures(affixes=(1, 2, 3)).slots == 7
    assert WordFeatures(affixes=(), shape=False).slots == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "size must be a whole number of at least 1; got 0"),
        ({"buckets": 2**25}, "buckets must be at most 16777216; got 33554432"),
        ({"context": -1}, "context must be a whole number of at least 0; got -1"),
        ({"affixes": [2]}, r"affixes must be lengths such as \(2, 3\), or \(\); got \[2\]"),
        ({"affixes": (0,)}, "each of affixes must be a whole number of at least 1; got 0"),
        ({"characters": "lstm"}, r"characters must be a Recurrent\(…\), a Convolution\(…\) or None; got 'lstm'"),
        ({"unknown": -1}, "unknown must be at least 0; got -1"),
        ({"lower": "no"}, "lower must be one of True, False; got 'no'"),
    ],
)
def test_words_that_cannot_be_read_so(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        WordFeatures(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"given": "bilou"}, "given must be one of 'auto', 'iob1', 'iob2', 'iobes'; got 'bilou'"),
        ({"learned": "iob1"}, "learned must be one of 'iob2', 'iobes'; got 'iob1'"),
        ({"predicted": "auto"}, "predicted must be one of None, 'iob1', 'iob2', 'iobes'; got 'auto'"),
        ({"repair": 2}, "repair must be one of True, False; got 2"),
    ],
)
def test_schemes_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        TagSchemes(**options)
