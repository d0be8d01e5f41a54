"""`tidegate serve` in a process of its own with one small model, and the load generator in another."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tidegate as tg

__all__ = ["CONTEXT", "COUNTS", "Process", "begin", "end", "served", "train"]

GENERATOR = Path(__file__).parent / "generator.py"
CONTEXT = 72
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
#: What becomes of the requests of a model.
COUNTS = ("accepted", "answered", "failed", "dropped", "refused")


def train(folder: Path) -> None:
    """Save a small hourly forecaster as the model ``load``."""
    load = tg.datasets.hourly_load(days=30, series=3, seed=1)[["unique_id", "ds", "y"]]
    model = tg.Forecaster(horizon=24, context=CONTEXT, training=tg.Training(max_steps=20), device="cpu")
    model.fit(load).save(folder / "load.safetensors")


class Process:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "tidegate", "serve", str(folder), *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline().split() for _ in range(2)]
        if not all(lines):
            raise RuntimeError(f"the server did not start: {self.process.communicate()[1]}")
        self.grpc, self.http = (words[-1] for words in lines)

    def memory(self) -> float:
        """Give the resident memory, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def cpu(self) -> float:
        """Give the seconds that its processor time amounts to."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name: str) -> float:
        """Read a counter of the model."""
        with urllib.request.urlopen(f"http://{self.http}/metrics") as response:
            text = response.read().decode()
        found = re.search(rf'^{name}{{[^}}]*model="load"[^}}]*}} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def counts(self) -> dict[str, int]:
        """Read what has become of the requests."""
        return {name: int(self.metric(f"tidegate_model_{name}_total")) for name in COUNTS}

    def stop(self) -> dict[str, int]:
        """Drain it; give the counts that it ends with, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=60)
        counts = {name: int(number) for number, name in re.findall(rf"(\d+) (?:requests )?({'|'.join(COUNTS)})", err)}
        return {**counts, "code": self.process.returncode}


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[Process]:
    """Serve a folder while a block lasts."""
    process = Process(folder, "--grpc", "0", "--http", "0", *options)
    try:
        yield process
    finally:
        process.stop()


def begin(address: str, **asked: Any) -> subprocess.Popen[str]:
    """Begin to make load."""
    content = json.dumps({"address": address, "model": "load", "context": CONTEXT, **asked})
    return subprocess.Popen(
        [sys.executable, str(GENERATOR), content], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def end(generator: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for what became of it."""
    out, _ = generator.communicate(timeout=1200)
    result: dict[str, Any] = json.loads(out)
    return result
