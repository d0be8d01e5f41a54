"""Streams: the recent rows of a sequence, kept between its requests.

What is kept are rows, not a network's state: a sequence answers what a request with all its rows would, goes on after
its model was read anew, and joins the batches of everybody else.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from tidegate.serve.faults import RequestError, Status
from tidegate.serve.limits import Limits
from tidegate.serve.served import Asked, Parameters, Served

__all__ = ["Sequences", "sequence_of"]

Key = int | str
_LONGEST = 200  # characters of an id


def sequence_of(parameters: Parameters) -> Key | None:
    """Read the id of a sequence; ``None`` where a request belongs to none. Raises `RequestError` for no usable one."""
    given = parameters.get("sequence_id")
    if given is None or given in ("", 0):  # what clients send that use no sequence
        return None
    if isinstance(given, bool | float) or (isinstance(given, str) and len(given) > _LONGEST):
        raise RequestError(
            Status.INVALID, f"parameter 'sequence_id' must be a whole number, or text of up to {_LONGEST} characters"
        )
    return given


class Sequences:
    """The sequences of one model.

    Parameters
    ----------
    limits
        How many there may be, and how long one is kept without a request.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: OrderedDict[Key, tuple[float, Mapping[str, np.ndarray]]] = OrderedDict()  # the latest used last

    def __len__(self) -> int:
        return len(self._kept)

    def continued(self, served: Served, asked: Asked, key: Key) -> Asked:
        """Give the request with the rows that its sequence has kept. Nothing is kept before `keep`.

        Raises
        ------
        RequestError
            If the sequence has not begun or has expired, there are too many, or the model has no sequences.
        """
        self.expire(time.monotonic())
        start = bool(asked.parameters.get("sequence_start"))
        if start:
            if key not in self._kept and len(self._kept) >= self._limits.sequences:
                raise RequestError(
                    Status.BUSY, f"{self._limits.sequences} sequences are kept already, the most; end one, or try later"
                )
            kept = None
        elif key in self._kept:
            kept = self._kept[key][1]
        else:
            raise RequestError(
                Status.UNFIT, f"sequence {key!r} has not begun, or has expired; begin it with sequence_start"
            )
        return Asked(inputs=served.continued(kept, asked), parameters=asked.parameters, outputs=asked.outputs)

    def keep(self, asked: Asked, key: Key) -> None:
        """Keep the rows of a request that was accepted, or forget the sequence if it says that it ends."""
        if asked.parameters.get("sequence_end"):
            self._kept.pop(key, None)
            return
        # Copies: what came is a view of a message.
        self._kept[key] = (time.monotonic(), {name: array.copy() for name, array in asked.inputs.items()})
        self._kept.move_to_end(key)

    def expire(self, now: float) -> None:
        """Forget sequences that had no request for too long."""
        while self._kept:
            key, (used, _) = next(iter(self._kept.items()))
            if now - used < self._limits.sequence_idle:
                return
            del self._kept[key]
