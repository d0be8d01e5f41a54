"""One detector over a million points: how long a point takes, and whether memory stays what it was."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from detections.recipes import streaming
from forecasts.rows import cell, heading, row

__all__ = ["stream"]

_CHUNK = 10_000


def stream(points: int = 1_000_000, *, threads: int = 1) -> None:
    """Print the time a point takes and the memory held, over all points in tenths."""
    torch.set_num_threads(threads)
    values = readings(1_000)
    detector = streaming(values).fit(values)
    running = detector.stream()
    running.update(values)
    print(f"{detector!r}\n")
    print(heading(["points so far", "median of a point, ms", "99th percentile, ms", "memory, MiB"]), flush=True)
    done, part = 0, max(points // 10, 1)
    for seed in range(10):
        times: list[float] = []
        for value in _values(part, seed):
            start = time.perf_counter()
            running.score_one(value)
            times.append(time.perf_counter() - start)
        done += part
        median, late = 1e3 * np.quantile(times, [0.5, 0.99])
        gc.collect()
        print(row([f"{done:,}", cell(median), cell(late), cell(held_memory(), 1)]), flush=True)


def readings(count: int, seed: int = 99) -> np.ndarray:
    """Give made-up readings with a day of 288 in them, and now and then a spike."""
    rng = np.random.default_rng(seed)
    steps = np.arange(count)
    spikes = np.where(rng.random(count) < 1e-3, 60.0, 0.0)
    return 50 + 20 * np.sin(2 * np.pi * steps / 288) + rng.normal(0, 3, count) + spikes


def held_memory() -> float:
    """Give what this process holds now, in MiB."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found, "Linux says it"
    return int(found[1]) / 1024


def _values(count: int, seed: int) -> Iterator[float]:
    """Give so many readings, made a chunk at a time, so that they take no memory of note."""
    for chunk in range(0, count, _CHUNK):
        yield from readings(min(_CHUNK, count - chunk), seed * 1_000_003 + chunk).tolist()
