"""Specs to JSON and back, strictly."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.errors import SpecError
from tidegate.specs import (
    Columns,
    Convolution,
    Dilated,
    Optimizer,
    Recurrent,
    Scaling,
    SelfAttention,
    Training,
    from_dict,
    from_tagged,
    to_dict,
)
from tidegate.specs.base import plain
from tidegate.specs.parts import PARTS
from tidegate.specs.recurrent import ACTIVATIONS, INITS
from tidegate.specs.scaling import LOCATIONS, METHODS, TRANSFORMS
from tidegate.specs.training import OPTIMIZERS, PRECISIONS, SCHEDULES

SHARES = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, 1e30, exclude_min=True)
WHOLE = st.integers(1, 10**6)
NAMES = st.text(min_size=1, max_size=8)


@st.composite
def recurrents(draw: st.DrawFn) -> Recurrent:
    cell = draw(st.sampled_from(["lstm", "gru"]))
    sizes = draw(WHOLE | st.lists(WHOLE, min_size=1, max_size=3).map(tuple))
    return Recurrent(
        cell=cell,
        hidden_size=sizes,
        num_layers=draw(st.integers(1, 4)) if isinstance(sizes, int) else draw(st.sampled_from([1, len(sizes)])),
        bidirectional=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        dropout=draw(SHARES),
        input_dropout=draw(SHARES),
        recurrent_dropout=draw(SHARES),
        peephole=draw(st.booleans()) if cell == "lstm" else False,
        layer_norm=draw(st.booleans()),
        norm=draw(st.sampled_from([None, "layer", "batch"])),
        init=draw(st.sampled_from(INITS)),
    )


CONVOLUTIONS = st.builds(
    Convolution,
    channels=WHOLE,
    kernel_size=WHOLE,
    layers=WHOLE,
    dilation=WHOLE,
    activation=st.sampled_from(ACTIVATIONS),
)
DILATEDS = st.builds(
    Dilated,
    cell=st.sampled_from(["lstm", "gru"]),
    hidden_size=WHOLE,
    dilations=st.lists(WHOLE, min_size=1, max_size=3).map(tuple),
    residual=st.booleans(),
    dropout=SHARES,
)
ATTENTIONS = st.builds(
    SelfAttention,
    heads=WHOLE,
    layers=WHOLE,
    feed_forward=st.none() | WHOLE,
    dropout=SHARES,
    causal=st.booleans(),
)


@st.composite
def optimizers(draw: st.DrawFn) -> Optimizer:
    name = draw(st.sampled_from(OPTIMIZERS))
    momentum = draw(SHARES) if name in ("sgd", "rmsprop") else 0.0
    return Optimizer(name, weight_decay=draw(st.floats(0, 10)), momentum=momentum)


TRAININGS = st.builds(
    Training,
    epochs=st.none() | WHOLE,
    max_steps=st.none() | WHOLE,
    batch_size=WHOLE,
    validation=SHARES,
    patience=st.none() | WHOLE,
    optimizer=optimizers() | st.sampled_from(OPTIMIZERS),
    learning_rate=POSITIVE,
    schedule=st.sampled_from(SCHEDULES),
    clip_norm=st.none() | POSITIVE,
    clip_value=st.none() | POSITIVE,
    accumulate=WHOLE,
    precision=st.sampled_from(PRECISIONS),
)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    frequency = draw(st.none() | WHOLE | st.sampled_from(["h", "D", "MS"]))
    return Columns(id=names[0], time=names[1], targets=tuple(names[2:]), frequency=frequency)


@st.composite
def scalings(draw: st.DrawFn) -> Scaling:
    transform = draw(st.sampled_from(TRANSFORMS))
    power = draw(st.none() | st.floats(-5, 5)) if transform == "boxcox" else None
    method, output = draw(st.sampled_from(METHODS)), draw(st.sampled_from(LOCATIONS))
    return Scaling(transform=transform, power=power, method=method, output=output)


@given(recurrents() | CONVOLUTIONS | DILATEDS | ATTENTIONS | TRAININGS | optimizers() | columns() | scalings())
def test_to_json_and_back(spec: Any) -> None:
    text = json.dumps(to_dict(spec), allow_nan=False)
    back = from_dict(type(spec), json.loads(text))
    assert back == spec
    assert hash(back) == hash(spec)  # no list has slipped in
    assert json.dumps(to_dict(back)) == text


@given(recurrents() | CONVOLUTIONS | DILATEDS | ATTENTIONS)
def test_a_part_is_found_by_its_kind(spec: Any) -> None:
    fields = json.loads(json.dumps(to_dict(spec)))
    assert next(iter(fields)) == "kind"
    assert from_tagged(fields, PARTS) == spec


def test_kinds_are_names() -> None:
    assert [kind.kind for kind in PARTS] == ["recurrent", "convolution", "dilated", "self_attention", "parallel"]
    assert to_dict(Dilated(dilations=(3,))) == {
        "kind": "dilated",
        "cell": "lstm",
        "hidden_size": 64,
        "dilations": [3],
        "residual": True,
        "dropout": 0.0,
    }


def test_what_was_written_before_there_were_kinds_can_be_read() -> None:
    before = {"cell": "gru", "hidden_size": [8, 4]}
    spec = Recurrent(cell="gru", hidden_size=(8, 4))
    assert from_dict(Recurrent, before) == spec
    assert from_tagged(before, PARTS, untagged=Recurrent) == spec
    assert from_tagged({"kind": "dilated"}, PARTS, untagged=Recurrent) == Dilated()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cell": "gru"}, "kind must be one of 'dilated', 'convolution'; there is none"),
        ({"kind": "recurrent"}, "kind must be one of 'dilated', 'convolution'; got 'recurrent'"),
        ({"kind": ["dilated"]}, "kind must be one of 'dilated', 'convolution'; got ['dilated']"),
        ([1], "expected the fields of a spec by name, with a kind out of 'dilated', 'convolution'; got [1]"),
        ({"kind": "dilated", "channels": 3}, "Dilated has no field 'channels'; it has cell, dilations, "),
        ({"kind": "convolution", "layers": 0}, "layers must be a whole number of at least 1; got 0"),
    ],
)
def test_a_kind_that_may_not_stand_here_is_refused(fields: Any, message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}"):
        from_tagged(fields, (Dilated, Convolution))


def test_a_dict_of_another_kind_is_refused() -> None:
    with pytest.raises(
        SpecError, match=r"^expected the fields of a Recurrent, whose kind is 'recurrent'; got 'dilated'$"
    ):
        from_dict(Recurrent, {"kind": "dilated", "hidden_size": 8})
    with pytest.raises(SpecError, match=r"^Scaling has no field 'kind'; it has "):
        from_dict(Scaling, {"kind": "scaling"})


def test_numpys_numbers_become_plain() -> None:
    spec = Recurrent(hidden_size=(np.int64(4), np.int32(3)), dropout=np.float32(0.5), peephole=np.bool_(True))  # type: ignore[arg-type]
    given = to_dict(spec)
    assert json.loads(json.dumps(given)) == given
    assert (given["hidden_size"], given["dropout"], given["peephole"]) == ([4, 3], 0.5, True)
    assert type(given["hidden_size"][0]) is int
    assert type(given["peephole"]) is bool
    assert from_dict(Recurrent, given) == spec


def test_plain_values_stay_what_they_are() -> None:
    assert plain({"a": 1}) == {"a": 1}
    assert plain((1, "x", None, (2.5,))) == [1, "x", None, [2.5]]


@pytest.mark.parametrize("given", [Recurrent, 3, None, {"cell": "lstm"}])
def test_only_specs_are_described(given: Any) -> None:
    with pytest.raises(SpecError, match=rf"expected a spec \(a dataclass\), got {type(given).__name__}"):
        to_dict(given)


@pytest.mark.parametrize(
    "kind", [Columns, Convolution, Dilated, Optimizer, Recurrent, Scaling, SelfAttention, Training]
)
def test_unknown_fields_are_refused_by_name(kind: type) -> None:
    with pytest.raises(SpecError, match=rf"^{kind.__name__} has no field 'colour'; it has "):
        from_dict(kind, {"colour": 1})
    with pytest.raises(SpecError, match="has no field 1;"):
        from_dict(kind, {"zebra": 1, 1: 2})  # type: ignore[dict-item]


@pytest.mark.parametrize("given", [None, [1], "cell", 3])
def test_what_is_no_table_of_fields_is_refused(given: Any) -> None:
    with pytest.raises(SpecError, match=f"expected the fields of a Recurrent by name, got {type(given).__name__}"):
        from_dict(Recurrent, given)


def test_a_refused_value_is_refused_from_json_too() -> None:
    with pytest.raises(SpecError, match="hidden_size must be a whole number of at least 1; got 0"):
        from_dict(Recurrent, {"hidden_size": [8, 0]})
    with pytest.raises(SpecError, match="Optimizer has no field 'nam'"):
        from_dict(Training, {"optimizer": {"nam": "sgd"}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "kind", [Columns, Convolution, Dilated, Optimizer, Recurrent, Scaling, SelfAttention, Training]
)
@given(data=st.data())
def test_whatever_json_holds_is_taken_or_refused(kind: type, data: st.DataObject) -> None:
    """A model file from a stranger may hold anything: nothing but SpecError may come of it."""
    fields = to_dict(kind())
    name = data.draw(st.sampled_from(sorted(fields)))
    try:
        spec: Any = from_dict(kind, {**fields, name: data.draw(JSON)})
    except SpecError:
        return
    assert from_dict(kind, to_dict(spec)) == spec
