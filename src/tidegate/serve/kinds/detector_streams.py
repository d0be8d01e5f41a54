"""The streams of a detector: what a sequence keeps is the state of a `DetectorStream`, and values on their way to it.

A request is let in by the event loop and answered by the thread of the model. In between it may be given up; its values
are of the stream all the same. So a sequence keeps the values that the stream has not taken yet, each request carries
those before its own, and the thread skips what has been taken meanwhile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tidegate.anomaly import AnomalyDetector
from tidegate.anomaly.streaming import DetectorStream
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.served import Answer, Asked

__all__ = ["STREAM", "Streams"]

#: The name under which a sequence keeps its stream, beside the inputs of requests: none of those is called so.
STREAM = "~stream"
_START, _NEW = "~start", "~new"
_LARGEST = 1e15  # as a detector has it
_MOST = 16_384  # values of a request, and those that may wait before it: a client could give up request after request


@dataclasses.dataclass(eq=False)
class _State:
    """A stream, whose it is, and how many values it has taken; the thread of the model alone changes it."""

    stream: DetectorStream
    owner: Streams
    taken: int = 0


class Streams:
    """Continues and answers the streams of a detector.

    Parameters
    ----------
    model
        Fitted.
    """

    def __init__(self, model: AnomalyDetector) -> None:
        self._model = model
        self._least = model.network_.series_scaling.transform.least

    def continued(self, kept: Mapping[str, np.ndarray] | None, asked: Asked) -> dict[str, np.ndarray]:
        """Put the values of a request behind those that its stream has not taken yet.

        Raises
        ------
        RequestError
            If they are no values of a stream of this model.
        """
        values = self._checked(asked)
        if kept is None:
            state, start = _State(self._model.stream(), self), 0
            waiting = values
        else:
            state, start = kept[STREAM][0], int(kept[_START][0])
            if state.owner is not self:
                raise RequestError(
                    Status.UNFIT, "the model was replaced since the sequence began; begin it anew with sequence_start"
                )
            taken = state.taken  # once: the thread may be at it
            before = kept["values"][max(0, taken - start) :]
            if before.size > _MOST:
                raise RequestError(
                    Status.BUSY,
                    f"{before.size} values of the sequence wait already, of requests without an answer; wait for those "
                    "in the queue, or begin the sequence anew with sequence_start",
                )
            waiting = np.concatenate([before, values])
            start = max(start, taken)
        held = np.empty(1, object)
        held[0] = state
        return {"values": waiting, _START: np.array([start]), _NEW: np.array([len(values)]), STREAM: held}

    def run(self, parts: Mapping[str, Any]) -> Answer:
        """Give a score and a verdict for each of the new values, ``[1, step]``."""
        state, values = parts[STREAM][0], parts["values"]
        start, count = int(parts[_START][0]), int(parts[_NEW][0])
        score, found = np.full((1, count), np.nan), np.zeros((1, count), bool)
        for place in range(max(0, state.taken - start), len(values)):
            value = state.stream.score_one(values[place])
            state.taken += 1
            step = place - (len(values) - count)
            if step >= 0:
                score[0, step], found[0, step] = value, state.stream.is_anomaly
        return Answer(outputs={"score": score, "is_anomaly": found})

    def _checked(self, asked: Asked) -> np.ndarray:
        """Give the values ``[step, channel]`` of a request; what a stream would refuse never gets in."""
        given = asked.inputs.get("values")
        if given is None or len(given) != 1 or "lengths" in asked.inputs:
            raise RequestError(
                Status.INVALID, "a request of a sequence holds the values of one series, without 'lengths'"
            )
        if given.size > _MOST:
            raise RequestError(
                Status.LARGE, f"a request of a sequence holds at most {_MOST} values; it has {given.size}"
            )
        values: np.ndarray = given[0].astype(np.float64)
        if (np.abs(values) > _LARGEST).any():
            raise RequestError(
                Status.INVALID, f"input 'values' must hold finite numbers up to {_LARGEST:g}, NaN where missing"
            )
        if (values <= self._least).any():
            worst = values[values <= self._least][0]
            raise RequestError(
                Status.INVALID,
                f"the transform of the model needs values above {self._least:g}; input 'values' holds {worst:g}",
            )
        return values
