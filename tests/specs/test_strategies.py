"""What a description of a strategy can be, and what it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Direct, EncoderDecoder, Recursive, Segments, Smoothing, from_tagged, to_dict
from tidegate.specs.strategies import STRATEGIES, resolve_strategy


def test_a_name_is_short_for_the_defaults() -> None:
    assert resolve_strategy("direct") == Direct()
    assert [resolve_strategy(name) for name in STRATEGIES] == [
        Direct(),
        Recursive(),
        EncoderDecoder(),
        Segments(),
        Smoothing(),
    ]
    chosen = Recursive(samples=7)
    assert resolve_strategy(chosen) is chosen


@pytest.mark.parametrize(
    "spec",
    [
        Direct(segment=24, highway=48, experts=3, channels="independent"),
        Recursive(samples=10),
        EncoderDecoder(attention=False),
        Segments(length=6, dropout=0.1, highway=12, channels="joint"),
        Smoothing(seasons=(7,), per_series=False),
    ],
)
def test_it_comes_back_from_a_plain_dict(spec: Any) -> None:
    described = to_dict(spec)
    assert described["kind"] == spec.kind
    assert from_tagged(described, tuple(STRATEGIES.values())) == spec


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (
            "magic",
            "strategy must be one of 'direct', 'recursive', 'encoder_decoder', 'segments', 'smoothing'; got 'magic'",
        ),
        (
            Direct,
            "strategy must be a name (direct, recursive, encoder_decoder, segments, smoothing) or one of Direct, "
            f"Recursive, EncoderDecoder, Segments, Smoothing; got {Direct!r}",
        ),
    ],
)
def test_what_is_no_strategy(strategy: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_strategy(strategy)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (Direct, {"segment": 0}, "segment must be a whole number of at least 1; got 0"),
        (Direct, {"highway": -1}, "highway must be a whole number of at least 0; got -1"),
        (Direct, {"experts": 0}, "experts must be a whole number of at least 1; got 0"),
        (
            Direct,
            {"experts": 2, "highway": 0},
            "experts=2 are linear maps of a highway, and highway is 0; give it steps",
        ),
        (Direct, {"channels": "apart"}, "channels must be one of 'joint', 'independent'; got 'apart'"),
        (Recursive, {"samples": 0}, "samples must be a whole number of at least 1; got 0"),
        (EncoderDecoder, {"attention": "yes"}, "attention must be one of True, False; got 'yes'"),
        (EncoderDecoder, {"channels": 1}, "channels must be one of 'joint', 'independent'; got 1"),
        (Segments, {"length": 0}, "length must be a whole number of at least 1; got 0"),
        (Segments, {"dropout": 1.0}, "dropout must be a probability, 0 ≤ dropout < 1; got 1.0"),
        (Segments, {"highway": 2.5}, "highway must be a whole number of at least 0; got 2.5"),
        (Segments, {"channels": None}, "channels must be one of 'joint', 'independent'; got None"),
    ],
)
def test_refusals(cls: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        cls(**options)
    assert str(caught.value) == message
