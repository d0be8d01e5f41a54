"""What the server bears: requests a second, latency, a flood, restarts and reloads under load.

    .venv/bin/python benchmarks/serving.py [--only rate latency flood restarts reload] [--quick] [--restarts 100]

A small forecaster is trained on made-up data and served by `tidegate serve` in a process of its own; the load comes
from another one on the same machine (`serving_load/generator.py`), over gRPC on the loopback address. Each row says
what was wanted. Let nothing else run on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tidegate as tg

GENERATOR = Path(__file__).parent / "serving_load" / "generator.py"
CONTEXT = 72
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def train(folder: Path) -> None:
    """Save a small hourly forecaster as the model ``load``."""
    load = tg.datasets.hourly_load(days=30, series=3, seed=1)[["unique_id", "ds", "y"]]
    model = tg.Forecaster(horizon=24, context=CONTEXT, training=tg.Training(max_steps=20), device="cpu")
    model.fit(load).save(folder / "load.safetensors")


class Process:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "tidegate", "serve", str(folder), *options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        assert self._process.stdout is not None
        self.grpc, self.http = (self._process.stdout.readline().split()[-1] for _ in range(2))

    def memory(self) -> float:
        """Give the resident memory, in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def metric(self, name: str) -> float:
        """Read a counter of the model."""
        with urllib.request.urlopen(f"http://{self.http}/metrics") as response:
            text = response.read().decode()
        found = re.search(rf'^{name}{{[^}}]*model="load"[^}}]*}} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def stop(self) -> dict[str, int]:
        """Drain it; give the counts that it ends with, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        _, err = self._process.communicate(timeout=60)
        counts = {
            name: int(number)
            for number, name in re.findall(r"(\d+) (?:requests )?(accepted|answered|failed|dropped|refused)", err)
        }
        return {**counts, "code": self._process.returncode}


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[Process]:
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
    out, _ = generator.communicate(timeout=600)
    result: dict[str, Any] = json.loads(out)
    return result


def rate(folder: Path, seconds: float) -> str:
    """As many as it can."""
    with served(folder) as server:
        rows, batches = server.metric("tidegate_model_rows_total"), server.metric("tidegate_model_batches_total")
        found = end(begin(server.grpc, mode="closed", in_flight=128, duration=seconds))
        rows = server.metric("tidegate_model_rows_total") - rows
        batches = server.metric("tidegate_model_batches_total") - batches
    return (
        f"{found['requests_per_second']:.0f} requests/s, {rows / batches:.1f} a batch, {found['ends']}, "
        f"ms {found['milliseconds']} (wanted: 2000 requests/s)"
    )


def latency(folder: Path, seconds: float) -> str:
    """At a thousand a second."""
    with served(folder) as server:
        found = end(begin(server.grpc, mode="open", rate=1000, duration=seconds))
    return f"{found['ends']}, ms {found['milliseconds']} (wanted: p99 of 20 ms at 1000 requests/s)"


def flood(folder: Path, seconds: float) -> str:
    """Five hundred in flight, beyond what the queue holds; then see whether it is as before."""
    with served(folder, "--max-queue", "128") as server:
        before = server.memory()
        found = end(begin(server.grpc, mode="closed", in_flight=500, duration=seconds, pause=0.02, channels=4))
        after = server.memory()
        time.sleep(1)
        calm = end(begin(server.grpc, mode="open", rate=200, duration=min(seconds, 3)))
        names = ("accepted", "answered", "failed", "dropped", "refused")
        counts = {name: int(server.metric(f"tidegate_model_{name}_total")) for name in names}
    lost = counts["accepted"] - counts["answered"]
    return (
        f"{found['requests_per_second']:.0f} answered/s, {found['ends']}, refused within {found['refused_ms_p99']} ms "
        f"(p99), accepted and lost: {lost}, memory {before:.0f} → {after:.0f} MiB, a second later "
        f"p99 {calm['milliseconds']['p99']} ms with {calm['ends']} (wanted: none lost, the rest refused at once)"
    )


def restarts(folder: Path, seconds: float, times: int = 100) -> str:
    """A new server takes the port, then the old one is told to stop, again and again."""
    port = "18001"
    options = ("--grpc", port, "--http", "0", "--reuse-port")
    old = Process(folder, *options)
    # A refusal (UNAVAILABLE) is followed by a pause, as of gRPC retries. CANCELLED are calls that reached a server
    # between the end of its drain and its farewell: none of its handlers saw them, and its counts leave them out.
    load = begin(
        old.grpc, mode="closed", in_flight=16, duration=seconds * 1000, wait_for_ready=True, timeout=60, pause=0.1
    )
    lost = answered = 0
    codes = set()
    for _ in range(times):
        new = Process(folder, *options)
        time.sleep(0.3)
        counts = old.stop()
        lost += counts["accepted"] - counts["answered"]
        answered += counts["answered"]
        codes.add(counts["code"])
        old = new
    load.send_signal(signal.SIGTERM)
    found = end(load)
    counts = old.stop()
    lost += counts["accepted"] - counts["answered"]
    answered += counts["answered"]
    return (
        f"{times} restarts, {answered} answered by the servers, accepted and lost: {lost}, "
        f"the client saw {found['ends']} {found['details']}, exit codes {sorted(codes)} (wanted: none lost)"
    )


def reload(folder: Path, seconds: float) -> str:
    """The file is replaced every half second."""
    with served(folder, "--poll", "0.1") as server:
        load = begin(server.grpc, mode="closed", in_flight=32, duration=seconds)
        stop = time.monotonic() + seconds
        replaced = 0
        while time.monotonic() < stop and load.poll() is None:
            shutil.copy(folder / "load.safetensors", folder / ".load.part")
            (folder / ".load.part").replace(folder / "load.safetensors")
            replaced += 1
            time.sleep(0.5)
        found = end(load)
        names = ("accepted", "answered")
        accepted, answered = (server.metric(f"tidegate_model_{name}_total") for name in names)
    return (
        f"{replaced} replacements, {found['ends']}, accepted and lost: {accepted - answered:.0f}, "
        f"ms {found['milliseconds']} (wanted: none lost)"
    )


ROWS: dict[str, Callable[[Path, float], str]] = {
    "rate": rate,
    "latency": latency,
    "flood": flood,
    "restarts": restarts,
    "reload": reload,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that all of it works")
    parser.add_argument("--restarts", type=int, default=100)
    asked = parser.parse_args()
    seconds = 2.0 if asked.quick else 20.0
    print(
        f"load average of the last minute: {os.getloadavg()[0]:.1f} (another program at work makes figures worthless)"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train(folder)
        for name in asked.only:
            row = ROWS[name]
            text = (
                restarts(folder, seconds, 2 if asked.quick else asked.restarts)
                if name == "restarts"
                else row(folder, seconds)
            )
            print(f"{name:9} {text}", flush=True)


if __name__ == "__main__":
    main()
