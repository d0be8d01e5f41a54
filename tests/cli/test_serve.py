"""``tidegate serve`` as a process: what it prints, SIGTERM, and refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidegate import Forecaster, Recurrent, Training, datasets

Run = Callable[..., Any]


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    model = Forecaster(horizon=2, context=6, season=1, network=Recurrent(hidden_size=2), training=Training(max_steps=2))
    model.fit(datasets.airline_passengers()).save(tmp_path / "passengers.safetensors")
    command = [sys.executable, "-m", "tidegate", "serve", str(tmp_path), "--grpc", "0", "--http", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        grpc, http = (process.stdout.readline().split() for _ in range(2))
        assert (grpc[0], http[0]) == ("gRPC", "HTTP")
        with urllib.request.urlopen(f"http://{http[1]}/v2/models") as response:
            assert json.load(response)["models"] == [{"name": "passengers", "version": "1", "kind": "forecaster"}]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert err.splitlines() == [
        "tidegate: serving forecaster 'passengers', version 1",
        "tidegate: stopped: 0 requests accepted, 0 answered, 0 failed, 0 dropped, 0 refused",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            (),
            "there is no model in '{folder}'; it may hold NAME.safetensors, NAME/model.safetensors or NAME/",
        ),
        (("--grpc", "70000"), "--grpc must be a port from 0 to 65535, or -1 to leave it out; got 70000"),
        (("--grpc", "-1", "--http", "-1"), "a server needs a protocol at least: give a port of gRPC or of HTTP"),
        (("--max-batch", "0"), "--max-batch must be a whole number of at least 1; got 0"),
        (("--timeout", "0"), "--timeout must be more than 0; got 0.0"),
        (("--read-timeout", "nan"), "--read-timeout must be a finite number; got nan"),
        (("--max-message", "4000"), "message must be below 2 GiB, which is what gRPC can count; got 4194304000 bytes"),
        (("--tls-key", "key.pem"), "TLS needs both --tls-certificate and --tls-key"),
        (("--device", "tpu"), "device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got 'tpu'"),
    ],
)
def test_bad_options_are_refused(cli: Run, tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    result = cli("serve", tmp_path, *arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(f"tidegate: error: {line.format(folder=tmp_path)}")
    assert len(result.err.splitlines()) == 1


def test_there_must_be_a_folder(cli: Run, tmp_path: Path) -> None:
    result = cli("serve", tmp_path / "none")
    assert (result.code, result.err) == (2, f"tidegate: error: no folder of models at '{tmp_path}/none'\n")
