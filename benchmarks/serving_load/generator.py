"""A load generator in a process of its own: gRPC calls over HTTP/2 of its own, as many as are asked for.

    python benchmarks/serving_load/generator.py '{"address": "127.0.0.1:8001", "mode": "closed", …}'

prints one JSON object. ``closed`` keeps a number of calls in flight, until its time is over or SIGTERM comes; ``open``
begins calls at a rate, whether answers come or not, and counts latency from the moment when a call was due. It takes a
few microseconds a call, so that the server is measured and not the client.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # as a program of its own it is in no package

from serving_load.http2 import Connection, End, Frames

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_MOST_ENDS = 5  # messages of refusals that are reported
_PATIENCE = 2.0  # seconds beyond the timeout of the last call


def request(model: str, values: np.ndarray) -> bytes:
    """Write a request for a forecast, once: what is measured is the server."""
    from tidegate.serve.protocol import message

    made = message("ModelInferRequest")(model_name=model)
    made.inputs.add(name="values", datatype="FP64", shape=values.shape)
    made.raw_input_contents.append(values.tobytes())
    made.outputs.add(name="forecast")
    return bytes(made.SerializeToString())


@dataclasses.dataclass(kw_only=True)
class Shape:
    """What load is asked for.

    Parameters
    ----------
    duration
        Seconds.
    in_flight
        Calls at once, at most.
    rate
        Calls that begin each second, or ``None``: as many as are answered.
    pause
        Seconds from a refusal to the next call in its place.
    timeout
        Seconds that the server is given for each.
    burst
        Calls of a rate that begin at once.
    """

    duration: float
    burst: int = 1
    in_flight: int = 1 << 30
    rate: float | None = None
    pause: float = 0.005
    timeout: float = 10.0


class Load:
    """Calls over some connections in turn, and what became of them.

    Parameters
    ----------
    address
        ``host:port``.
    body
        Of each call.
    channels
        Connections. One that is closed is opened anew.
    timeout
        Seconds that the server is given for each call.
    """

    def __init__(self, address: str, body: bytes, *, channels: int = 1, timeout: float = 10.0) -> None:
        self._host, port = address.rsplit(":", 1)
        self._port = int(port)
        self._frames = Frames(address, METHOD, body, timeout)
        self._channels = channels
        self._open: list[Connection] = []  # that take calls
        self._leaving: list[Connection] = []  # that only end what is in flight on them
        self._turn = 0
        self._began: dict[tuple[Connection, int], float] = {}
        self._again: set[tuple[Connection, int]] = set()  # calls that are tried for the second time
        self._ends: list[End] = []
        self.stopped = False
        self.clear()

    def clear(self) -> None:
        """Forget what has been counted."""
        self.seconds: list[float] = []
        self.refused_seconds: list[float] = []
        self.ends: collections.Counter[str] = collections.Counter()
        self.details: collections.Counter[str] = collections.Counter()
        self.connections = 0
        self.first: bytes = b""  # the first answer

    def run(self, shape: Shape) -> float:
        """Make load; give the seconds that it took."""
        began = time.perf_counter()
        end = began + shape.duration
        due = 0  # calls begun at a rate
        most = 0 if shape.rate is None else round(shape.rate * shape.duration)
        resting: collections.deque[float] = collections.deque()  # when those that were refused begin again
        while True:
            now = time.perf_counter()
            stopped = self.stopped or now >= end
            wake = end
            if shape.rate is not None:
                while due < most and not self.stopped:
                    wake = began + due // shape.burst * shape.burst / shape.rate
                    if wake > now:
                        break
                    self._begin(wake)
                    due += 1
                stopped = self.stopped or due == most
            elif not stopped:
                while resting and resting[0] <= now:
                    resting.popleft()
                for _ in range(shape.in_flight - len(self._began) - len(resting)):
                    self._begin(now)
                wake = min(wake, resting[0]) if resting else wake
            if stopped and (not self._began or now > end + shape.timeout + _PATIENCE):
                break
            refused = self._exchange(0.1 if stopped else max(0.0, min(0.1, wake - now)))
            resting.extend([time.perf_counter() + shape.pause] * refused)
        self.ends["NO END"] += len(self._began)
        self._began.clear()
        self._again.clear()
        return time.perf_counter() - began

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._open, *self._leaving):
            connection.close()

    def _begin(self, began: float, *, again: bool = False) -> None:
        while len(self._open) < self._channels:
            self._open.append(self._connect())
        self._turn += 1
        connection = self._open[self._turn % self._channels]
        key = connection, connection.call()
        self._began[key] = began
        if again:
            self._again.add(key)

    def _connect(self) -> Connection:
        """Connect, as soon as somebody listens."""
        self.connections += 1
        for _ in range(1000):
            try:
                return Connection(self._host, self._port, self._frames)
            except ConnectionError:
                time.sleep(0.005)
        raise ConnectionError(f"nobody listens on {self._host}:{self._port}")

    def _exchange(self, seconds: float) -> int:
        """Write, wait, read; give how many calls were refused."""
        connections = [*self._open, *self._leaving]
        refused = 0
        for connection in connections:
            try:
                connection.flush()
            except OSError as error:
                refused += self._lost(connection, error)
        writers = [connection for connection in connections if connection.wants_to_write]
        by_socket = {connection.sock: connection for connection in connections if connection.sock.fileno() >= 0}
        wanted = [connection.sock for connection in writers if connection.sock in by_socket]
        for sock in select.select(list(by_socket), wanted, [], seconds)[0]:
            refused += self._read(by_socket[sock])
        return refused

    def _read(self, connection: Connection) -> int:
        refused = 0
        try:
            for end in connection.receive():
                refused += self._count(connection, end)
        except OSError as error:
            refused += self._lost(connection, error)
        if connection.leaving and connection in self._open:
            self._open.remove(connection)
            self._leaving.append(connection)
        if connection in self._leaving and not connection.in_flight:
            self._leaving.remove(connection)
            connection.close()
        return refused

    def _lost(self, connection: Connection, error: OSError) -> int:
        """Forget a broken connection: its calls end as those of a stock client do."""
        message = f"connection lost: {error}"
        ends = [End(stream, "UNAVAILABLE", message) for stream in connection.in_flight]
        connection.in_flight.clear()
        connection.close()
        for connections in (self._open, self._leaving):
            if connection in connections:
                connections.remove(connection)
        return sum(self._count(connection, end) for end in ends)

    def _count(self, connection: Connection, end: End) -> int:
        key = connection, end.stream
        began = self._began.pop(key)
        again = key in self._again
        self._again.discard(key)
        code = "UNAVAILABLE" if again and end.code == "RETRY" else end.code  # once, as stock clients do
        self.ends[code] += 1
        if code == "OK":
            self.seconds.append(time.perf_counter() - began)
            self.first = self.first or end.content
            return 0
        self.details[f"{code}: {end.message[:100]}"] += 1
        if code == "RETRY":
            if connection.leaving and connection in self._open:
                self._open.remove(connection)
                self._leaving.append(connection)
            self._begin(began, again=True)
            return 0
        if code == "RESOURCE_EXHAUSTED":
            self.refused_seconds.append(time.perf_counter() - began)
        return 1


def summary(load: Load, wall: float, cpu: float) -> dict[str, Any]:
    """Give what is reported of a load."""
    quantiles = np.quantile(load.seconds, [0.5, 0.9, 0.99, 0.999]) if load.seconds else np.full(4, np.nan)
    return {
        "requests_per_second": load.ends["OK"] / wall,
        "ends": {code: count for code, count in load.ends.items() if count},
        "details": dict(load.details.most_common(_MOST_ENDS)),
        "milliseconds": dict(zip(("p50", "p90", "p99", "p99.9"), (1000 * quantiles).round(2).tolist(), strict=True)),
        "refused_ms_p99": round(1000 * float(np.quantile(load.refused_seconds or [np.nan], 0.99)), 2),
        "wall": wall,
        "client_cpu": cpu,
        "connections": load.connections,
    }


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Run what is asked for."""
    shape = (asked.get("rows", 1), asked["context"], 1)
    body = request(asked["model"], np.random.default_rng(0).normal(100, 10, shape))
    timeout = asked.get("timeout", 10.0)
    load = Load(asked["address"], body, channels=asked.get("channels", 2), timeout=timeout)
    load.run(Shape(duration=asked.get("warm", 0.5), in_flight=8, timeout=timeout))
    load.clear()
    signal.signal(signal.SIGTERM, lambda *_: setattr(load, "stopped", True))
    named = {name: asked[name] for name in ("duration", "in_flight", "rate", "pause", "burst") if name in asked}
    cpu = time.process_time()
    wall = load.run(Shape(timeout=timeout, **named))
    cpu = time.process_time() - cpu
    load.close()
    return summary(load, wall, cpu)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
