"""The gRPC server: the inference service, health and reflection on one port."""

from __future__ import annotations

import asyncio

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
from grpc_reflection.v1alpha import reflection  # noqa: E402

__all__ = ["GrpcServer"]

_IDLE = 600_000  # milliseconds without a call after which a connection is closed
_PING = 60_000  # milliseconds after which a silent connection is asked whether anybody is there


class GrpcServer:
    """Serves the protocol.

    Parameters
    ----------
    api
        What answers.
    address
        ``host:port``; port 0 takes a free one.
    limits
        Of messages, streams and the drain.
    tls
        ``None`` serves in the clear.
    reuse_port
        Share the port with other processes that do so too.
    """

    def __init__(self, api: GrpcApi, address: str, *, limits: Limits, tls: Tls | None, reuse_port: bool) -> None:
        self._limits = limits
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.message),
                ("grpc.max_send_message_length", limits.message),
                ("grpc.max_metadata_size", 16 * 1024),
                ("grpc.max_concurrent_streams", limits.concurrency),
                ("grpc.max_connection_idle_ms", _IDLE),
                ("grpc.keepalive_time_ms", _PING),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.so_reuseport", int(reuse_port)),
            ]
        )
        self._server.add_generic_rpc_handlers((api.handler(),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, pool=reflected_pool())
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
        """Take no more calls, finish those that have come, and end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._limits.drain)
        await asyncio.sleep(0)


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    clients = None if tls.clients is None else tls.clients.read_bytes()
    pair = [(tls.key.read_bytes(), tls.certificate.read_bytes())]
    return grpc.ssl_server_credentials(pair, clients, require_client_auth=clients is not None)
