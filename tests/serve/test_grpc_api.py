"""The protocol over gRPC: a stock client, health, reflection, and what each bad request is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as stock
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tidegate import Forecaster, __version__
from tidegate.serve.kinds.forecaster import ServedForecaster
from tidegate.serve.protocol import SERVICE, message
from tidegate.serve.served import Asked
from tidegate.serve.server import Server

Request = message("ModelInferRequest")


@pytest.fixture(scope="module")
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[stock.InferenceServerClient]:
    opened = stock.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    yield opened
    opened.close()


@pytest.fixture
def call(channel: grpc.Channel) -> Callable[..., Any]:
    """Make a call of the service, by the messages that Tidegate builds."""

    def make(method: str, request: Any, *, timeout: float = 10) -> Any:
        made = channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=message(f"{method}Response").FromString,
        )
        return made(request, timeout=timeout)

    return make


def tensor(name: str, array: np.ndarray, datatype: str = "FP64") -> stock.InferInput:
    made = stock.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def request(array: np.ndarray, *, model: str = "load", **options: Any) -> Any:
    made = Request(model_name=model, **options)
    made.inputs.add(name="values", datatype="FP64", shape=array.shape)
    made.raw_input_contents.append(array.tobytes())
    return made


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def test_a_stock_client_sees_the_server(client: stock.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("load")
    assert client.is_model_ready("load", "1")
    assert not client.is_model_ready("load", "2")
    assert not client.is_model_ready("other")
    about = client.get_server_metadata()
    assert (about.name, about.version) == ("tidegate", __version__)
    metadata = client.get_model_metadata("load")
    assert (metadata.name, list(metadata.versions), metadata.platform) == ("load", ["1", "3"], "tidegate_forecaster")
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [
        ("values", "FP64", [-1, -1, 1]),
        ("lengths", "INT64", [-1]),
        ("time", "BYTES", [-1]),
    ]
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.outputs] == [
        ("forecast", "FP64", [-1, 4, 1])
    ]


def test_a_stock_client_gets_what_predict_gives(
    client: stock.InferenceServerClient, model: Forecaster, frame: Any, values: np.ndarray
) -> None:
    answer = client.infer("load", [tensor("values", values)], request_id="7")
    expected = model.predict(frame[["unique_id", "ds", "y"]])["y_hat"].to_numpy().reshape(3, 4, 1)
    np.testing.assert_array_equal(answer.as_numpy("forecast"), expected)
    response = answer.get_response()
    assert (response.model_name, response.model_version, response.id) == ("load", "3", "7")


def test_typed_contents_are_taken_too(call: Callable[..., Any], model: Forecaster, values: np.ndarray) -> None:
    made = Request(model_name="load", model_version="1")
    made.inputs.add(name="values", datatype="FP64", shape=values.shape).contents.fp64_contents.extend(values.ravel())
    lengths = np.array([60, 50, 40])
    made.inputs.add(name="lengths", datatype="INT64", shape=[3]).contents.int64_contents.extend(lengths)
    made.outputs.add(name="forecast")
    response = call("ModelInfer", made)
    served = ServedForecaster(model)
    rows = served.prepare(Asked(inputs={"values": values, "lengths": lengths}, parameters={}), 8)
    assert response.model_version == "1"
    assert response.outputs[0].shape == [3, 4, 1]
    found = np.frombuffer(response.raw_output_contents[0]).reshape(3, 4, 1)
    np.testing.assert_array_equal(found, served.run(rows).outputs["forecast"])


def test_a_stream_goes_on_from_its_rows(client: stock.InferenceServerClient, values: np.ndarray) -> None:
    def ask(array: np.ndarray, **options: Any) -> np.ndarray:
        return np.asarray(
            client.infer("load", [tensor("values", np.ascontiguousarray(array))], **options).as_numpy("forecast")
        )

    series = values[:1]
    for first, last in ((0, 20), (20, 21), (21, 60)):
        told = ask(series[:, first:last], sequence_id=5, sequence_start=first == 0, sequence_end=last == 60)
        np.testing.assert_allclose(told, ask(series[:, :last]), rtol=1e-12)
    status, details = refusal_of_stock(lambda: ask(series[:, :1], sequence_id=5))
    assert status == "StatusCode.FAILED_PRECONDITION"
    assert details == "sequence 5 has not begun, or has expired; begin it with sequence_start"


def test_there_are_only_so_many_streams(client: stock.InferenceServerClient, values: np.ndarray) -> None:
    def begin(name: str, *, end: bool = False) -> None:
        client.infer("load", [tensor("values", values[:1])], sequence_id=name, sequence_start=True, sequence_end=end)

    begin("a")
    begin("b")
    begin("a")  # again
    assert refusal_of_stock(lambda: begin("c")) == (
        "StatusCode.RESOURCE_EXHAUSTED",
        "2 sequences are kept already, the most; end one, or try later",
    )
    begin("a", end=True)
    begin("b", end=True)


def refusal_of_stock(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(stock.InferenceServerException) as caught:
        call()
    return caught.value.status(), caught.value.message()


def wrong(**changes: Any) -> Any:
    made = request(np.zeros((1, 30, 1)))
    for name, value in changes.items():
        setattr(made.inputs[0], name, value) if name != "shape" else made.inputs[0].shape.__setitem__(
            slice(None), value
        )
    return made


def doubled() -> Any:
    made = request(np.zeros((1, 30, 1)))
    made.inputs.append(made.inputs[0])
    made.raw_input_contents.append(made.raw_input_contents[0])
    return made


def both() -> Any:
    made = request(np.zeros((1, 30, 1)))
    made.inputs[0].contents.fp64_contents.append(1.0)
    return made


def unpaired() -> Any:
    made = request(np.zeros((1, 30, 1)))
    made.raw_input_contents.append(b"")
    return made


def misplaced() -> Any:
    made = Request(model_name="load")
    made.inputs.add(name="values", datatype="FP64", shape=[1]).contents.fp32_contents.append(1.0)
    return made


def sixteen() -> Any:
    made = Request(model_name="load")
    made.inputs.add(name="values", datatype="FP16", shape=[1])
    return made


def parameter(name: str, **value: Any) -> Any:
    made = request(np.zeros((1, 30, 1)))
    made.parameters[name].CopyFrom(message("InferParameter")(**value))
    return made


@pytest.mark.parametrize(
    ("made", "status", "details"),
    [
        (
            request(np.zeros((1, 30, 1)), model="other"),
            "NOT_FOUND",
            "there is no model 'other'; see the folder that is served",
        ),
        (
            request(np.zeros((1, 30, 1)), model_version="2"),
            "NOT_FOUND",
            "model 'load' has no version '2'; it has 1, 3",
        ),
        (
            request(np.zeros((1, 30, 1)), model_version="../1"),
            "INVALID_ARGUMENT",
            "a version is a whole number from 1 on; got '../1'",
        ),
        (
            request(np.zeros((1, 30, 1)), model="../../etc/passwd"),
            "INVALID_ARGUMENT",
            "'../../etc/passwd' is no name of a model: those have letters, digits, '.', '_' and '-', and are no paths",
        ),
        (wrong(name="prices"), "INVALID_ARGUMENT", "there is no input 'prices'; there are values, lengths, time"),
        (
            wrong(shape=[30, 1]),
            "INVALID_ARGUMENT",
            "input 'values' must have 3 dimensions, [-1, -1, 1] (-1 is any size); got [30, 1]",
        ),
        (wrong(datatype="FP32"), "INVALID_ARGUMENT", "input 'values' of FP32 [1, 30, 1] takes 120 bytes; got 240"),
        (wrong(datatype="INT64"), "INVALID_ARGUMENT", "input 'values' must be FP64 or FP32; got INT64"),
        (wrong(shape=[1, 31, 1]), "INVALID_ARGUMENT", "input 'values' of FP64 [1, 31, 1] takes 248 bytes; got 240"),
        (wrong(shape=[1, -30, 1]), "INVALID_ARGUMENT", "input 'values' has a negative dimension: [1, -30, 1]"),
        (
            wrong(shape=[2**62, 4, 1]),
            "RESOURCE_EXHAUSTED",
            f"input 'values' has a shape of too many elements: [{2**62}, 4, 1]",
        ),
        (request(np.zeros((9, 30, 1))), "RESOURCE_EXHAUSTED", "the request has 9 rows; at most 8 are taken at once"),
        (
            request(np.full((1, 30, 1), np.nan)),
            "INVALID_ARGUMENT",
            "row 0 of input 'values' holds no value in the window that is read; all are NaN",
        ),
        (Request(model_name="load"), "INVALID_ARGUMENT", "input 'values' is missing; the model needs values"),
        (doubled(), "INVALID_ARGUMENT", "input 'values' is given twice"),
        (both(), "INVALID_ARGUMENT", "input 'values' has contents beside raw_input_contents; give one"),
        (
            unpaired(),
            "INVALID_ARGUMENT",
            "raw_input_contents holds 2 tensors, inputs 1; give one an input",
        ),
        (
            misplaced(),
            "INVALID_ARGUMENT",
            "input 'values' of FP64 must stand in fp64_contents; something stands in fp32_contents",
        ),
        (sixteen(), "INVALID_ARGUMENT", "input 'values' of FP16 must come in raw_input_contents"),
        (parameter("a"), "INVALID_ARGUMENT", "parameter 'a' has no value"),
        (
            parameter("sequence_id", double_param=1.5),
            "INVALID_ARGUMENT",
            "parameter 'sequence_id' must be a whole number, or text of up to 200 characters",
        ),
        (
            parameter("timeout", int64_param=1),
            "DEADLINE_EXCEEDED",
            "there was no answer within the time given",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(call: Callable[..., Any], made: Any, status: str, details: str) -> None:
    assert refusal(lambda: call("ModelInfer", made)) == (status, details)


def test_a_message_beyond_the_limit_is_refused(call: Callable[..., Any]) -> None:
    status, details = refusal(lambda: call("ModelInfer", request(np.zeros((1, 9000, 1)))))
    assert status == "RESOURCE_EXHAUSTED"
    assert "larger than max (72" in details


def test_a_request_that_is_no_message_is_refused(channel: grpc.Channel) -> None:
    for method in ("ModelInfer", "ModelReady"):
        found = refusal(lambda: channel.unary_unary(f"/{SERVICE}/{method}")(b"\xff\xff\xff", timeout=10))  # noqa: B023
        assert found == (
            "INVALID_ARGUMENT",
            f"the bytes of the call are no {method}Request; see the protocol",
        )
    status, _ = refusal(lambda: channel.unary_unary(f"/{SERVICE}/Unknown")(b"", timeout=10))
    assert status == "UNIMPLEMENTED"


def test_metadata_of_what_is_not_there(call: Callable[..., Any]) -> None:
    asked = message("ModelMetadataRequest")(name="other")
    assert refusal(lambda: call("ModelMetadata", asked))[0] == "NOT_FOUND"
    asked = message("ModelReadyRequest")(name="/etc")
    assert refusal(lambda: call("ModelReady", asked))[0] == "INVALID_ARGUMENT"


def test_late_and_cancelled_calls_leave_nothing_behind(
    server: Server, channel: grpc.Channel, call: Callable[..., Any], values: np.ndarray
) -> None:
    assert refusal(lambda: call("ModelInfer", request(values), timeout=0))[0] == "DEADLINE_EXCEEDED"
    going = channel.unary_unary(f"/{SERVICE}/ModelInfer").future(request(values).SerializeToString(), timeout=10)
    going.cancel()
    end = time.monotonic() + 10
    while server.engine.in_flight or not all(entry.batcher.settled for entry in server.engine.entries()):
        assert time.monotonic() < end
        time.sleep(0.01)
    call("ModelInfer", request(values))


def test_health(channel: grpc.Channel) -> None:
    asked = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE):
        assert asked.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING


def test_reflection(channel: grpc.Channel) -> None:
    asked = reflection_pb2_grpc.ServerReflectionStub(channel)
    questions = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    listed, found = asked.ServerReflectionInfo(iter(questions), timeout=10)
    assert [each.name for each in listed.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        SERVICE,
    ]
    file = descriptor_pb2.FileDescriptorProto.FromString(found.file_descriptor_response.file_descriptor_proto[0])
    assert [method.name for method in file.service[0].method] == [
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
    ]
