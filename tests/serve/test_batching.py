"""The queue: what goes together, what is refused at once, what is dropped, and that one cannot spoil the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

import numpy as np
import pytest

from tidegate.errors import DataError
from tidegate.serve.batching import Batcher, Counts
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.limits import Limits
from tidegate.serve.served import Answer, Rows

FAR = 60.0


class Model:
    """Adds one to what it is given, when it is let; refuses 13 and fails on 666."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.busy = threading.Event()

    def run(self, rows: Rows) -> Answer:
        self.busy.set()
        self.gate.wait()
        x = rows.parts["x"]
        self.batches.append(x.tolist())
        if 13 in x:
            raise DataError("13 is no value")
        if 666 in x:
            raise RuntimeError("broken")
        return Answer(outputs={"y": x + 1})


def rows(*values: float, key: Hashable = "a") -> Rows:
    return Rows(key=key, count=len(values), parts={"x": np.array(values)})


def within(limits: Limits, test: Callable[[Batcher, Model], Coroutine[Any, Any, None]]) -> tuple[Model, Counts]:
    """Run a test with a batcher in an event loop."""

    async def run() -> tuple[Model, Counts]:
        model = Model()
        batcher = Batcher(model, limits=limits, name="m")
        try:
            await asyncio.wait_for(test(batcher, model), 20)
        finally:
            model.gate.set()
            batcher.close()
        while not batcher.settled:
            await asyncio.sleep(0.001)
        return model, batcher.counts

    return asyncio.run(run())


def later() -> float:
    return time.monotonic() + FAR


async def occupied(batcher: Batcher, model: Model) -> asyncio.Future[Answer]:
    """Give the thread something that it works on until the gate opens."""
    model.gate.clear()
    model.busy.clear()
    first = batcher.submit(rows(0.0), later())
    await asyncio.to_thread(model.busy.wait)
    return first


def test_what_waits_goes_together() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await occupied(batcher, model)
        others = [batcher.submit(rows(*values), later()) for values in ((1.0,), (2.0, 3.0), (4.0, 5.0), (6.0,))]
        model.gate.set()
        answers = [(await future).outputs["y"].tolist() for future in (first, *others)]
        assert answers == [[1], [2], [3, 4], [5, 6], [7]]

    model, counts = within(Limits(batch=4, delay=0), test)
    assert model.batches == [[0], [1, 2, 3], [4, 5, 6]]  # up to four rows, a request never in parts
    assert counts == Counts(accepted=5, answered=5, batches=3, rows=7)


def test_only_equal_keys_go_together_and_order_stays() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await occupied(batcher, model)
        asked = [("a", 1.0), ("b", 2.0), (None, 3.0), ("a", 4.0), (None, 5.0), ("b", 6.0)]
        futures = [batcher.submit(rows(value, key=key), later()) for key, value in asked]
        model.gate.set()
        await asyncio.gather(first, *futures)

    model, _ = within(Limits(delay=0), test)
    assert model.batches == [[0], [1, 4], [2, 6], [3], [5]]


def test_a_request_waits_a_little_for_others() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = batcher.submit(rows(1.0), later())
        await asyncio.sleep(0.02)
        second = batcher.submit(rows(2.0), later())
        await asyncio.gather(first, second)

    model, _ = within(Limits(delay=5, batch=2), test)  # a full batch waits no longer
    assert model.batches == [[1, 2]]


def test_a_full_queue_refuses_at_once() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        futures = [await occupied(batcher, model)]
        futures += [batcher.submit(rows(float(number)), later()) for number in range(3)]
        assert batcher.waiting == 3
        with pytest.raises(RequestError) as caught:
            batcher.submit(rows(9.0), later())
        assert caught.value.status is Status.BUSY
        assert caught.value.message == "3 requests wait for model 'm' already, the most it takes; try later"
        model.gate.set()
        await asyncio.gather(*futures)
        await batcher.submit(rows(9.0), later())

    _, counts = within(Limits(queue=3, delay=0), test)
    assert (counts.accepted, counts.answered, counts.refused) == (5, 5, 1)


def test_one_request_cannot_spoil_the_others() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await occupied(batcher, model)
        futures = [batcher.submit(rows(value), later()) for value in (1.0, 13.0, 666.0, 2.0)]
        model.gate.set()
        results = await asyncio.gather(first, *futures, return_exceptions=True)
        assert [result.outputs["y"].tolist() for result in results if isinstance(result, Answer)] == [[1], [2], [3]]
        faults = [(each.status, each.message) for each in results if isinstance(each, RequestError)]
        assert faults == [
            (Status.INVALID, "13 is no value"),
            (Status.FAILED, "model 'm' failed on this request; the server's log says why"),
        ]

    _, counts = within(Limits(delay=0), test)
    assert (counts.accepted, counts.answered, counts.failed) == (5, 3, 2)


def test_cancelled_and_late_requests_are_dropped() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await occupied(batcher, model)
        gone = batcher.submit(rows(1.0), later())
        late = batcher.submit(rows(2.0), time.monotonic() + 0.01)
        kept = batcher.submit(rows(3.0), later())
        gone.cancel()
        await asyncio.sleep(0.03)
        batcher.expire(time.monotonic())  # while the thread is still busy
        with pytest.raises(RequestError) as caught:
            await late
        assert (caught.value.status, caught.value.message) == (Status.LATE, "there was no answer within the time given")
        model.gate.set()
        await asyncio.gather(first, kept)

    model, counts = within(Limits(delay=0), test)
    assert model.batches == [[0], [3]]
    assert (counts.accepted, counts.answered, counts.dropped) == (4, 2, 2)


def test_a_request_that_is_late_when_its_turn_comes_is_dropped() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        first = await occupied(batcher, model)
        late = batcher.submit(rows(2.0), time.monotonic())
        model.gate.set()
        await first
        with pytest.raises(RequestError, match=r"^there was no answer within the time given$"):
            await late

    model, counts = within(Limits(delay=0), test)
    assert model.batches == [[0]]
    assert counts.dropped == 1


def test_calls_are_answered_in_the_same_thread() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        assert await batcher.call(lambda: threading.current_thread().name, later()) == "tidegate m"

        def refuse() -> None:
            raise RequestError(Status.INVALID, "no")

        with pytest.raises(RequestError, match=r"^no$"):
            await batcher.call(refuse, later())

    within(Limits(), test)


def test_what_was_accepted_is_finished_after_the_end() -> None:
    async def test(batcher: Batcher, model: Model) -> None:
        futures = [await occupied(batcher, model)]
        futures += [batcher.submit(rows(float(number)), later()) for number in range(5)]
        batcher.close()
        model.gate.set()
        assert [(await future).outputs["y"].tolist() for future in futures] == [[1], [1], [2], [3], [4], [5]]

    within(Limits(delay=0.3), test)  # and nothing waits for others then
