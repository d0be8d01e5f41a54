"""``tidegate::crf_decode``, the best path of a linear-chain conditional random field (Viterbi, 1967), as two ``Scan``s.

The first goes forward and keeps the best score of each label and where it came from, the second goes back along the
pointers. Scores are float64, as in `tidegate.kernels.crf_reference`. A step that counts in no row stands behind the
last one, so that both have a step to go where sequences have one only.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from onnxscript import ir

from tidegate.export.operators.body import Body, recorded
from tidegate.export.operators.nodes import constant, op, whole

__all__ = ["crf_decode"]

_DOUBLE, _FLOAT, _INT64, _BOOL = (
    int(kind) for kind in (ir.DataType.DOUBLE, ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL)
)
_ONE_MORE = (0, 0, 0, 1, 0, 0)  # step, at the end
_counter = itertools.count()


def crf_decode(emissions: Any, lengths: Any, transitions: Any, start: Any, end: Any) -> tuple[Any, Any]:
    """Translate a call of ``tidegate::crf_decode``: paths ``[batch, time]`` and their scores ``[batch]``."""
    labels = int(transitions.shape[0])
    inside = _inside(emissions, lengths)  # [time, batch, 1]
    scores = op.Cast(op.Transpose(emissions, perm=[1, 0, 2]), to=_DOUBLE)
    scores = op.Where(inside, scores, constant(np.zeros(1)))
    transitions, start, end = (op.Cast(part, to=_DOUBLE) for part in (transitions, start, end))
    first = op.Add(op.Squeeze(op.Slice(scores, whole([0]), whole([1]), whole([0])), whole([0])), start)
    counted = op.Pad(op.Cast(inside, to=_FLOAT), whole(_ONE_MORE))
    later, behind = (
        op.Slice(part, whole([1]), whole([2**31]), whole([0])) for part in (op.Pad(scores, whole(_ONE_MORE)), counted)
    )
    best, pointers = _forward(first, later, behind, transitions, labels=labels)
    best = op.Add(best, end)
    last = op.ArgMax(best, axis=1, keepdims=1)
    zeroth, tail = _back(last, pointers, behind)
    labelled = op.Concat(op.Unsqueeze(zeroth, whole([0])), tail, axis=0)  # one step more than there are
    path = op.Where(op.Greater(counted, constant(np.zeros(1, np.float32))), labelled, whole([0]))
    path = op.Slice(path, whole([0]), whole([-1]), whole([0]))
    return op.Transpose(op.Squeeze(path, whole([2])), perm=[1, 0]), _scores(best, lengths, emissions)


def _inside(emissions: Any, lengths: Any) -> Any:
    steps = op.Range(whole(0), op.Squeeze(op.Shape(emissions, start=1, end=2)), whole(1))
    if lengths is None:
        lengths = op.Expand(op.Shape(emissions, start=1, end=2), op.Shape(emissions, start=0, end=1))
    return op.Unsqueeze(op.Less(op.Unsqueeze(steps, whole([1])), lengths), whole([2]))


def _forward(first: Any, scores: Any, counted: Any, transitions: Any, *, labels: int) -> tuple[Any, Any]:
    """Give the best scores after the last step, ``[batch, label]``, and pointers ``[time, batch, label]``."""
    body = Body(f"viterbi_{next(_counter)}")
    best = body.input(ir.DataType.DOUBLE, (None, labels))
    emission = body.input(ir.DataType.DOUBLE, (None, labels))
    now = body.op("Cast", body.input(ir.DataType.FLOAT, (None, 1)), to=_BOOL)
    axis = body.constant(np.array([2], np.int64))
    moves = body.add(body.op("Unsqueeze", best, axis), transitions)  # [batch, from, to]
    highest = body.op("ReduceMax", moves, body.constant(np.array([1], np.int64)), keepdims=0)
    pointer = body.op("ArgMax", moves, axis=1, keepdims=0)
    after = body.op("Where", now, body.add(highest, emission), best)
    results = recorded(
        "Scan",
        [first, scores, counted],
        outputs=2,
        body=body.graph([after, pointer]),
        num_scan_inputs=2,
    )
    return results[0], results[1]


def _back(last: Any, pointers: Any, counted: Any) -> tuple[Any, Any]:
    """Follow the pointers: the label of the first step, ``[batch, 1]``, and those after it, ``[time, batch, 1]``."""
    body = Body(f"viterbi_{next(_counter)}")
    label = body.input(ir.DataType.INT64, (None, 1))
    pointer = body.op("Cast", body.input(ir.DataType.FLOAT, (None, None)), to=_INT64)
    now = body.op("Cast", body.input(ir.DataType.FLOAT, (None, 1)), to=_BOOL)
    came = body.op("GatherElements", pointer, label, axis=1)
    before = body.op("Where", now, came, label)
    results = recorded(
        "Scan",
        [last, op.Cast(pointers, to=_FLOAT), counted],
        outputs=2,
        body=body.graph([before, body.op("Identity", label)]),
        num_scan_inputs=2,
        scan_input_directions=[1, 1],
        scan_output_directions=[1],
    )
    return results[0], results[1]


def _scores(best: Any, lengths: Any, emissions: Any) -> Any:
    found = op.ReduceMax(best, whole([1]), keepdims=0)
    if lengths is not None:
        found = op.Where(op.Greater(lengths, whole([0])), found, constant(np.zeros(1)))
    return op.CastLike(found, emissions)
