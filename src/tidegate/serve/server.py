"""A server from its start to its end: both protocols in one event loop, and a drain in between."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tidegate.errors import OutputError, SpecError
from tidegate.serve.engine import Engine
from tidegate.serve.grpc_api import GrpcApi
from tidegate.serve.grpc_server import GrpcServer
from tidegate.serve.http_server import HttpServer
from tidegate.serve.limits import Limits
from tidegate.serve.rest_api import RestApi
from tidegate.serve.tls import Tls
from tidegate.specs import checks

__all__ = ["Server", "Serving", "serve"]

_LOG = logging.getLogger("tidegate.serve")
_LARGEST_PORT = 65535
# Seconds after which a thread gives up the interpreter to another that waits. With Python's own 5 ms a hand-over
# between the event loop and the thread of a model would last longer than a batch does.
_SWITCH = 1e-4
_YOUNG = 10_000  # objects that requests may leave before garbage is looked for: most die with their request
_LOOK = 0.01  # seconds between two looks whether all is answered


@dataclasses.dataclass(frozen=True, kw_only=True)
class Serving:
    """What a server is asked for.

    Parameters
    ----------
    folder
        Of the models.
    host
        To listen on; the loopback address is reached from this machine alone.
    grpc, http
        Ports; 0 takes a free one, ``None`` leaves the protocol out.
    tls
        ``None`` serves in the clear.
    limits
        Of all that is taken.
    device
        Where the models compute.
    threads
        Of torch, for each model.
    reuse_port
        Share the ports with other servers, so that a new one can begin before an old one ends.

    Raises
    ------
    SpecError
        If neither protocol is asked for, or a number is out of its range.
    """

    folder: Path
    host: str = "127.0.0.1"
    grpc: int | None = 8001
    http: int | None = 8000
    tls: Tls | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)
    device: str = "cpu"
    threads: int = 1
    reuse_port: bool = False

    def __post_init__(self) -> None:
        checks.whole("threads", self.threads)
        for name in ("grpc", "http"):
            port = getattr(self, name)
            if port is not None:
                checks.whole(name, port, least=0)
                if port > _LARGEST_PORT:
                    raise SpecError(f"a port is at most {_LARGEST_PORT}; {name} is {port}")
        if self.grpc is None and self.http is None:
            raise SpecError("a server needs a protocol at least: give a port of gRPC or of HTTP")


class Server:
    """A server that is started once and stopped once, within one event loop.

    Parameters
    ----------
    serving
        What is asked for.

    Attributes
    ----------
    grpc_port, http_port
        Where it listens, after `start`.
    """

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.engine = Engine(serving.folder, limits=serving.limits, device=serving.device, threads=serving.threads)
        self.grpc_port: int | None = None
        self.http_port: int | None = None
        self._api: GrpcApi | None = None
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None

    async def start(self) -> None:
        """Read the models, take the ports and begin to answer.

        Raises
        ------
        TidegateError
            If there is no usable model, or a port is taken.
        """
        serving, limits = self.serving, self.serving.limits
        sock: socket.socket | None = None
        try:
            await self.engine.start()
            if serving.http is not None:
                sock = _bound(serving.host, serving.http, reuse=serving.reuse_port)
                self.http_port = sock.getsockname()[1]
                self._http = HttpServer(RestApi(self.engine), sock, limits=limits, tls=serving.tls)
            if serving.grpc is not None:
                address = f"{f'[{serving.host}]' if ':' in serving.host else serving.host}:{serving.grpc}"
                self._api = GrpcApi(self.engine)
                self._grpc = GrpcServer(
                    self._api, address, limits=limits, tls=serving.tls, reuse_port=serving.reuse_port
                )
                self.grpc_port = self._grpc.port
            if self._http is not None:
                await self._http.start()
            if self._grpc is not None:
                await self._grpc.start()
        except BaseException:
            if sock is not None:
                sock.close()
            await self.engine.close()
            raise

    async def stop(self) -> None:
        """Say that no more requests are welcome, finish those that were accepted, and end."""
        self.engine.draining = True
        if self._grpc is not None:
            await self._grpc.say(ready=False)
        # Meanwhile calls are refused as UNAVAILABLE, so that clients know that another try is welcome.
        end = time.monotonic() + self.serving.limits.drain
        while self._unanswered() and time.monotonic() < end:
            await asyncio.sleep(_LOOK)
        servers = [server for server in (self._grpc, self._http) if server is not None]
        await asyncio.gather(*(server.stop() for server in servers))
        await self.engine.close()
        counts = self.engine.counts().values()
        _LOG.info(
            "stopped: %d requests accepted, %d answered, %d failed, %d dropped, %d refused",
            *(sum(getattr(each, name) for each in counts) for name in _ENDS),
        )

    def _unanswered(self) -> int:
        return self.engine.in_flight + (0 if self._api is None else self._api.unsent)


_ENDS = ("accepted", "answered", "failed", "dropped", "refused")


async def serve(serving: Serving, started: Callable[[Server], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    serving
        What is asked for.
    started
        Told when the ports are open.

    Raises
    ------
    TidegateError
        As `Server.start`.
    """
    server = Server(serving)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await server.start()
        with _tuned():
            started(server)
            await stop.wait()
            await server.stop()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Set the interpreter up for short answers, while a block lasts.

    What the imports and the models made is left out of garbage collection: it stays to the end, and looking through it
    (300 000 objects, of torch above all) would stop every request for a quarter of a second, again and again.
    """
    switch, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(switch)


def _bound(host: str, port: int, *, reuse: bool) -> socket.socket:
    """Take a port. Raises `OutputError` if it is taken, or the address is not this machine's."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise OutputError(f"cannot serve HTTP on {host}:{port}: {error.strerror or error}") from error
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OutputError(f"cannot serve HTTP on {host}:{port}: {error.strerror or error}") from error
    sock.setblocking(False)
    return sock
