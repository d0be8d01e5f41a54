"""Dynamic batching: requests that wait for a model go through its network together.

Requests arrive in the event loop and are answered in one thread of the model's own. While that is busy they wait in a
bounded queue, which bounds memory and waiting: a request that finds it full is refused at once. The queue belongs to
the event loop alone: the thread is handed a batch at a time, so that a request costs no lock and wakes nobody.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.limits import Limits
from tidegate.serve.served import Answer, Rows, joined

__all__ = ["Batcher", "Counts"]

_LOG = logging.getLogger("tidegate.serve")
# A request that has waited for others in vain spares so many after it the waiting, unless some come together: a client
# that asks again when it has its answer is answered at once.
_SPARED = 15


@dataclasses.dataclass(eq=False, slots=True)
class _Job:
    """A request on its way: rows of a batch, or, without a key, a call of its own."""

    future: asyncio.Future[Any]
    came: float
    deadline: float
    rows: Rows | None
    call: Callable[[], Any] | None = None

    @property
    def size(self) -> int:
        """Rows."""
        return 1 if self.rows is None else self.rows.count


@dataclasses.dataclass
class Counts:
    """What has become of the requests of a model: each that was accepted ends as one of the other three."""

    accepted: int = 0
    answered: int = 0
    failed: int = 0
    dropped: int = 0  # cancelled by the client, or too late
    refused: int = 0  # never accepted: the queue was full
    batches: int = 0
    rows: int = 0


class Runs(Protocol):
    """Answers rows; `tidegate.serve.served.Served` does."""

    def run(self, rows: Rows) -> Answer:
        """Answer rows."""
        ...


class Batcher:
    """The queue of one model, and the thread that answers what is in it.

    Everything but the thread itself is called in the event loop.

    Parameters
    ----------
    served
        The model.
    limits
        Of the queue, the batches and the waiting.
    name
        Of the model, for messages.
    threads
        Of torch, within this model's thread.
    observe
        Told of each batch: its requests, its rows, and seconds; called in the event loop.
    """

    def __init__(
        self,
        served: Runs,
        *,
        limits: Limits,
        name: str,
        threads: int = 1,
        observe: Callable[[int, int, float], None] | None = None,
    ) -> None:
        self.counts = Counts()
        self._served = served
        self._limits = limits
        self._name = name
        self._threads = threads
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Job] = deque()
        self._rows = 0  # of those that wait
        self._running: Sequence[_Job] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._spared = 0  # requests that need not wait for others
        self._closed = False
        self._batches: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()  # for the thread; one at most
        self._thread = threading.Thread(target=self._work, name=f"tidegate {name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def settled(self) -> bool:
        """Whether all that was accepted has found its end."""
        counts = self.counts
        return counts.accepted == counts.answered + counts.failed + counts.dropped

    def submit(self, rows: Rows, deadline: float) -> asyncio.Future[Answer]:
        """Accept the rows of a request.

        Parameters
        ----------
        rows
            Checked by the model.
        deadline
            Of `time.monotonic`, after which nobody waits for an answer.

        Raises
        ------
        RequestError
            If the queue is full.
        """
        return self._accept(_Job(self._loop.create_future(), time.monotonic(), deadline, rows))

    def call(self, function: Callable[[], Any], deadline: float) -> asyncio.Future[Any]:
        """Accept a request that is answered by a call of its own, in the same thread. Raises as `submit`."""
        return self._accept(_Job(self._loop.create_future(), time.monotonic(), deadline, None, function))

    def require_room(self) -> None:
        """Refuse a request that would find the queue full, before anything is spent on it. Raises `RequestError`."""
        if len(self._waiting) >= self._limits.queue:
            self.counts.refused += 1
            raise RequestError(
                Status.BUSY,
                f"{self._limits.queue} requests wait for model {self._name!r} already, the most it takes; try later",
            )

    def expire(self, now: float) -> None:
        """Give up the requests whose deadline has passed."""
        for job in (*self._waiting, *self._running):
            if job.deadline <= now and not job.future.done():
                job.future.set_exception(_late())

    def close(self) -> None:
        """End the thread after what it has accepted."""
        self._closed = True
        self._go_on()

    def _accept(self, job: _Job) -> asyncio.Future[Any]:
        self.require_room()
        self.counts.accepted += 1
        self._waiting.append(job)
        self._rows += job.size
        if not self._running:
            self._go_on()
        return job.future

    def _go_on(self) -> None:
        """Hand the thread what goes together, if it is idle, and nothing speaks for waiting a little longer."""
        if self._running:
            return
        while self._waiting:
            rest = self._rest()
            if rest > 0:
                if self._timer is None:
                    self._timer = self._loop.call_later(rest, self._in_time)
                return
            if jobs := self._taken():
                waited = self._spared == 0
                self._spared = 0 if len(jobs) > 1 else _SPARED if waited else self._spared - 1
                self._running = jobs
                self._batches.put(jobs)
                return
        if self._closed:
            self._batches.put(None)

    def _rest(self) -> float:
        """Say how many seconds the first request is to wait for others yet."""
        full = self._rows >= self._limits.batch or len(self._waiting) >= self._limits.queue
        if self._closed or full or (self._spared and len(self._waiting) == 1):
            return 0.0
        return self._waiting[0].came + self._limits.delay - time.monotonic()

    def _in_time(self) -> None:
        self._timer = None
        self._go_on()  # a little early it sets another

    def _taken(self) -> list[_Job]:
        """Take the first request, and those that may go with it in their order, up to a batch."""
        now, rows = time.monotonic(), 0
        taken: list[_Job] = []
        passed: list[_Job] = []
        key: Any = None
        while self._waiting:
            job = self._waiting[0]
            if job.future.done() or job.deadline <= now:
                self._pop()
                self._drop(job)
                continue
            if not taken:
                taken.append(self._pop())
                if job.rows is None or job.rows.key is None:
                    break
                key, rows = job.rows.key, job.rows.count
            elif job.rows is None or job.rows.key != key:
                passed.append(self._pop())
            elif rows + job.rows.count > self._limits.batch:
                break
            else:
                taken.append(self._pop())
                rows += job.rows.count
        self._waiting.extendleft(reversed(passed))
        self._rows += sum(job.size for job in passed)
        return taken

    def _pop(self) -> _Job:
        job = self._waiting.popleft()
        self._rows -= job.size
        return job

    def _work(self) -> None:
        """Answer batches, in the thread, until the end."""
        import torch

        torch.set_num_threads(self._threads)  # of this thread
        while (jobs := self._batches.get()) is not None:
            began = time.monotonic()
            results = self._answers(jobs)
            self._hand_over(jobs, results, time.monotonic() - began)
            del jobs, results  # while the thread waits for more, memory is the requests' own

    def _answers(self, jobs: Sequence[_Job]) -> list[Any]:
        """Answer requests; if that fails for all together, each by itself, so that one cannot spoil the others."""
        first = jobs[0]
        if len(jobs) == 1:
            return [self._attempt(first)]
        try:
            answer = self._served.run(joined([job.rows for job in jobs if job.rows is not None]))
        except Exception:  # whatever it is, it belongs to one of them
            return [self._attempt(job) for job in jobs]
        parts, start = [], 0
        for job in jobs:
            assert job.rows is not None
            stop = start + job.rows.count
            parts.append(answer.rows(start, stop))
            start = stop
        return parts

    def _attempt(self, job: _Job) -> Any:
        try:
            return job.call() if job.call is not None else self._served.run(job.rows)  # type: ignore[arg-type]
        except Exception as error:
            return self._explained(error)

    def _explained(self, error: Exception) -> RequestError:
        if isinstance(error, RequestError):
            return error
        if isinstance(error, DataError | ShapeError | SpecError):
            return RequestError(Status.INVALID, str(error))
        _LOG.error("model %r failed: %s", self._name, error, exc_info=error)
        return RequestError(Status.FAILED, f"model {self._name!r} failed on this request; the server's log says why")

    def _hand_over(self, jobs: Sequence[_Job], results: Sequence[Any], seconds: float) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, jobs, results, seconds)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _LOG.warning("%d answers of model %r came after the end", len(jobs), self._name)

    def _deliver(self, jobs: Sequence[_Job], results: Sequence[Any], seconds: float) -> None:
        self._running = ()
        self._go_on()  # first: the thread is at work while its answers are sent
        counts = self.counts
        rows = 0
        for job, result in zip(jobs, results, strict=True):
            rows += job.size
            if job.future.done():
                self._drop(job)
            elif isinstance(result, RequestError):
                counts.failed += 1
                job.future.set_exception(result)
            else:
                counts.answered += 1
                job.future.set_result(result)
        counts.batches += 1
        counts.rows += rows
        if self._observe is not None:
            self._observe(len(jobs), rows, seconds)

    def _drop(self, job: _Job) -> None:
        self.counts.dropped += 1
        if not job.future.done():
            job.future.set_exception(_late())


def _late() -> RequestError:
    return RequestError(Status.LATE, "there was no answer within the time given")
