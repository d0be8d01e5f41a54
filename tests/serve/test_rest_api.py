"""The protocol over HTTP: a stock client, JSON and bytes, rows for people, metrics, and what bad requests are told."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as stock
from prometheus_client.parser import text_string_to_metric_families

from tidegate import Forecaster, __version__
from tidegate.serve.server import Server

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(server: Server) -> Ask:
    """Send a request as bytes, and give status and body."""

    def make(method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        assert server.http_port is not None
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=10)
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, sent, dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        is_json = response.getheader("content-type") == "application/json" and content
        return response.status, json.loads(content) if is_json else content

    return make


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[stock.InferenceServerClient]:
    opened = stock.InferenceServerClient(f"127.0.0.1:{server.http_port}")
    yield opened
    opened.close()


def tensor(values: np.ndarray, *, binary: bool) -> stock.InferInput:
    made = stock.InferInput("values", list(values.shape), "FP64")
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def body(values: Any, **changes: Any) -> dict[str, Any]:
    array = np.asarray(values, float)
    data = [None if np.isnan(each) else each for each in array.ravel()]
    return {"inputs": [{"name": "values", "datatype": "FP64", "shape": list(array.shape), "data": data, **changes}]}


def expected(model: Forecaster, frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict(frame[["unique_id", "ds", "y"]])["y_hat"].to_numpy().reshape(3, 4, 1))


def test_a_stock_client_sees_the_server(client: stock.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("load", "3")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["version"] == __version__
    assert client.get_model_metadata("load")["versions"] == ["1", "3"]


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False, None])
def test_a_stock_client_gets_what_predict_gives(
    client: stock.InferenceServerClient,
    model: Forecaster,
    frame: pd.DataFrame,
    values: np.ndarray,
    binary_input: bool,
    binary_output: bool | None,
) -> None:
    outputs = None if binary_output is None else [stock.InferRequestedOutput("forecast", binary_data=binary_output)]
    answer = client.infer("load", [tensor(values, binary=binary_input)], outputs=outputs, request_id="7")
    np.testing.assert_array_equal(answer.as_numpy("forecast"), expected(model, frame))
    response = answer.get_response()
    assert (response["model_name"], response["model_version"], response["id"]) == ("load", "3", "7")


def test_json_goes_in_and_out(ask: Ask, model: Forecaster, frame: pd.DataFrame, values: np.ndarray) -> None:
    status, answer = ask("POST", "/v2/models/load/versions/1/infer", body(values) | {"id": "x"})
    assert status == 200
    (output,) = answer.pop("outputs")
    assert answer == {"model_name": "load", "model_version": "1", "id": "x"}
    assert (output["name"], output["datatype"], output["shape"]) == ("forecast", "FP64", [3, 4, 1])
    np.testing.assert_array_equal(output["data"], expected(model, frame).ravel())
    nested = body(values)
    nested["inputs"][0]["data"] = values.tolist()
    assert ask("POST", "/v2/models/load/infer", nested)[1]["outputs"] == [output]


def test_null_is_a_missing_value(ask: Ask, model: Forecaster, frame: pd.DataFrame, values: np.ndarray) -> None:
    gaps = values.copy()
    gaps[:, 50] = np.nan
    answer = ask("POST", "/v2/models/load/infer", body(gaps))[1]
    told = frame[["unique_id", "ds"]].assign(y=gaps.ravel())
    np.testing.assert_array_equal(answer["outputs"][0]["data"], model.predict(told)["y_hat"])


def test_people_get_rows(ask: Ask, model: Forecaster, frame: pd.DataFrame) -> None:
    plain = frame[["unique_id", "ds", "y"]]
    rows = plain.assign(ds=plain["ds"].dt.strftime("%Y-%m-%d")).to_dict("records")
    status, answer = ask("POST", "/v2/models/load/forecast", {"rows": rows})
    assert status == 200
    assert [row["y_hat"] for row in answer["rows"]] == model.predict(plain)["y_hat"].tolist()
    assert answer["rows"][0] == {"unique_id": "s0", "ds": "2024-03-01T00:00:00", "y_hat": answer["rows"][0]["y_hat"]}
    status, answer = ask("POST", "/v2/models/load/forecast", {"rows": rows, "levels": [80]})
    assert status == 400
    assert answer["error"].startswith(
        "levels=[80.0] needs a predictive distribution, and this model gives points alone"
    )


def test_pages_about_models(ask: Ask) -> None:
    assert ask("GET", "/v2/health/live") == (200, {"live": True})
    assert ask("GET", "/v2/health/ready") == (200, {"ready": True})
    assert ask("GET", "/v2/models/load/versions/1/ready") == (200, {"name": "load", "ready": True})
    assert ask("GET", "/v2/models") == (
        200,
        {"models": [{"name": "load", "version": version, "kind": "forecaster"} for version in ("1", "3")]},
    )
    assert ask("HEAD", "/v2/models") == (200, b"")
    metadata = ask("GET", "/v2/models/load/")[1]
    assert metadata["inputs"][1] == {
        "name": "lengths",
        "datatype": "INT64",
        "shape": [-1],
        "parameters": {"optional": True},
    }


def test_prometheus_reads_the_metrics(ask: Ask, values: np.ndarray) -> None:
    ask("POST", "/v2/models/load/infer", body(values))
    ask("POST", "/v2/models/never%20there/infer", body(values))
    status, text = ask("GET", "/metrics")
    assert status == 200
    samples = [sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples]

    def value(name: str, **labels: str) -> float:
        return next(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())

    assert value("tidegate_ready") == 1
    assert value("tidegate_requests_total", protocol="http", model="load", version="3", status="OK") >= 1
    assert (
        value("tidegate_requests_total", protocol="http", model="", version="", status="INVALID") >= 1
    )  # no made-up name
    assert value("tidegate_model_accepted_total", model="load", version="3") >= 1
    assert value("tidegate_batch_rows_count", model="load", version="3") >= 1
    assert value("tidegate_request_seconds_count", protocol="http") >= 2


BINARY = json.dumps(
    {"inputs": [{"name": "values", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}]}
)
INFER = "/v2/models/load/infer"


@pytest.mark.parametrize(
    ("path", "sent", "status", "error"),
    [
        ("/v2/models/other/infer", body([[[1]]]), 404, "there is no model 'other'; see the folder that is served"),
        ("/v2/models/load/versions/2/infer", body([[[1]]]), 404, "model 'load' has no version '2'; it has 1, 3"),
        (
            "/v2/models/load/versions/..%2f1/infer",
            body([[[1]]]),
            400,
            "a version is a whole number from 1 on; got '../1'",
        ),
        (
            "/v2/models/..%2F..%2Fetc%2Fpasswd/infer",
            body([[[1]]]),
            400,
            "'../../etc/passwd' is no name of a model: those have letters, digits, '.', '_' and '-', and are no paths",
        ),
        ("/v2/models/../../etc/infer", body([[[1]]]), 404, "there is no such page; see /v2, /v2/models and /metrics"),
        (INFER, b"[1", 400, "the body is no JSON: Expecting ',' delimiter: line 1 column 3 (char 2)"),
        (INFER, b"[]", 400, "the body must be a JSON object"),
        (INFER, b'{"a": NaN}', 400, "the body is no JSON: NaN is no JSON; write null for a missing value"),
        (INFER, b"[" * 30_000, 400, "the body is no JSON: it is nested too deeply"),
        (INFER, {}, 400, "the body needs 'inputs': a list of tensors"),
        (INFER, {"inputs": {}}, 400, "'inputs' of the body must be a list"),
        (INFER, {"inputs": [1]}, 400, "inputs[0] must be an object with a 'name'"),
        (INFER, {"inputs": [{"name": "values"}]}, 400, "input 'values' needs a 'datatype' such as \"FP64\""),
        (INFER, body([[[1]]], shape=[1, "a"]), 400, "input 'values' needs a 'shape': a list of whole numbers"),
        (INFER, body([[[1]]], shape=[1, -1, 1]), 400, "input 'values' has a negative dimension: [1, -1, 1]"),
        (
            INFER,
            body([[[1]]], shape=[2**63, 2**63, 1]),
            413,
            f"input 'values' has a shape of too many elements: [{2**63}, {2**63}, 1]",
        ),
        (INFER, body([[[1]]], shape=[1, 2, 1]), 400, "input 'values' of shape [1, 2, 1] takes 2 elements; got 1"),
        (
            INFER,
            body([[[1]]], datatype="FP8"),
            400,
            "input 'values' has the datatype 'FP8', which is not one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, "
            "INT16, INT32, INT64, FP16, FP32, FP64, BYTES",
        ),
        (INFER, body([[[1]]], data="AAA"), 400, "input 'values' needs its elements in 'data', a list"),
        (INFER, body([[[1]]], name="prices"), 400, "there is no input 'prices'; there are values, lengths, time"),
        (
            INFER,
            body([[1]]),
            400,
            "input 'values' must have 3 dimensions, [-1, -1, 1] (-1 is any size); got [1, 1]",
        ),
        (INFER, body(np.zeros((9, 30, 1))), 413, "the request has 9 rows; at most 8 are taken at once"),
        (
            INFER,
            body(np.full((1, 30, 1), np.nan)),
            400,
            "row 0 of input 'values' holds no value in the window that is read; all are NaN",
        ),
        (INFER, {"inputs": body([[[1]]])["inputs"] * 2}, 400, "input 'values' is given twice"),
        (INFER, {"inputs": [{"name": "x"}] * 101}, 413, "the body holds 101 inputs; at most 100 are taken"),
        (
            INFER,
            body(np.zeros((1, 30, 1))) | {"outputs": [{"name": "mean"}]},
            400,
            "there is no output 'mean'; there are forecast",
        ),
        (
            INFER,
            body(np.zeros((1, 30, 1))) | {"parameters": {"a": []}},
            400,
            "parameter 'a' of the request must be a number, text, true or false",
        ),
        (
            INFER,
            BINARY.encode(),
            400,
            "input 'values': binary_data_size must be a number of bytes that follow the JSON (0 are left), without "
            "'data' beside it; got 8",
        ),
        (
            INFER,
            body(np.zeros((1, 30, 1))) | {"parameters": {"sequence_id": 9}},
            409,
            "sequence 9 has not begun, or has expired; begin it with sequence_start",
        ),
        (
            INFER,
            body(np.zeros((1, 30, 1))) | {"parameters": {"timeout": 1}},
            504,
            "there was no answer within the time given",
        ),
        (INFER, b"x" * 65537, 413, "the body has more than 65536 bytes, the most that is taken"),
        ("/v2/models/load/forecast", {}, 400, "the body needs 'rows': a list of objects, one a row"),
        (
            "/v2/models/load/explain",
            {},
            404,
            "a model has the pages infer, forecast and ready; there is no 'explain'",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(ask: Ask, path: str, sent: Any, status: int, error: str) -> None:
    assert ask("POST", path, sent) == (status, {"error": error})


def test_pages_are_asked_in_one_way(ask: Ask) -> None:
    assert ask("GET", INFER) == (405, {"error": "this page is asked with POST; got GET"})
    assert ask("POST", "/v2", b"") == (405, {"error": "this page is asked with GET; got POST"})
    assert ask("GET", "/") == (404, {"error": "there is no such page; see /v2, /v2/models and /metrics"})


@pytest.mark.parametrize(
    ("length", "error"),
    [
        ("x", "Inference-Header-Content-Length must be a number of bytes"),
        ("100000", f"Inference-Header-Content-Length is 100000, the body has {len(BINARY) + 9} bytes"),
        (str(len(BINARY)), "1 bytes follow the JSON that belong to no input"),
    ],
)
def test_binary_tensors_must_fit(ask: Ask, length: str, error: str) -> None:
    headers = {"Inference-Header-Content-Length": length}
    assert ask("POST", INFER, BINARY.encode() + b"\0" * 9, headers=headers) == (400, {"error": error})


def test_compressed_bodies_are_refused(ask: Ask) -> None:
    status, answer = ask("POST", INFER, b"x", headers={"Content-Encoding": "gzip"})
    assert (status, answer) == (400, {"error": "the body must come as it is, without Content-Encoding"})


def raw(server: Server, sent: bytes, *, patience: float = 5) -> tuple[bytes, float]:
    """Send bytes and wait until the server closes; give what came, and after how long."""
    assert server.http_port is not None
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=patience) as connection:
        connection.sendall(sent)
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    return received, time.monotonic() - began


def test_a_body_that_does_not_come_is_not_waited_for(server: Server) -> None:
    received, seconds = raw(server, b"POST /v2/models/load/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    assert received.startswith(b"HTTP/1.1 408 ")
    assert received.endswith(b'{"error":"the body did not come within 0.3 s; send it at once"}')
    assert seconds < 4
    assert server.engine.in_flight == 0


@pytest.mark.parametrize("sent", [b"", b"POST /v2/models/load/infer HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(server: Server, sent: bytes) -> None:
    received, seconds = raw(server, sent)
    assert received == b""
    assert seconds < 4


def test_an_endless_body_is_cut_off(server: Server) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    head = b"POST /v2/models/load/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    received, _ = raw(server, head + 3 * chunk)
    assert received.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_leaves_is_not_answered(server: Server, values: np.ndarray) -> None:
    assert server.http_port is not None
    content = json.dumps(body(values)).encode()
    head = b"POST /v2/models/load/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(content)
    with socket.create_connection(("127.0.0.1", server.http_port)) as connection:
        connection.sendall(head + content)
    end = time.monotonic() + 10
    while server.engine.in_flight or not all(entry.batcher.settled for entry in server.engine.entries()):
        assert time.monotonic() < end
        time.sleep(0.01)
