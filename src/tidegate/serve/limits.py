"""How much a server takes: each limit has a status of its own, so that no client can take all there is."""

from __future__ import annotations

import dataclasses

from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["Limits"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a server takes at most.

    Parameters
    ----------
    message
        Bytes of a request or of an answer.
    rows
        Rows of a request.
    batch
        Rows that go through a network together, unless one request has more.
    delay
        Seconds that a request waits for others to go with it, at most. Where that was in vain the next do not.
    queue
        Requests that wait for a model; one more is refused at once.
    concurrency
        Requests that are being read, waited for or answered, of all models and both protocols.
    timeout
        Seconds until a request without a deadline of its own is given up.
    reading
        Seconds that a client may take to send a request over HTTP.
    sequences
        Streams whose rows are kept, of each model.
    sequence_idle
        Seconds without a request after which a stream is forgotten.
    drain
        Seconds that accepted requests are given when the server is told to stop.
    poll
        Seconds from one look at the folder of the models to the next.

    Raises
    ------
    SpecError
        If one is no number of its range.
    """

    message: int = 16 * 2**20
    rows: int = 1024
    batch: int = 64
    delay: float = 0.005
    queue: int = 256
    concurrency: int = 1024
    timeout: float = 30.0
    reading: float = 10.0
    sequences: int = 10_000
    sequence_idle: float = 600.0
    drain: float = 30.0
    poll: float = 1.0

    def __post_init__(self) -> None:
        for name in ("message", "rows", "batch", "queue", "concurrency", "sequences"):
            checks.whole(name, getattr(self, name))
        for name in ("timeout", "reading", "sequence_idle", "poll"):
            checks.at_least(name, getattr(self, name), 0, exclusive=True)
        for name in ("delay", "drain"):
            checks.at_least(name, getattr(self, name), 0)
        if self.message >= 2**31:
            raise SpecError(f"message must be below 2 GiB, which is what gRPC can count; got {self.message} bytes")
