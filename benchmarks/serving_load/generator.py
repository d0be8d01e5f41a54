"""A load generator in a process of its own: gRPC calls from an event loop, as many as are asked for.

    python benchmarks/serving_load/generator.py '{"address": "127.0.0.1:8001", "mode": "closed", …}'

prints one JSON object. ``closed`` keeps a number of calls in flight, until its time is over or SIGTERM comes; ``open``
begins calls at a rate, whether answers come or not, and counts latency from the moment when a call was due.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sys
import time
from collections import Counter
from typing import Any

import grpc
import numpy as np

from tidegate.serve.protocol import SERVICE, message

METHOD = f"/{SERVICE}/ModelInfer"


def request(model: str, values: np.ndarray) -> bytes:
    """Write a request for a forecast, once: what is measured is the server."""
    made = message("ModelInferRequest")(model_name=model)
    made.inputs.add(name="values", datatype="FP64", shape=values.shape)
    made.raw_input_contents.append(values.tobytes())
    made.outputs.add(name="forecast")
    return bytes(made.SerializeToString())


class Load:
    """Calls, and what became of them."""

    def __init__(self, call: Any, body: bytes, timeout: float) -> None:
        self.call = call
        self.body = body
        self.timeout = timeout
        self.seconds: list[float] = []
        self.ends: Counter[str] = Counter()
        self.details: Counter[str] = Counter()
        self.refused_seconds: list[float] = []
        self.stopped = False

    async def one(self, due: float | None = None) -> bool:
        """Make a call; say whether it was answered."""
        began = time.perf_counter() if due is None else due
        try:
            await self.call(self.body, timeout=self.timeout)
        except grpc.aio.AioRpcError as error:
            self.ends[error.code().name] += 1
            self.details[f"{error.code().name}: {(error.details() or '')[:100]}"] += 1
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                self.refused_seconds.append(time.perf_counter() - began)
            return False
        self.seconds.append(time.perf_counter() - began)
        self.ends["OK"] += 1
        return True

    async def closed(self, in_flight: int, duration: float, pause: float) -> None:
        """Keep calls in flight; after a refusal wait ``pause`` seconds."""
        end = time.perf_counter() + duration

        async def worker() -> None:
            while time.perf_counter() < end and not self.stopped:
                if not await self.one():
                    await asyncio.sleep(pause)

        await asyncio.gather(*(worker() for _ in range(in_flight)))

    async def open(self, rate: float, duration: float) -> None:
        """Begin calls at a rate."""
        began = time.perf_counter()
        tasks: set[asyncio.Task[bool]] = set()
        for number in range(int(rate * duration)):
            due = began + number / rate
            ahead = due - time.perf_counter()
            if ahead > 0.0005:
                await asyncio.sleep(ahead)
            task = asyncio.create_task(self.one(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)


async def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Run what is asked for."""
    body = request(asked["model"], np.random.default_rng(0).normal(100, 10, (1, asked["context"], 1)))
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(asked["address"], options=options) for _ in range(asked.get("channels", 2))]
    calls = [channel.unary_unary(METHOD) for channel in channels]
    turn = itertools.cycle(calls)

    def call(body: bytes, timeout: float) -> Any:
        return next(turn)(body, timeout=timeout, wait_for_ready=asked.get("wait_for_ready", False))

    load = Load(call, body, asked.get("timeout", 10.0))
    await load.closed(8, asked.get("warm", 0.5), 0.01)
    for warm in (load.seconds, load.ends, load.details, load.refused_seconds):
        warm.clear()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(load, "stopped", True))
    began = time.perf_counter()
    cpu = time.process_time()
    if asked["mode"] == "open":
        await load.open(asked["rate"], asked["duration"])
    else:
        await load.closed(asked["in_flight"], asked["duration"], asked.get("pause", 0.005))
    wall = time.perf_counter() - began
    cpu = time.process_time() - cpu
    await asyncio.gather(*(channel.close() for channel in channels))
    quantiles = np.quantile(load.seconds, [0.5, 0.9, 0.99, 0.999]) if load.seconds else np.full(4, np.nan)
    return {
        "requests_per_second": load.ends["OK"] / wall,
        "ends": dict(load.ends),
        "details": dict(load.details.most_common(5)),
        "milliseconds": dict(zip(("p50", "p90", "p99", "p99.9"), (1000 * quantiles).round(2).tolist(), strict=True)),
        "refused_ms_p99": round(1000 * float(np.quantile(load.refused_seconds or [np.nan], 0.99)), 2),
        "wall": wall,
        "client_cpu": cpu,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
