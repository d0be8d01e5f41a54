"""JSON as strangers write it: a tree of values with some of them swapped for what nobody expects there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

__all__ = ["WORDS", "mutated", "paths", "text_of", "weird"]

Path = tuple[str | int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]

#: Names that mean something in one place or another of our files and requests.
WORDS = (
    "lstm", "gru", "direct", "recursive", "encoder_decoder", "segments", "smoothing", "none", "season", "last",
    "point", "quantiles", "gaussian", "student_t", "negative_binomial", "mse", "mae", "boxcox", "log1p", "robust",
    "standard", "window", "series", "train", "y", "ds", "unique_id", "D", "h", "parallel", "convolution", "dilated",
    "self_attention", "recurrent", "autoencoder", "prediction", "spot", "dynamic", "contamination", "words",
    "characters", "subwords", "iob2", "iobes", "keras", "torch", "orthogonal", "batch", "layer", "mean_max",
    "attention", "forecaster", "tagger", "text_classifier", "anomaly_detector", "FP32", "FP64", "INT64", "BYTES",
    "values", "cuda", "../../etc/passwd", "kind",
)  # fmt: skip
_INTEGERS = (
    0, -1, 1, 2, 3, 5, 7, 12, 64, 1_000, 10**5, 10**6, 10**7, 10**8, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63,
    2**64, 10**18, 10**30, 10**400, -(2**31), -(2**63), -(10**30),
)  # fmt: skip
_FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 1.5, 1e-9, 5e-324, 1e15, 1e17, 1e300, -1e308, float("nan"), float("inf"), -1e-3)
_NESTED = re.compile(r'"@(\d+)@"')
_TEXTS = ("", " ", "x" * 100_000, "\ud800", "\0", "é", "0", "-1", "1e999", "nan", "true", "2024-01-01", "\u202e", "a/b")


def weird() -> st.SearchStrategy[Any]:
    """Give values that no place of a description or a request is made for."""
    nested = st.sampled_from((2, 60, 500, 950, 5_000)).map("@{}@".format)  # see `text_of`
    flat: st.SearchStrategy[Any] = st.one_of(
        st.sampled_from(_INTEGERS),
        st.integers(-20, 2_000),
        st.sampled_from(_FLOATS),
        st.floats(),
        st.sampled_from(_TEXTS),
        st.sampled_from(WORDS),
        st.text(max_size=8),
        st.sampled_from((None, True, False)),
    )
    lists = st.lists(flat, max_size=4)
    long = st.tuples(flat, st.sampled_from((50, 2_000))).map(lambda pair: [pair[0]] * pair[1])
    tables = st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), flat, max_size=3)
    return st.one_of(flat, flat, flat, lists, tables, long, nested)


def paths(tree: Any, here: Path = ()) -> Iterator[Path]:
    """Give the place of every value in a tree, that of the tree itself first."""
    yield here
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from paths(value, (*here, key))


def mutated(draw: Draw, tree: Any, places: Sequence[Path], most: int = 4) -> Any:
    """Give a copy of a tree with up to ``most`` of the values at ``places`` changed, dropped, doubled or swapped."""
    made = copy.deepcopy(tree)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, most)))):
        path = draw(st.sampled_from(places))
        made = _changed(draw, made, path, places)
    return made


def _changed(draw: Draw, tree: Any, path: Path, places: Sequence[Path]) -> Any:
    try:
        parent = _at(tree, path[:-1])
        value = parent[path[-1]] if path else tree
        if path and isinstance(parent, str):
            return tree
    except (KeyError, IndexError, TypeError):  # an earlier change has taken it away
        return tree
    action = draw(st.sampled_from(("replace", "near", "near", "near", "drop", "double", "wrap", "swap", "add")))
    if action == "swap":
        try:
            new = copy.deepcopy(_at(tree, draw(st.sampled_from(places))))
        except (KeyError, IndexError, TypeError):
            return tree
    else:
        new = _new(draw, action, value)
    if not path:
        return new
    if action == "drop":
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return tree


def _new(draw: Draw, action: str, value: Any) -> Any:
    if action == "near":
        return _near(draw, value)
    if action == "double" and isinstance(value, list | str):
        return value * draw(st.sampled_from((2, 3, 200)))
    if action == "wrap":
        return draw(st.sampled_from(([value], {"kind": value}, [value, value])))
    if action == "add" and isinstance(value, dict):
        return {**value, draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=5))): draw(weird())}
    if action == "add" and isinstance(value, list):
        return [*value, draw(weird())]
    return draw(weird())


def _near(draw: Draw, value: Any) -> Any:
    """Give another value of about the same kind, which a check of types lets pass."""
    if isinstance(value, bool) or value is None:
        return draw(st.sampled_from((True, False, None, 1, 2)))
    if isinstance(value, int):
        return draw(st.one_of(st.sampled_from(_INTEGERS), st.integers(0, 200), st.sampled_from((value + 1, value - 1))))
    if isinstance(value, float):
        return draw(st.one_of(st.sampled_from(_FLOATS), st.floats(), st.floats(0, 1)))
    if isinstance(value, str):
        return draw(st.one_of(st.sampled_from(WORDS), st.sampled_from(_TEXTS), st.text(max_size=8)))
    if isinstance(value, list) and value:
        return draw(st.sampled_from((value[1:], value[:-1], value[::-1], [*value, value[0]], [value[0]] * 40)))
    return draw(weird())


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def text_of(tree: Any) -> str:
    """Write a tree as JSON; what Python could not hold, being nested too deeply, is put in now."""
    return _NESTED.sub(lambda match: _nested(int(match[1])), json.dumps(tree, sort_keys=True))


def _nested(depth: int) -> str:
    opening = "".join('{"kind": ' if level % 7 == 3 else "[" for level in range(depth))
    return (
        opening + "0" + "".join("]" if bracket == "[" else "}" for bracket in reversed(opening.replace('"kind": ', "")))
    )
