"""The gRPC server: the inference service, health and reflection on one port."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from tidegate._core.extras import require
from tidegate.errors import OutputError
from tidegate.serve.grpc_api import GrpcApi, reflected_pool
from tidegate.serve.limits import Limits
from tidegate.serve.protocol import SERVICE
from tidegate.serve.tls import Tls

for _module in ("grpc", "grpc_health", "grpc_reflection"):
    require(_module, extra="serve", purpose="tidegate serve")

import grpc  # noqa: E402
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc  # noqa: E402

__all__ = ["GrpcServer"]

_IDLE = 600_000  # milliseconds without a call after which a connection is closed
_PING = 60_000  # milliseconds after which a silent connection is asked whether anybody is there
_PENDING = 100_000  # calls that gRPC holds for us: the queue refuses sooner, and says why
_FAREWELL = 1.0  # seconds until connections whose clients do not close them are cut


class GrpcServer:
    """Serves the protocol.

    Parameters
    ----------
    api
        What answers.
    address
        ``host:port``; port 0 takes a free one.
    limits
        Of messages and streams.
    tls
        ``None`` serves in the clear.
    reuse_port
        Share the port with other processes that do so too.
    """

    def __init__(self, api: GrpcApi, address: str, *, limits: Limits, tls: Tls | None, reuse_port: bool) -> None:
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.message),
                ("grpc.max_send_message_length", limits.message),
                ("grpc.max_metadata_size", 16 * 1024),
                ("grpc.max_concurrent_streams", limits.concurrency),
                ("grpc.server.max_pending_requests", _PENDING),
                ("grpc.server.max_pending_requests_hard_limit", _PENDING),
                ("grpc.max_connection_idle_ms", _IDLE),
                ("grpc.keepalive_time_ms", _PING),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.so_reuseport", int(reuse_port)),
            ]
        )
        self._server.add_generic_rpc_handlers((api.handler(),))
        self._health = health.aio.HealthServicer()
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        services = _Services(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, services)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
            reflection.aio.ReflectionServicer(names, pool=reflected_pool()), services
        )
        try:
            if tls is None:
                self.port: int = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, _credentials(tls))
        except RuntimeError as error:
            raise OutputError(f"cannot serve gRPC on {address}: the address is taken, or not this machine's") from error

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()
        await self.say(ready=True)

    async def say(self, *, ready: bool) -> None:
        """Tell those who watch the health whether requests are welcome."""
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE):
            await self._health.set(name, status)

    async def stop(self) -> None:
        """Take no more calls, and end; what was accepted is to be answered by now.

        The connections are hung up first. gRPC ends calls that have come but have met no handler yet as CANCELLED when
        it is told to stop (https://github.com/grpc/grpc/issues/41785), as if their client had wished it. Of a
        connection that ends, clients make UNAVAILABLE, and may try again.
        """
        await self._health.enter_graceful_shutdown()
        _hang_up(self.port)
        await self._server.stop(_FAREWELL)


class _Services:
    """Adds services to a server by their names alone.

    A server waits for the next call of each method that is *registered* anew after every call of any of them, so that
    those of health and reflection would cost each request for inference.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Leave them out."""


def _hang_up(port: int) -> None:
    """Send no more on the connections that clients have opened to a port of this process, and let them know.

    gRPC gives no access to its sockets; they are found among the open files.
    """
    for number in [int(file.name) for file in Path("/dev/fd").iterdir()]:
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as sock:
                if (
                    sock.family in (socket.AF_INET, socket.AF_INET6)
                    and sock.getsockname()[1] == port
                    and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                ):
                    sock.shutdown(socket.SHUT_WR)  # after what is on its way
        except OSError:  # closed meanwhile
            continue


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    clients = None if tls.clients is None else tls.clients.read_bytes()
    pair = [(tls.key.read_bytes(), tls.certificate.read_bytes())]
    return grpc.ssl_server_credentials(pair, clients, require_client_auth=clients is not None)
