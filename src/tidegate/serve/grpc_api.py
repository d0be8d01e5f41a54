"""The Open Inference Protocol over gRPC, with health and reflection beside it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tidegate._core.extras import require
from tidegate._core.version import __version__
from tidegate.serve.engine import Engine, Entry
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.protocol import POOL, SERVICE, message
from tidegate.serve.served import Answer, Asked
from tidegate.serve.tensors import DATATYPES, datatype_of, from_list, from_raw, to_raw

require("grpc", extra="serve", purpose="tidegate serve")

import grpc  # noqa: E402
from google.protobuf.message import DecodeError  # noqa: E402

__all__ = ["EXTENSIONS", "GrpcApi", "deadline_of"]

_LOG = logging.getLogger("tidegate.serve")
EXTENSIONS = ("binary_tensor_data", "sequence", "parameters")
_MICROSECONDS = 1e-6
_CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}  # fmt: skip
_Live = message("ServerLiveResponse")
_Ready = message("ServerReadyResponse")
_ModelReady = message("ModelReadyResponse")
_Server = message("ServerMetadataResponse")
_Model = message("ModelMetadataResponse")
_Infer = message("ModelInferResponse")
_NO_MODEL = ("", "")

Method = Callable[[Any, Any], Awaitable[Any]]


def deadline_of(parameters: Mapping[str, Any], remaining: float | None, limit: float) -> float:
    """Say until when, by `time.monotonic`, a request waits: its own ``timeout`` (µs), its call's, the server's."""
    seconds = limit if remaining is None else min(remaining, limit)
    given = parameters.get("timeout") if parameters else None
    if isinstance(given, int | float) and given > 0:
        seconds = min(seconds, given * _MICROSECONDS)
    return time.monotonic() + seconds


class GrpcApi:
    """The service ``inference.GRPCInferenceService``.

    Parameters
    ----------
    engine
        Answers.

    Attributes
    ----------
    unsent
        Calls that were let in and whose answers gRPC has not sent yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.unsent = 0  # answers that are awaited, or on their way
        self._codes = {status: getattr(grpc.StatusCode, status.grpc) for status in Status}

    def handler(self) -> grpc.GenericRpcHandler:
        """Give what a server is told of the service."""
        methods: dict[str, Method] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server,
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._readable(f"{name}Request", method),
                request_deserializer=_reader(f"{name}Request"),
                response_serializer=message(f"{name}Response").SerializeToString,
            )
            for name, method in methods.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _readable(self, kind: str, method: Method) -> Method:
        """Refuse bytes that are no message, which gRPC would call an error of an unknown kind."""

        async def answered(request: Any, context: Any) -> Any:
            if request is None:
                await self._refuse(
                    context, RequestError(Status.INVALID, f"the bytes of the call are no {kind}; see the protocol")
                )
            return await method(request, context)

        return answered

    async def _live(self, request: Any, context: Any) -> Any:  # noqa: ARG002 - gRPC hands it over
        return _Live(live=True)

    async def _ready(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return _Ready(ready=self._engine.ready)

    async def _model_ready(self, request: Any, context: Any) -> Any:
        try:
            self._engine.find(request.name, request.version)
        except RequestError as fault:
            if fault.status is not Status.UNKNOWN:
                await self._refuse(context, fault)
            return _ModelReady(ready=False)
        return _ModelReady(ready=self._engine.ready)

    async def _server(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return _Server(name="tidegate", version=__version__, extensions=EXTENSIONS)

    async def _model(self, request: Any, context: Any) -> Any:
        try:
            entry = self._engine.find(request.name, request.version)
        except RequestError as fault:
            await self._refuse(context, fault)
            raise
        signature = entry.served.signature
        made = _Model(
            name=entry.name, versions=self._engine.versions(entry.name), platform=f"tidegate_{entry.served.kind}"
        )
        for specs, field in ((signature.inputs, made.inputs), (signature.outputs, made.outputs)):
            for spec in specs:
                field.add(name=spec.name, datatype=spec.datatypes[0], shape=spec.shape)
        return made

    async def _infer(self, request: Any, context: Any) -> Any:
        engine = self._engine
        began = time.monotonic()
        model, status = _NO_MODEL, "OK"
        try:
            with engine.entered():
                self.unsent += 1
                context.add_done_callback(self._sent)
                entry = engine.find(request.model_name, request.model_version)
                model = (entry.name, entry.version)
                entry.batcher.require_room()
                asked = _asked(request)
                deadline = deadline_of(asked.parameters, context.time_remaining(), engine.limits.timeout)
                answer = await engine.ask(entry, asked, deadline)
                return _response(entry, request.id, asked, answer)
        except RequestError as fault:
            status = fault.status.name
            await self._refuse(context, fault)
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except Exception:
            status = Status.FAILED.name
            _LOG.exception("a request over gRPC failed")
            await self._refuse(
                context, RequestError(Status.FAILED, "the server failed on this request; its log says why")
            )
        finally:
            engine.metrics.request("grpc", model, status, time.monotonic() - began)

    def _sent(self, context: Any) -> None:  # noqa: ARG002 - gRPC hands it over
        self.unsent -= 1

    async def _refuse(self, context: Any, fault: RequestError) -> None:
        await context.abort(self._codes[fault.status], fault.message)


def _reader(kind: str) -> Callable[[bytes], Any]:
    """Give what reads messages of a kind; ``None`` stands for bytes that are none."""
    read = message(kind).FromString

    def attempt(content: bytes) -> Any:
        try:
            return read(content)
        except DecodeError:
            return None

    return attempt


def _asked(request: Any) -> Asked:
    """Read a ``ModelInferRequest``."""
    raw = request.raw_input_contents
    inputs = {}
    if raw and len(raw) != len(request.inputs):
        raise RequestError(
            Status.INVALID,
            f"raw_input_contents holds {len(raw)} tensors, inputs {len(request.inputs)}; give one an input",
        )
    for place, tensor in enumerate(request.inputs):
        name = tensor.name
        if name in inputs:
            raise RequestError(Status.INVALID, f"input {name[:80]!r} is given twice")
        if raw:
            if tensor.HasField("contents"):
                raise RequestError(
                    Status.INVALID, f"input {name[:80]!r} has contents beside raw_input_contents; give one"
                )
            inputs[name] = from_raw(name, tensor.datatype, tensor.shape, raw[place])
        else:
            inputs[name] = _typed(name, tensor)
    parameters = {key: _value(key, value) for key, value in request.parameters.items()} if request.parameters else {}
    return Asked(inputs=inputs, parameters=parameters, outputs=tuple(output.name for output in request.outputs))


def _typed(name: str, tensor: Any) -> Any:
    """Read the contents that stand in fields of their own types."""
    datatype = tensor.datatype
    field = _CONTENTS.get(datatype)
    if field is None and datatype in DATATYPES:
        raise RequestError(Status.INVALID, f"input {name[:80]!r} of {datatype} must come in raw_input_contents")
    filled = [found.name for found, _ in tensor.contents.ListFields() if found.name != field]
    if field is not None and filled:
        raise RequestError(
            Status.INVALID, f"input {name[:80]!r} of {datatype} must stand in {field}; something stands in {filled[0]}"
        )
    values = [] if field is None else getattr(tensor.contents, field)
    return from_list(name, datatype, tensor.shape, list(values))


def _value(name: str, parameter: Any) -> Any:
    choice = parameter.WhichOneof("parameter_choice")
    if choice is None:
        raise RequestError(Status.INVALID, f"parameter {name[:80]!r} has no value")
    return getattr(parameter, choice)


def _response(entry: Entry, identifier: str, asked: Asked, answer: Answer) -> Any:
    """Write a ``ModelInferResponse``, with raw contents."""
    response = _Infer(model_name=entry.name, model_version=entry.version, id=identifier)
    for name in asked.outputs or answer.outputs:
        array = answer.outputs[name]
        response.outputs.add(name=name, datatype=datatype_of(array), shape=array.shape)
        response.raw_output_contents.append(to_raw(array))
    for name, value in answer.parameters.items():
        response.parameters[name].string_param = value
    return response


def reflected_pool() -> Any:
    """Give the descriptors that reflection tells of: the service's own, those of health and of reflection itself."""
    from google.protobuf import descriptor_pool
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection_pb2

    pool = descriptor_pool.DescriptorPool()
    own = POOL.FindFileContainingSymbol(SERVICE)
    for file in (own, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        pool.AddSerializedFile(file.serialized_pb)
    return pool
