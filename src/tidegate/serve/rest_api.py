"""The Open Inference Protocol over HTTP, an answer for people, and what Prometheus reads: an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from tidegate._core.version import __version__
from tidegate.serve.engine import Engine, Entry
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.grpc_api import EXTENSIONS, deadline_of
from tidegate.serve.rest_body import asked_of, json_bytes, json_object, response_of
from tidegate.serve.tensors import TensorSpec

__all__ = ["RestApi"]

_LOG = logging.getLogger("tidegate.serve")
_JSON = b"application/json"
_HEADER = b"inference-header-content-length"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Response = tuple[int, bytes, list[tuple[bytes, bytes]]]  # status, body, headers
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Gone(Exception):  # noqa: N818 - not an error: the client has left
    """The client no longer waits."""


class RestApi:
    """The application.

    Parameters
    ----------
    engine
        Answers.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request; this is what an ASGI server calls."""
        if scope["type"] != "http":
            raise RuntimeError(f"there is only HTTP here, no {scope['type']}")
        try:
            status, body, headers = await self._answered(scope, receive)
        except RequestError as fault:
            status, body = fault.status.http, json_bytes({"error": fault.message})
            headers = [(b"content-type", _JSON)]
            if fault.status in (Status.SLOW, Status.LARGE, Status.UNREADY):  # the rest of the body is not read
                headers.append((b"connection", b"close"))
        except _Gone:
            return
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answered(self, scope: Mapping[str, Any], receive: Receive) -> Response:
        parts = _parts(scope)
        match parts:
            case ["metrics"]:
                _require(scope, "GET")
                return 200, self._engine.metrics.text(), [(b"content-type", self._engine.metrics.content_type.encode())]
            case ["v2"]:
                _require(scope, "GET")
                return _json({"name": "tidegate", "version": __version__, "extensions": list(EXTENSIONS)})
            case ["v2", "health", "live"]:
                _require(scope, "GET")
                return _json({"live": True})
            case ["v2", "health", "ready"]:
                _require(scope, "GET")
                return _json({"ready": self._engine.ready}, 200 if self._engine.ready else 503)
            case ["v2", "models"]:
                _require(scope, "GET")
                return _json({"models": self._listed()})
            case ["v2", "models", name, "versions", version, *rest] if len(rest) <= 1:
                return await self._of_model(name, version, rest, scope, receive)
            case ["v2", "models", name, *rest] if len(rest) <= 1:
                return await self._of_model(name, "", rest, scope, receive)
        raise RequestError(Status.UNKNOWN, "there is no such page; see /v2, /v2/models and /metrics")

    async def _of_model(
        self, name: str, version: str, rest: list[str], scope: Mapping[str, Any], receive: Receive
    ) -> Response:
        match rest:
            case []:
                _require(scope, "GET")
                return _json(self._metadata(self._engine.find(name, version)))
            case ["ready"]:
                _require(scope, "GET")
                entry = self._engine.find(name, version)
                return _json({"name": entry.name, "ready": self._engine.ready}, 200 if self._engine.ready else 503)
            case ["infer"]:
                _require(scope, "POST")
                return await self._measured(self._infer, name, version, scope, receive)
            case ["forecast"]:
                _require(scope, "POST")
                return await self._measured(self._rows, name, version, scope, receive)
        raise RequestError(
            Status.UNKNOWN, f"a model has the pages infer, forecast and ready; there is no {rest[0][:80]!r}"
        )

    async def _measured(
        self,
        answer: Callable[..., Awaitable[Response]],
        name: str,
        version: str,
        scope: Mapping[str, Any],
        receive: Receive,
    ) -> Response:
        """Answer, within the limit of requests at once, and count."""
        engine = self._engine
        began = time.monotonic()
        model, status = ("", ""), "OK"
        try:
            with engine.entered():
                entry = engine.find(name, version)
                model = (entry.name, entry.version)
                return await answer(entry, scope, receive)
        except RequestError as fault:
            status = fault.status.name
            raise
        except (_Gone, asyncio.CancelledError):
            status = "CANCELLED"
            raise
        except Exception as error:
            status = Status.FAILED.name
            _LOG.exception("a request over HTTP failed")
            raise RequestError(Status.FAILED, "the server failed on this request; its log says why") from error
        finally:
            engine.metrics.request("http", model, status, time.monotonic() - began)

    async def _infer(self, entry: Entry, scope: Mapping[str, Any], receive: Receive) -> Response:
        body = await self._body(scope, receive)
        asked, identifier, binary = asked_of(body, _header_length(scope))
        deadline = deadline_of(asked.parameters, None, self._engine.limits.timeout)
        answer = await _while_connected(self._engine.ask(entry, asked, deadline), receive)
        content, head = response_of((entry.name, entry.version), identifier, asked, answer, binary)
        if head is None:
            return 200, content, [(b"content-type", _JSON)]
        return 200, content, [(b"content-type", b"application/octet-stream"), (_HEADER, b"%d" % head)]

    async def _rows(self, entry: Entry, scope: Mapping[str, Any], receive: Receive) -> Response:
        body = json_object(await self._body(scope, receive))
        deadline = deadline_of({}, None, self._engine.limits.timeout)
        answer = await _while_connected(self._engine.ask_rows(entry, body, deadline), receive)
        return _json({"model_name": entry.name, "model_version": entry.version, **answer})

    async def _body(self, scope: Mapping[str, Any], receive: Receive) -> bytes:
        """Read a body, within the limits of its size and of the time it may take."""
        most = self._engine.limits.message
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestError(Status.INVALID, "the body must come as it is, without Content-Encoding")
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > most:
            raise RequestError(Status.LARGE, f"the body has more than {most} bytes, the most that is taken")
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._engine.limits.reading):
                while True:
                    part = await receive()
                    if part["type"] == "http.disconnect":
                        raise _Gone
                    parts.append(part.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise RequestError(Status.LARGE, f"the body has more than {most} bytes, the most that is taken")
                    if not part.get("more_body"):
                        return b"".join(parts)
        except TimeoutError as error:
            raise RequestError(
                Status.SLOW, f"the body did not come within {self._engine.limits.reading:g} s; send it at once"
            ) from error

    def _listed(self) -> list[dict[str, str]]:
        entries = sorted(self._engine.entries(), key=lambda entry: (entry.name, int(entry.version)))
        return [{"name": entry.name, "version": entry.version, "kind": entry.served.kind} for entry in entries]

    def _metadata(self, entry: Entry) -> dict[str, Any]:
        signature = entry.served.signature
        return {
            "name": entry.name,
            "versions": self._engine.versions(entry.name),
            "platform": f"tidegate_{entry.served.kind}",
            "inputs": [_described(spec) for spec in signature.inputs],
            "outputs": [_described(spec) for spec in signature.outputs],
        }


async def _while_connected(answer: asyncio.Future[Any], receive: Receive) -> Any:
    """Wait for an answer as long as the client does."""
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((answer, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise _Gone
        return answer.result()
    finally:
        answer.cancel()
        leaving.cancel()


def _parts(scope: Mapping[str, Any]) -> list[str]:
    """Split the path before it is decoded, so that an encoded slash stays part of a name."""
    raw = scope.get("raw_path") or scope["path"].encode()
    parts = raw.partition(b"?")[0].split(b"/")[1:]
    return [
        unquote_to_bytes(part).decode("utf-8", "replace") for part in (parts[:-1] if parts[-1:] == [b""] else parts)
    ]


def _require(scope: Mapping[str, Any], method: str) -> None:
    if scope["method"] != method and (scope["method"], method) != ("HEAD", "GET"):
        raise RequestError(Status.METHOD, f"this page is asked with {method}; got {scope['method'][:20]}")


def _header_length(scope: Mapping[str, Any]) -> int | None:
    given = dict(scope["headers"]).get(_HEADER)
    if given is None:
        return None
    if not given.isdigit() or len(given) > 18:
        raise RequestError(Status.INVALID, "Inference-Header-Content-Length must be a number of bytes")
    return int(given)


def _json(value: Any, status: int = 200) -> Response:
    return status, json_bytes(value), [(b"content-type", _JSON)]


def _described(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatypes[0], "shape": list(spec.shape)} | (
        {"parameters": {"optional": True}} if spec.optional else {}
    )
