"""What the server bears: requests a second, latency, a flood, restarts and reloads under load.

    .venv/bin/python benchmarks/serving.py [--only rate latency flood restarts reload] [--quick] [--restarts 100]

A small forecaster is trained on made-up data and served by `tidegate serve` in a process of its own; the load comes
from another one on the same machine (`serving_load/generator.py`), over gRPC on the loopback address. Each row says
what was wanted, and whether it was reached. Let nothing else run on the machine.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from serving_load.server import CONTEXT, Process, begin, end, served, train

FLOOD_ROWS = 24  # of a request: so many that the network is what limits, not the reading of requests
FLOOD = 500  # requests that come at once
AT_ONCE = 250.0  # milliseconds within which 500 requests that come at once are read and the rest of them refused
GROWTH = 64.0  # MiB that a flood may leave behind


@dataclasses.dataclass(frozen=True)
class Result:
    """What was found, and what was wanted with whether it was reached."""

    text: str
    wanted: Mapping[str, bool]

    def __str__(self) -> str:
        missed = [claim for claim, reached in self.wanted.items() if not reached]
        verdict = "PASS " if not missed else "short"
        return f"{verdict} {self.text} (wanted: {', '.join(self.wanted)})" + (f" MISSED: {missed}" if missed else "")


def cost(server: Process, found: dict[str, Any], before: float) -> str:
    """Say how much processor time a request took, of the server and of the client."""
    calls = sum(found["ends"].values())
    own, client = 1e6 * (server.cpu() - before) / calls, 1e6 * found["client_cpu"] / calls
    return f"processor {own:.0f} µs a request and {client:.0f} µs of the client"


def rate(folder: Path, seconds: float) -> Result:
    """As many as it can."""
    with served(folder) as server:
        end(begin(server.grpc, mode="closed", in_flight=128, duration=0.5))
        rows, batches = server.metric("tidegate_model_rows_total"), server.metric("tidegate_model_batches_total")
        before = server.cpu()
        found = end(begin(server.grpc, mode="closed", in_flight=128, duration=seconds, warm=0))
        text = cost(server, found, before)
        rows = server.metric("tidegate_model_rows_total") - rows
        batches = server.metric("tidegate_model_batches_total") - batches
    return Result(
        f"{found['requests_per_second']:.0f} requests/s, {rows / batches:.1f} a batch, {found['ends']}, "
        f"ms {found['milliseconds']}, {text}",
        {
            "2000 requests/s": found["requests_per_second"] >= 2000,
            "all answered": set(found["ends"]) == {"OK"},
        },
    )


def latency(folder: Path, seconds: float) -> Result:
    """At a thousand a second."""
    with served(folder) as server:
        end(begin(server.grpc, mode="open", rate=1000, duration=0.5))
        before = server.cpu()
        found = end(begin(server.grpc, mode="open", rate=1000, duration=seconds, warm=0))
        text = cost(server, found, before)
    return Result(
        f"{found['ends']}, ms {found['milliseconds']}, {text}",
        {
            "p99 of 20 ms at 1000 requests/s": found["milliseconds"]["p99"] <= 20,
            "all answered": set(found["ends"]) == {"OK"},
        },
    )


def flood(folder: Path, seconds: float) -> Result:
    """Five hundred at once, again and again, together twice of what the server can answer."""
    with served(folder) as server:
        kind = {"rows": FLOOD_ROWS, "channels": 4}
        capacity = end(begin(server.grpc, mode="closed", in_flight=32, duration=max(1, seconds / 4), **kind))
        rate = capacity["requests_per_second"]
        calm = {"mode": "open", "rate": rate / 4, "duration": min(seconds, 3), **kind}
        before = end(begin(server.grpc, **calm))
        counts, memory = server.counts(), server.memory()
        load = begin(server.grpc, mode="open", rate=2 * rate, burst=FLOOD, duration=seconds, warm=0, **kind)
        over_http = knock(server.http, load)
        found = end(load)
        after, grown = server.counts(), server.memory() - memory
        time.sleep(1)
        later = end(begin(server.grpc, **calm))
    change = {name: after[name] - counts[name] for name in counts}
    ok, refused = found["ends"].get("OK", 0), found["ends"].get("RESOURCE_EXHAUSTED", 0)
    lost = change["accepted"] - change["answered"]
    p99, p99_before = later["milliseconds"]["p99"], before["milliseconds"]["p99"]
    return Result(
        f"{rate:.0f} requests/s of {FLOOD_ROWS} series are its capacity; {found['requests_per_second']:.0f}/s answered "
        f"of {2 * rate:.0f}/s in bursts of {FLOOD}: {found['ends']}, HTTP {over_http}, refused within "
        f"{found['refused_ms_p99']} ms (p99), accepted and lost: {lost}, memory {grown:+.0f} MiB, p99 {p99_before} ms "
        f"before and {p99} ms a second later with {later['ends']}",
        {
            "no accepted request lost": lost == 0 and change["answered"] == ok + over_http.get("200", 0),
            "the rest refused with RESOURCE_EXHAUSTED / 429": refused > 0
            and set(found["ends"]) <= {"OK", "RESOURCE_EXHAUSTED"}
            and set(over_http) <= {"200", "429"},
            f"at once: p99 of {AT_ONCE:.0f} ms": found["refused_ms_p99"] <= AT_ONCE,
            f"{GROWTH:.0f} MiB at most": grown <= GROWTH,
            "recovery within a second": set(later["ends"]) == {"OK"} and p99 <= max(20.0, 2 * p99_before),
        },
    )


def knock(address: str, load: subprocess.Popen[str]) -> dict[str, int]:
    """Ask over HTTP while a load lasts; count the statuses."""
    tensor = {"name": "values", "shape": [1, CONTEXT, 1], "datatype": "FP64", "data": list(range(CONTEXT))}
    body = json.dumps({"inputs": [tensor]}).encode()
    codes: collections.Counter[str] = collections.Counter()
    while load.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/models/load/infer", data=body) as response:
                codes[str(response.status)] += 1
        except urllib.error.HTTPError as error:
            codes[str(error.code)] += 1
            error.close()
        time.sleep(0.01)
    return dict(codes)


def restarts(folder: Path, seconds: float, times: int = 100) -> Result:
    """A new server takes the port, then the old one is told to stop, again and again."""
    options = ("--grpc", "18001", "--http", "0", "--reuse-port")
    old = Process(folder, *options)
    load = begin(old.grpc, mode="closed", in_flight=16, duration=seconds * 1000, timeout=60, pause=0.1, warm=0)
    ends: list[dict[str, int]] = []
    for _ in range(times):
        new = Process(folder, *options)
        time.sleep(0.3)
        ends.append(old.stop())
        old = new
    load.terminate()
    found = end(load)
    ends.append(old.stop())
    accepted, answered = (sum(counts[name] for counts in ends) for name in ("accepted", "answered"))
    codes = sorted({counts["code"] for counts in ends})
    return Result(
        f"{times} restarts, {accepted} accepted, {answered} answered by the servers, accepted and lost: "
        f"{accepted - answered}; the client saw {found['ends']} {found['details']}, exit codes {codes}",
        {
            "no accepted request lost": accepted == answered == found["ends"].get("OK"),
            "the rest UNAVAILABLE, or tried again unseen": set(found["ends"]) <= {"OK", "UNAVAILABLE", "RETRY"},
            "exit code 0": codes == [0],
        },
    )


def reload(folder: Path, seconds: float) -> Result:
    """The file is replaced every half second."""
    with served(folder, "--poll", "0.1") as server:
        load = begin(server.grpc, mode="closed", in_flight=32, duration=seconds, warm=0)
        stop = time.monotonic() + seconds
        replaced = 0
        while time.monotonic() < stop and load.poll() is None:
            shutil.copy(folder / "load.safetensors", folder / ".load.part")
            (folder / ".load.part").replace(folder / "load.safetensors")
            replaced += 1
            time.sleep(0.5)
        found = end(load)
        counts = server.counts()
    lost = counts["accepted"] - counts["answered"]
    return Result(
        f"{replaced} replacements, {found['ends']}, accepted and lost: {lost}, ms {found['milliseconds']}",
        {
            "none lost": lost == 0 and counts["answered"] == found["ends"].get("OK"),
            "none refused": set(found["ends"]) == {"OK"},
        },
    )


ROWS: dict[str, Callable[[Path, float], Result]] = {
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
            if name == "restarts":
                result = restarts(folder, seconds, 2 if asked.quick else asked.restarts)
            else:
                result = ROWS[name](folder, seconds)
            print(f"{name:9} {result}", flush=True)


if __name__ == "__main__":
    main()
