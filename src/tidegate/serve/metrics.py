"""What a server tells Prometheus. Counting costs a request little: most is read off at the time it is asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tidegate._core.extras import require
from tidegate._core.version import __version__

if TYPE_CHECKING:
    from tidegate.serve.engine import Engine

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_COUNTS = {
    "accepted": "Requests that entered the queue of a model.",
    "answered": "Accepted requests that were answered.",
    "failed": "Accepted requests that the model refused or failed on.",
    "dropped": "Accepted requests that were cancelled, or too late.",
    "refused": "Requests that found the queue full.",
    "batches": "Batches that went through a network.",
    "rows": "Rows that went through a network.",
}


class Metrics:
    """The metrics of one server, in a registry of their own.

    Parameters
    ----------
    engine
        Whose models are counted.
    """

    def __init__(self, engine: Engine) -> None:
        client = require("prometheus_client", extra="serve", purpose="tidegate serve")
        self._engine = engine
        self._core = require("prometheus_client.core", extra="serve", purpose="tidegate serve")
        self._write = client.generate_latest
        self.content_type: str = client.CONTENT_TYPE_LATEST
        self.registry = client.CollectorRegistry()
        self._requests: Counter[tuple[str, str, str, str]] = Counter()
        self._seconds = client.Histogram(
            "tidegate_request_seconds",
            "From the arrival of a request for inference to its answer.",
            ["protocol"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch = client.Histogram(
            "tidegate_batch_rows", "Rows of a batch.", ["model", "version"], buckets=_ROWS, registry=self.registry
        )
        self._network = client.Histogram(
            "tidegate_batch_seconds",
            "A batch in the network.",
            ["model", "version"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._timed = {protocol: self._seconds.labels(protocol) for protocol in ("grpc", "http")}
        self.registry.register(self)

    def request(self, protocol: str, model: tuple[str, str], status: str, seconds: float) -> None:
        """Count a request for inference; ``model`` is empty where there is no such, which a client could make up."""
        self._requests[(protocol, *model, status)] += 1
        self._timed[protocol].observe(seconds)

    def observer(self, name: str, version: str) -> Any:
        """Give what `tidegate.serve.batching.Batcher` tells of its batches."""
        rows_of, seconds_of = self._batch.labels(name, version), self._network.labels(name, version)

        def observe(requests: int, rows: int, seconds: float) -> None:  # noqa: ARG001 - told by position
            rows_of.observe(rows)
            seconds_of.observe(seconds)

        return observe

    def text(self) -> bytes:
        """Write all of them in the form that Prometheus reads."""
        return bytes(self._write(self.registry))

    def collect(self) -> Iterator[Any]:
        """Give what is counted elsewhere; prometheus_client calls this."""
        core, engine = self._core, self._engine
        info = core.InfoMetricFamily("tidegate", "The server.")
        info.add_metric([], {"version": __version__})
        yield info
        yield core.GaugeMetricFamily("tidegate_ready", "Whether requests are welcome.", value=float(engine.ready))
        yield core.GaugeMetricFamily("tidegate_up_seconds", "Since the start.", value=time.monotonic() - engine.began)
        yield core.GaugeMetricFamily("tidegate_in_flight", "Requests being answered.", value=engine.in_flight)
        requests = core.CounterMetricFamily(
            "tidegate_requests", "Requests for inference.", labels=["protocol", "model", "version", "status"]
        )
        for labels, count in self._requests.items():
            requests.add_metric(labels, count)
        yield requests
        reloads = core.CounterMetricFamily("tidegate_reloads", "Model files read again.", labels=["result"])
        for result, count in engine.reloads.items():
            reloads.add_metric([result], count)
        yield reloads
        yield from self._models()

    def _models(self) -> Iterator[Any]:
        labels = ["model", "version"]
        for field, help_text in _COUNTS.items():
            family = self._core.CounterMetricFamily(f"tidegate_model_{field}", help_text, labels=labels)
            for (name, version), counts in self._engine.counts().items():
                family.add_metric([name, version], getattr(counts, field))
            yield family
        waiting = self._core.GaugeMetricFamily("tidegate_model_waiting", "Requests in the queue.", labels=labels)
        kept = self._core.GaugeMetricFamily("tidegate_model_sequences", "Streams that are kept.", labels=labels)
        for entry in self._engine.entries():
            waiting.add_metric([entry.name, entry.version], entry.batcher.waiting)
            kept.add_metric([entry.name, entry.version], len(entry.sequences))
        yield waiting
        yield kept
