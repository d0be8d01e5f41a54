"""Sends changed requests to a server in a process of its own, and watches its answers, its memory and its life."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from fuzzing.questions import Question, questions, row_bodies
from fuzzing.requests import Call, Post, changed_calls, changed_posts, plain_call, plain_post
from fuzzing.rounds import run
from fuzzing.samples import save_samples
from fuzzing.tally import Failure, Tally
from tidegate.serve.protocol import SERVICE

__all__ = ["Target", "fuzz_grpc", "fuzz_rest", "over_grpc", "over_http"]

_PATIENCE = 20.0  # seconds in which an answer must come
_GROWTH = 400.0  # MiB that the server may have taken in the end beyond what it had at the beginning
_AGAIN = 200  # cases after which it must answer a good request as before
_FORBIDDEN = ("INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS", "ABORTED")

Send = Callable[[Any], "str | Failure"]


def over_http(port: int, case: Post) -> str | Failure:
    """Send an HTTP request; give its status, or what is wrong about the answer."""
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
                connection.sendall(case.content)
            while part := connection.recv(65536):
                received += part
    except TimeoutError:
        return Failure("no answer", f"nothing came within {_PATIENCE:g} s")
    except ConnectionResetError:
        if not received:
            return "closed"
    head, _, body = received.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    if not received:
        return Failure("closed", "closed without an answer") if case.whole else "closed"
    if found is None:
        return Failure("no HTTP", repr(received[:200]))
    status = int(found[1])
    if status >= 500 and status not in (501, 503, 504):
        return Failure(f"HTTP {status}", repr(body[:300]))
    if status != 200 and case.whole and not case.content.startswith(b"HEAD"):
        return _explained(status, body)
    return f"HTTP {status}"


def _explained(status: int, body: bytes) -> str | Failure:
    if body == b"Invalid HTTP request received.":  # so says the HTTP server before any request has come to us
        return f"HTTP {status}, no HTTP"
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return Failure(f"HTTP {status} without a message", repr(body[:300]))
    return f"HTTP {status}" if said else Failure(f"HTTP {status} with an empty message", repr(body))


def over_grpc(channel: grpc.Channel, case: Call) -> str | Failure:
    """Make a call; give its status, or what is wrong about it."""
    try:
        channel.unary_unary(f"/{SERVICE}/{case.method}")(case.content, timeout=_PATIENCE)
    except grpc.RpcError as error:
        status, details = error.code().name, str(error.details())
        if status in _FORBIDDEN or not details:
            return Failure(f"{status}: {re.sub('[0-9]+', '_', details)[:60]}", details)
        late = status == "DEADLINE_EXCEEDED" and "timeout" not in repr(case.content)
        return Failure("no answer", details) if late else status
    return "OK"


class Target:
    """A server of the samples, in a process of its own."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._log = log
        command = [sys.executable, "-m", "tidegate", "serve", str(folder), "--grpc", "0", "--http", "0"]
        options = ["--read-timeout", "1", "--poll", "3600", "--max-sequences", "100", "--timeout", "15"]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*command, *options], stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline().decode() for _ in range(2)]
        self.grpc, self.http = (int(line.rpartition(":")[2]) for line in lines)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def memory(self) -> float:
        """Give its resident memory, in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def tracebacks(self) -> list[str]:
        """Give the last lines of the tracebacks in its log."""
        text = self._log.read_text("utf-8", "replace")
        return re.findall(r"^Traceback .*?\n((?=\S)(?!Traceback)[^\n]*)", text, re.DOTALL | re.MULTILINE)

    def stop(self) -> int:
        """Drain it, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)
        return self._process.returncode


@contextmanager
def _targeted() -> Iterator[tuple[Target, list[Question], Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models"
        folder.mkdir()
        save_samples(folder)
        target = Target(folder, Path(name) / "log")
        try:
            yield target, questions(folder), folder
        finally:
            if target.alive:
                target.stop()


def fuzz_rest(*, seconds: float, first: int, failures: Path) -> Tally:
    """Send changed HTTP requests until the time is over."""
    with _targeted() as (target, asked, folder):
        good = [plain_post(question) for question in asked]
        strategy = changed_posts(asked, row_bodies(folder))
        return _fuzzed(target, lambda case: over_http(target.http, case), strategy, good, seconds, first, failures)


def fuzz_grpc(*, seconds: float, first: int, failures: Path) -> Tally:
    """Make changed calls until the time is over."""
    with _targeted() as (target, asked, _), grpc.insecure_channel(f"127.0.0.1:{target.grpc}") as channel:
        good = [plain_call(question) for question in asked]
        strategy = changed_calls(asked)
        return _fuzzed(target, lambda case: over_grpc(channel, case), strategy, good, seconds, first, failures)


def _fuzzed(
    target: Target,
    send: Send,
    strategy: Any,
    good: Sequence[Any],
    seconds: float,
    first: int,
    failures: Path,
) -> Tally:
    tally, began = Tally(failures), time.monotonic()
    for case in good:  # whatever is loaded late is loaded before memory is measured
        _check_good(tally, send, case)
    memory, chance = target.memory(), random.Random(first)

    def test(case: Any) -> None:
        if not target.alive:
            return
        asked = time.monotonic()
        found = send(case)
        if isinstance(found, Failure):
            tally.fail(found, repr(case).encode())
        else:
            tally.count(found)
        if time.monotonic() - asked > _PATIENCE / 2:
            tally.fail(Failure("slow", f"{time.monotonic() - asked:.1f} s"), repr(case).encode())
        if not target.alive:
            tally.fail(Failure("the server died", repr(found)), repr(case).encode())
        elif tally.cases % _AGAIN == 0:
            _check_good(tally, send, chance.choice(good))

    run(strategy, test, seconds=seconds, first=first)
    _close(tally, target, send, good, memory)
    print(f"memory: {memory:.0f} MiB at first, {target.memory():.0f} MiB after {time.monotonic() - began:.0f} s")
    return tally


def _check_good(tally: Tally, send: Send, case: Any) -> None:
    found = send(case)
    if found not in ("OK", "HTTP 200"):
        tally.fail(Failure("a good request is refused", str(found)), repr(case).encode())


def _close(tally: Tally, target: Target, send: Send, good: Sequence[Any], memory: float) -> None:
    for line in target.tracebacks():
        tally.fail(Failure(f"traceback: {line[:60]}", line), line.encode())
    if not target.alive:
        return
    for case in good:
        _check_good(tally, send, case)
    if target.memory() > memory + _GROWTH:
        tally.fail(Failure("memory", f"{memory:.0f} MiB became {target.memory():.0f} MiB"), b"")
