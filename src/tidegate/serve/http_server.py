"""The HTTP server beside the gRPC one, in the same event loop: uvicorn, with a time limit on slow clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from tidegate._core.extras import require
from tidegate.serve.limits import Limits
from tidegate.serve.rest_api import RestApi
from tidegate.serve.tls import Tls

require("uvicorn", extra="serve", purpose="tidegate serve")

import uvicorn  # noqa: E402
from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: E402

__all__ = ["HttpServer"]


class HttpServer:
    """Serves an application on a socket.

    Parameters
    ----------
    application
        What answers.
    sock
        Bound; it is listened on.
    limits
        Of the time that clients may take, and of the drain.
    tls
        ``None`` serves in the clear.
    """

    def __init__(self, application: RestApi, sock: socket.socket, *, limits: Limits, tls: Tls | None) -> None:
        config = uvicorn.Config(
            application,
            http=_with_patience(limits.reading),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(max(5, limits.reading)),
            timeout_graceful_shutdown=int(max(1, limits.drain)),
            ssl_certfile=None if tls is None else str(tls.certificate),
            ssl_keyfile=None if tls is None else str(tls.key),
            ssl_ca_certs=None if tls is None or tls.clients is None else str(tls.clients),
            ssl_cert_reqs=ssl.CERT_NONE if tls is None or tls.clients is None else ssl.CERT_REQUIRED,
        )
        config.load()  # a certificate that cannot be read shows here
        self._server = _Quiet(config)
        self._socket = sock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Take no more connections, finish the requests that have come, and end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Quiet(uvicorn.Server):
    """Leaves signals to `tidegate.serve.server`, which has two servers to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _with_patience(seconds: float) -> type[H11Protocol]:
    """Give a protocol that closes connections whose next request does not begin to be whole in time.

    uvicorn waits for the head of a request as long as a client likes, which a few idle clients can use up.
    """

    class Patient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._forget()

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif self._timer is None:
                self._timer = self.loop.call_later(seconds, self._close)

        def _forget(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _close(self) -> None:
            self._timer = None
            if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
                self.transport.close()

    return Patient
