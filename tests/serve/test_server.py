"""A server from its start to its end: reloads and a drain that lose nothing, limits, TLS, ports."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pytest

from tidegate import Forecaster
from tidegate.errors import MissingFileError, ModelFileError, OutputError, SpecError
from tidegate.serve.limits import Limits
from tidegate.serve.protocol import SERVICE, message
from tidegate.serve.server import Server, Serving
from tidegate.serve.tls import Tls

Start = Callable[..., contextlib.AbstractContextManager[Server]]
FILE = Path("load", "3", "model.safetensors")


def request(values: np.ndarray, version: str = "") -> Any:
    made = message("ModelInferRequest")(model_name="load", model_version=version)
    made.inputs.add(name="values", datatype="FP64", shape=values.shape)
    made.raw_input_contents.append(values.tobytes())
    return made


def infer(channel: grpc.Channel) -> grpc.UnaryUnaryMultiCallable:
    return channel.unary_unary(
        f"/{SERVICE}/ModelInfer",
        request_serializer=message("ModelInferRequest").SerializeToString,
        response_deserializer=message("ModelInferResponse").FromString,
    )


@contextlib.contextmanager
def opened(server: Server) -> Iterator[grpc.UnaryUnaryMultiCallable]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield infer(channel)


def forecast(response: Any) -> np.ndarray:
    return np.frombuffer(response.raw_output_contents[0]).reshape(response.outputs[0].shape)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def other(frame: pd.DataFrame) -> Forecaster:
    """Another model of the same inputs."""
    from tidegate import Recurrent, Training

    made = Forecaster(
        horizon=4,
        season=6,
        context=18,
        network=Recurrent(hidden_size=4),
        training=Training(max_steps=2),
        seed=1,
        device="cpu",
    )
    return made.fit(frame[["unique_id", "ds", "y"]])


class Asking:
    """Asks again and again from several threads, until it is told to stop."""

    def __init__(self, call: grpc.UnaryUnaryMultiCallable, values: np.ndarray) -> None:
        self.answers: list[np.ndarray] = []
        self.refusals: list[tuple[str, str]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(call, request(values))) for _ in range(4)]

    def _ask(self, call: grpc.UnaryUnaryMultiCallable, made: Any) -> None:
        while not self._stop.is_set():
            try:
                self.answers.append(forecast(call(made, timeout=20)))
            except grpc.RpcError as error:
                self.refusals.append((error.code().name, error.details()))
                return

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def predicted(model: Forecaster, frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict(frame[["unique_id", "ds", "y"]])["y_hat"].to_numpy().reshape(3, 4, 1))


def test_a_reload_loses_no_request(
    start: Start, folder: Path, model: Forecaster, other: Forecaster, frame: pd.DataFrame, values: np.ndarray
) -> None:
    limits = Limits(poll=0.02)
    both = [predicted(model, frame), predicted(other, frame)]
    with start(folder, limits=limits) as server, opened(server) as call, Asking(call, values) as asking:
        for number, each in enumerate((other, model, other), start=1):
            count = len(asking.answers)
            until(lambda: len(asking.answers) > count + 10)  # noqa: B023 - called at once
            each.save(folder / FILE)
            until(lambda: server.engine.reloads["read"] == number)  # noqa: B023
        count = len(asking.answers)
        until(lambda: len(asking.answers) > count + 10)
    assert asking.refusals == []
    close = [[bool(np.allclose(answer, each, rtol=1e-5)) for each in both] for answer in asking.answers]
    assert all(sum(each) == 1 for each in close)  # each answer is that of one model, whole
    assert close[0] == [True, False]
    assert close[-1] == [False, True]
    counts = server.engine.counts()["load", "3"]
    assert counts.accepted == counts.answered == len(asking.answers)


def test_a_file_that_cannot_be_read_leaves_the_model(
    start: Start, folder: Path, values: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    with start(folder, limits=Limits(poll=0.02)) as server, opened(server) as call:
        before = forecast(call(request(values)))
        cut = folder / "cut.part"
        cut.write_bytes((folder / FILE).read_bytes()[:-10])
        cut.replace(folder / FILE)  # at once: written in place it would be seen twice, empty and cut
        until(lambda: server.engine.reloads["failed"] == 1)
        time.sleep(0.1)
        assert server.engine.reloads == {"failed": 1}  # it is not read again and again
        np.testing.assert_array_equal(forecast(call(request(values))), before)
    assert "model 'load', version 3, is not served: " in caplog.text


def test_models_come_and_go(start: Start, folder: Path, model: Forecaster, values: np.ndarray) -> None:
    with start(folder, limits=Limits(poll=0.02)) as server, opened(server) as call:
        (folder / "load" / "12").mkdir()
        model.save(folder / "load" / "12" / "model.safetensors")
        until(lambda: server.engine.versions("load") == ["1", "3", "12"])
        assert call(request(values)).model_version == "12"
        shutil.rmtree(folder / "load" / "12")
        until(lambda: server.engine.versions("load") == ["1", "3"])
        assert call(request(values)).model_version == "3"
        assert call(request(values, "1")).model_version == "1"


def test_a_stream_outlives_a_reload(start: Start, folder: Path, other: Forecaster, values: np.ndarray) -> None:
    def part(first: int, last: int, *, begin: bool) -> Any:
        made = request(np.ascontiguousarray(values[:1, first:last]))
        made.parameters["sequence_id"].int64_param = 4
        made.parameters["sequence_start"].bool_param = begin
        return made

    with start(folder, limits=Limits(poll=0.02)) as server, opened(server) as call:
        call(part(0, 30, begin=True))
        other.save(folder / FILE)
        until(lambda: server.engine.reloads["read"] == 1)
        answer = forecast(call(part(30, 40, begin=False)))
        np.testing.assert_allclose(answer, forecast(call(request(values[:1, :40].copy()))), rtol=1e-12)


def test_a_drain_finishes_what_was_accepted(start: Start, folder: Path, values: np.ndarray) -> None:
    limits = Limits(poll=60, delay=0.4, batch=1024)  # requests wait for others, so that some are under way
    with start(folder, limits=limits) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        futures = [infer(channel).future(request(values), timeout=20) for _ in range(20)]
        until(lambda: sum(counts.accepted for counts in server.engine.counts().values()) == 20)
    answers = [forecast(future.result()) for future in futures]
    channel.close()
    assert len(answers) == 20
    assert not server.engine.ready
    counts = server.engine.counts()["load", "3"]
    assert (counts.accepted, counts.answered) == (20, 20)


def test_a_draining_server_says_so(start: Start, folder: Path, values: np.ndarray) -> None:
    limits = Limits(poll=60, delay=0.8, batch=1024)
    with start(folder, limits=limits) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        accepted = infer(channel).future(request(values), timeout=20)
        until(lambda: server.engine.in_flight == 1)
        server.engine.draining = True  # what `stop` begins with
        with pytest.raises(grpc.RpcError) as caught:
            infer(channel)(request(values), timeout=20)
        with pytest.raises(urllib.error.HTTPError) as unready:
            urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/v2/health/ready")
        unready.value.close()
        assert forecast(accepted.result()).shape == (3, 4, 1)
        channel.close()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "the server is about to stop; ask another one, or again in a moment"
    assert unready.value.code == 503


def test_too_many_at_once_are_refused(
    start: Start, folder: Path, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    with start(folder, limits=Limits(poll=60, delay=0, queue=3)) as server:
        served = server.engine.find("load").served
        run = served.run
        monkeypatch.setattr(served, "run", lambda rows: run(rows) if gate.wait(20) else None)
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        waiting = [infer(channel).future(request(values), timeout=20)]
        until(lambda: server.engine.in_flight == 1)  # and the model is busy with it
        waiting += [infer(channel).future(request(values), timeout=20) for _ in range(3)]
        until(lambda: server.engine.in_flight == 4)
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            infer(channel)(request(values), timeout=20)
        refused = time.monotonic() - began
        gate.set()
        results = [forecast(future.result()) for future in waiting]
        channel.close()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "3 requests wait for model 'load' already, the most it takes; try later"
    assert refused < 5  # at once: before those that wait are answered
    assert len(results) == 4


def test_concurrency_is_bounded_over_both_protocols(start: Start, folder: Path, values: np.ndarray) -> None:
    limits = Limits(poll=60, delay=0.5, batch=1024, concurrency=2)
    with start(folder, limits=limits) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        waiting = [infer(channel).future(request(values), timeout=20) for _ in range(2)]
        until(lambda: server.engine.in_flight == 2)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/v2/models/load/infer", data=b"{}")
        assert caught.value.code == 429
        assert caught.value.read() == b'{"error":"2 requests are being answered already, the most at once; try later"}'
        caught.value.close()
        assert len([future.result() for future in waiting]) == 2
        channel.close()


def test_a_folder_needs_a_usable_model(start: Start, tmp_path: Path) -> None:
    with (
        pytest.raises(MissingFileError, match=r"^there is no model in '.*'; it may hold NAME.safetensors"),
        start(tmp_path),
    ):
        pass
    (tmp_path / "load.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"^'.*load.safetensors' is not a Tidegate file"), start(tmp_path):
        pass


def test_a_model_that_cannot_be_used_does_not_hinder_the_others(start: Start, folder: Path) -> None:
    (folder / "broken.safetensors").write_bytes(b"nothing")
    with start(folder) as server:
        assert [(entry.name, entry.version) for entry in server.engine.entries()] == [("load", "1"), ("load", "3")]


def test_ports_that_are_taken_are_refused(start: Start, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=rf"^cannot serve HTTP on 127.0.0.1:{port}: Address already in use$"):
            start(folder, http=port).__enter__()
        with pytest.raises(OutputError, match=rf"^cannot serve gRPC on 127.0.0.1:{port}: the address is taken"):
            start(folder, grpc=port).__enter__()


def test_one_protocol_will_do(start: Start, folder: Path, values: np.ndarray) -> None:
    with start(folder, http=None) as server, opened(server) as call:
        assert server.http_port is None
        call(request(values))
    with start(folder, grpc=None) as server:
        assert server.grpc_port is None
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/v2/health/ready") as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grpc": None, "http": None}, "a server needs a protocol at least: give a port of gRPC or of HTTP"),
        ({"http": 65536}, "a port is at most 65535; http is 65536"),
        ({"grpc": -1}, "grpc must be a whole number of at least 0; got -1"),
        ({"threads": 0}, "threads must be a whole number of at least 1; got 0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Serving(folder=Path(), **options)
    assert str(caught.value) == message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine, signed by itself, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl, which makes certificates, is not installed")
    place = tmp_path_factory.mktemp("tls")
    pair = place / "cert.pem", place / "key.pem"
    made = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*made, *names, "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair


def test_tls(start: Start, folder: Path, values: np.ndarray, certificate: tuple[Path, Path]) -> None:
    tls = Tls(certificate=certificate[0], key=certificate[1])
    trusted = certificate[0].read_bytes()
    with start(folder, tls=tls) as server:
        address = f"localhost:{server.grpc_port}"
        with grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted)) as channel:
            infer(channel)(request(values), timeout=20)
        context = ssl.create_default_context(cadata=trusted.decode())
        with urllib.request.urlopen(
            f"https://localhost:{server.http_port}/v2/health/live", context=context
        ) as response:
            assert response.status == 200


def test_clients_must_show_a_certificate(
    start: Start, folder: Path, values: np.ndarray, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    with start(folder, tls=Tls(certificate=cert, key=key, clients=cert)) as server:
        address, trusted = f"localhost:{server.grpc_port}", cert.read_bytes()
        nobody, somebody = (
            grpc.ssl_channel_credentials(trusted),
            grpc.ssl_channel_credentials(trusted, key.read_bytes(), trusted),
        )
        with grpc.secure_channel(address, nobody) as channel, pytest.raises(grpc.RpcError):
            infer(channel)(request(values), timeout=2)
        with grpc.secure_channel(address, somebody) as channel:
            infer(channel)(request(values), timeout=20)
        context = ssl.create_default_context(cadata=trusted.decode())
        with pytest.raises(OSError, match=r"certificate required|reset|EOF|closed connection"):
            urllib.request.urlopen(f"https://localhost:{server.http_port}/v2/health/live", context=context, timeout=5)


def test_tls_needs_both_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^TLS needs both --tls-certificate and --tls-key$"):
        Tls.of(tmp_path, None, None)
    with pytest.raises(MissingFileError, match=r"^no key at '.*none'$"):
        Tls.of(Path(__file__), tmp_path / "none", None)
    assert Tls.of(None, None, None) is None
