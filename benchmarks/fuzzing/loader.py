"""Feeds changed model files to a process that loads them, and watches its time, its memory and its life."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzzing.modelfiles import changed_files, read_sample
from fuzzing.rounds import run
from fuzzing.samples import save_samples
from fuzzing.tally import Failure, Tally

__all__ = ["Loader", "fuzz_loader"]

_MEBIBYTES = 512  # that a case may take beyond what the process has
_PROCESSOR = 5.0  # seconds of processor time that a case may take
_WALL = 120.0  # and seconds altogether
_TICKS = os.sysconf("SC_CLK_TCK")
_WORKER = Path(__file__).with_name("worker.py")


class Loader:
    """A process that loads files, started again when it has died."""

    def __init__(self, samples: Path) -> None:
        self._samples = samples
        self._process: subprocess.Popen[bytes] | None = None

    def attempt(self, path: Path) -> dict[str, str]:
        """Load a file in the process, and give what it says; see `fuzzing.worker`."""
        process = self._running()
        assert process.stdin is not None
        before, began = _processor_time(process.pid), time.monotonic()
        process.stdin.write(f"{path}\n".encode())
        process.stdin.flush()
        while True:
            line = self._line(process, 0.5)
            if line is not None:
                if not line:
                    self._process = None
                    return {"outcome": "failed", "said": f"the process died: {process.wait()}", "where": "death"}
                said: dict[str, str] = json.loads(line)
                return said
            if _processor_time(process.pid) - before > _PROCESSOR or time.monotonic() - began > _WALL:
                self.close()
                return {"outcome": "failed", "said": f"more than {_PROCESSOR:g} s", "where": "time"}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, str(_WORKER), str(_MEBIBYTES), str(self._samples)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            ready = self._line(self._process, 300)
            if not ready or json.loads(ready)["outcome"] != "ready":
                raise RuntimeError("the process that loads files does not start; run fuzzing/worker.py by hand")
        return self._process

    @staticmethod
    def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
        """Give the next line, ``b""`` at the end, ``None`` if there is none in time."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else None


def fuzz_loader(*, seconds: float, first: int, failures: Path) -> Tally:
    """Load changed files of every kind of model until the time is over."""
    tally = Tally(failures)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples").mkdir()
        save_samples(folder / "samples")
        samples = [read_sample(path) for path in sorted((folder / "samples").glob("*.safetensors"))]
        loader, target = Loader(folder / "samples"), folder / "case.safetensors"

        def test(content: bytes) -> None:
            target.write_bytes(content)
            found = loader.attempt(target)
            if found["outcome"] == "failed":
                tally.fail(Failure(f"{found['said'].split(':')[0]} in {found['where']}", found["said"]), content)
            else:
                tally.count(found["outcome"])

        try:
            for sample in samples:
                test(sample.content)
            run(changed_files(samples), test, seconds=seconds, first=first)
        finally:
            loader.close()
    return tally


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
