"""``tidegate serve``: models behind the Open Inference Protocol, until the process is told to stop."""

from __future__ import annotations

import dataclasses
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Quiet
from tidegate.errors import SpecError
from tidegate.specs import checks

if TYPE_CHECKING:
    from tidegate.serve.limits import Limits
    from tidegate.serve.server import Server

__all__ = ["Options", "run"]

_MEBIBYTE = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class _LimitFlags:
    """How much is taken."""

    message: Annotated[int, Option("--max-message", help="MiB of a request or an answer.")] = 16
    rows: Annotated[int, Option("--max-rows", help="Rows of a request.")] = 1024
    batch: Annotated[int, Option("--max-batch", help="Rows that go through a network together.")] = 64
    delay: Annotated[float, Option("--max-delay", help="Milliseconds that a request waits for others.")] = 5.0
    queue: Annotated[int, Option("--max-queue", help="Requests that wait for a model; one more is refused.")] = 256
    concurrency: Annotated[int, Option("--max-concurrency", help="Requests at once, of all models.")] = 1024
    sequences: Annotated[int, Option("--max-sequences", help="Streams that are kept, of each model.")] = 10_000
    sequence_idle: Annotated[float, Option("--sequence-idle", help="Seconds until an idle stream is forgotten.")] = 600
    timeout: Annotated[float, Option("--timeout", help="Seconds until a request is given up.")] = 30
    reading: Annotated[float, Option("--read-timeout", help="Seconds to send a request over HTTP.")] = 10
    drain: Annotated[float, Option("--drain", help="Seconds to finish accepted requests at the end.")] = 30
    poll: Annotated[float, Option("--poll", help="Seconds between looks for changed model files.")] = 1

    def limits(self) -> Limits:
        """Give them as the server takes them. Raises `SpecError`."""
        from tidegate.serve.limits import Limits

        for name in ("message", "rows", "batch", "queue", "concurrency", "sequences"):
            checks.whole(_flag(name), getattr(self, name))
        for name in ("sequence_idle", "timeout", "reading", "poll"):
            checks.at_least(_flag(name), getattr(self, name), 0, exclusive=True)
        for name in ("delay", "drain"):
            checks.at_least(_flag(name), getattr(self, name), 0)
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Limits(**{**given, "message": self.message * _MEBIBYTE, "delay": self.delay / 1000})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate serve`` takes."""

    folder: Annotated[
        Path,
        Argument(help="The models: NAME.safetensors, NAME/model.safetensors or NAME/VERSION/model.safetensors in it."),
    ]
    grpc: Annotated[int, Option("--grpc", help="Port of gRPC; 0 takes a free one, -1 leaves gRPC out.")] = 8001
    http: Annotated[int, Option("--http", help="Port of HTTP; 0 takes a free one, -1 leaves HTTP out.")] = 8000
    host: Annotated[str, Option("--host", help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1"
    certificate: Annotated[Path | None, Option("--tls-certificate", help="PEM file: serve over TLS.")] = None
    key: Annotated[Path | None, Option("--tls-key", help="PEM file: the key of the certificate.")] = None
    clients: Annotated[
        Path | None, Option("--tls-clients", help="PEM file: who signs the certificates that clients must show.")
    ] = None
    limits: _LimitFlags = dataclasses.field(default_factory=_LimitFlags)
    threads: Annotated[int, Option("--threads", help="Threads of torch, for each model.")] = 1
    device: Annotated[str, Option("--device", help="cpu, cuda, cuda:N or mps.")] = "cpu"
    reuse_port: Annotated[bool, Option("--reuse-port", help="Share the ports with another server.")] = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Serve models over gRPC and HTTP, by the Open Inference Protocol.

    Model files that are replaced are read again without dropping a request. SIGTERM and Ctrl-C finish what was
    accepted, then end.
    """
    import asyncio

    console = Console(quiet=options.quiet)
    limits = options.limits.limits()

    from tidegate._core.devices import resolve_device
    from tidegate.serve.server import Serving, serve
    from tidegate.serve.tls import Tls

    resolve_device(options.device)
    serving = Serving(
        folder=options.folder,
        host=options.host,
        grpc=_port("--grpc", options.grpc),
        http=_port("--http", options.http),
        tls=Tls.of(options.certificate, options.key, options.clients),
        limits=limits,
        device=options.device,
        threads=options.threads,
        reuse_port=options.reuse_port,
    )

    def started(server: Server) -> None:
        for name, port in (("gRPC", server.grpc_port), ("HTTP", server.http_port)):
            if port is not None:
                console.result(f"{name} {options.host}:{port}")
        sys.stdout.flush()  # those who wait for these lines may read from a pipe

    with _Remarks(console):
        asyncio.run(serve(serving, started))


class _Remarks(logging.Handler):
    """Says on standard error what the server logs, while a block runs."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console
        self._logger = logging.getLogger("tidegate.serve")

    def __enter__(self) -> None:
        self._level, self._propagated = self._logger.level, self._logger.propagate
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        self._logger.propagate = self._propagated

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, with the traceback of an error."""
        self._console.remark(self.format(record))


def _port(flag: str, port: int) -> int | None:
    if not -1 <= port <= 65535:
        raise SpecError(f"{flag} must be a port from 0 to 65535, or -1 to leave it out; got {port}")
    return None if port == -1 else port


def _flag(name: str) -> str:
    return {
        "timeout": "--timeout", "reading": "--read-timeout", "drain": "--drain", "poll": "--poll",
        "sequence_idle": "--sequence-idle",
    }.get(name, f"--max-{name}")  # fmt: skip
