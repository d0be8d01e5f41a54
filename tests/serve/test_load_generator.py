"""`benchmarks/serving_load`: a client of its own sees what a stock client sees."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tidegate.serve.limits import Limits
from tidegate.serve.protocol import message
from tidegate.serve.server import Server

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from serving_load import hpack
from serving_load.generator import Load, Shape, request

Start = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture
def limited(start: Start, folder: Path) -> Iterator[Server]:
    with start(folder, limits=Limits(poll=60, rows=2)) as server:
        yield server


def asked(server: Server, values: np.ndarray) -> triton.InferResult:
    given = triton.InferInput("values", list(values.shape), "FP64")
    given.set_data_from_numpy(values)
    with triton.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        return client.infer("load", [given], outputs=[triton.InferRequestedOutput("forecast")])


def test_it_agrees_with_a_stock_client(limited: Server, values: np.ndarray) -> None:
    load = Load(f"127.0.0.1:{limited.grpc_port}", request("load", values[:1]), channels=2)
    load.run(Shape(duration=0.1, in_flight=3))
    load.run(Shape(duration=0.05, rate=200, burst=5))
    load.close()
    answer = message("ModelInferResponse").FromString(load.first)
    forecast = np.frombuffer(answer.raw_output_contents[0]).reshape(answer.outputs[0].shape)
    np.testing.assert_allclose(forecast, asked(limited, values[:1]).as_numpy("forecast"), rtol=1e-5)
    counts = limited.engine.counts()["load", "3"]
    assert counts.accepted == counts.answered == load.ends["OK"] + 1  # and that of the stock client
    assert load.ends["OK"] == len(load.seconds) > 10


def test_it_is_refused_as_a_stock_client_is(limited: Server, values: np.ndarray) -> None:
    load = Load(f"127.0.0.1:{limited.grpc_port}", request("load", values))
    load.run(Shape(duration=0.05, in_flight=1, pause=1))
    load.close()
    with pytest.raises(InferenceServerException) as caught:
        asked(limited, values)
    assert "RESOURCE_EXHAUSTED" in str(caught.value.status())
    assert +load.ends == {"RESOURCE_EXHAUSTED": 1}
    assert load.details == {f"RESOURCE_EXHAUSTED: {caught.value.message()}": 1}


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"\x88", {":status": "200"}),
        (b"\x20\x00\x0bgrpc-status\x018", {"grpc-status": "8"}),  # after "the table has no room"
        (b"\x40\x0bgrpc-status\x8214", {"grpc-status": "huffman-3134"}),
        (b"\x10\x0bgrpc-status\x81\x07", {"grpc-status": "0"}),
        (b"\x00\x0bgrpc-status\x82\x0b\x5f", {"grpc-status": "14"}),
    ],
)
def test_headers(block: bytes, headers: dict[str, str]) -> None:
    assert hpack.decoded(block) == headers


def test_a_table_that_was_to_be_empty_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^header 62 is one of the dynamic table, which was to be empty$"):
        hpack.decoded(b"\xbe")
    assert hpack.decoded(hpack.encoded([("a", "b"), (":path", "/x")])) == {"a": "b", ":path": "/x"}
