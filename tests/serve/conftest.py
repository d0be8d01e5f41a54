"""Models that are fitted in a moment, and servers that run in a thread beside the test."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate import Columns, Forecaster, Recurrent, Training
from tidegate.serve.limits import Limits
from tidegate.serve.server import Server, Serving

Start = Callable[..., contextlib.AbstractContextManager[Server]]


def shops(*, series: int = 3, rows: int = 60, seed: int = 0) -> pd.DataFrame:
    """Daily series that the price of the day moves, with every kind of covariate."""
    rng = np.random.default_rng(seed)
    steps = np.arange(rows)
    parts = []
    for number in range(series):
        price = rng.choice([8.0, 9.0, 10.0], rows)
        shape = np.sin(2 * np.pi * steps / 6 + number) + 0.1 * rng.standard_normal(rows)
        y = 10.0**number * (5 + shape) * price / 9
        part = {"ds": pd.date_range("2024-01-01", periods=rows), "y": y, "z": y * 2 + shape, "price": price}
        more = {"visits": y * 1.1, "kind": "even" if number % 2 == 0 else "odd", "size": number + 2.0}
        parts.append(pd.DataFrame({"unique_id": f"s{number}", **part, **more}))
    return pd.concat(parts, ignore_index=True)


def quick(**options: Any) -> Forecaster:
    """Give a forecaster that trains in a moment."""
    small = {
        "horizon": 4,
        "season": 6,
        "context": 18,
        "network": Recurrent(hidden_size=8),
        "training": Training(max_steps=5, batch_size=16),
        "device": "cpu",
    }
    return Forecaster(**{**small, **options})


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return shops()


@pytest.fixture(scope="session")
def model(frame: pd.DataFrame) -> Forecaster:
    """A plain forecaster."""
    return quick().fit(frame[["unique_id", "ds", "y"]])


@pytest.fixture(scope="session")
def known_model(frame: pd.DataFrame) -> Forecaster:
    """A forecaster that needs to know the price ahead."""
    return quick(columns=Columns(known=("price",))).fit(frame[["unique_id", "ds", "y", "price"]])


@pytest.fixture(scope="session")
def make_folder(model: Forecaster) -> Callable[[Path], Path]:
    """Put the model ``load``, versions 1 and 3, into a folder."""

    def make(parent: Path) -> Path:
        for version in ("1", "3"):
            (parent / "run" / "load" / version).mkdir(parents=True)
            model.save(parent / "run" / "load" / version / "model.safetensors")
        return parent / "run"

    return make


@pytest.fixture
def folder(tmp_path: Path, make_folder: Callable[[Path], Path]) -> Path:
    return make_folder(tmp_path)


@pytest.fixture(scope="session")
def values(frame: pd.DataFrame) -> np.ndarray:
    """The rows of the three series, ``[series, time, target]``."""
    return frame["y"].to_numpy().reshape(3, -1, 1)


@pytest.fixture(scope="session")
def start() -> Start:
    """Run a server in a thread, while a block lasts."""

    @contextlib.contextmanager
    def running(folder: Path, *, limits: Limits | None = None, **options: Any) -> Iterator[Server]:
        serving = Serving(folder=folder, limits=limits or Limits(poll=60), **{"grpc": 0, "http": 0, **options})
        ready, loops, failed = threading.Event(), [], []

        async def live() -> None:
            try:
                server = Server(serving)
                stop = asyncio.Event()
                await server.start()
            except BaseException as error:
                failed.append(error)
                ready.set()
                return
            loops.append((asyncio.get_running_loop(), server, stop))
            ready.set()
            await stop.wait()
            await server.stop()

        thread = threading.Thread(target=asyncio.run, args=(live(),))
        thread.start()
        ready.wait()
        if failed:
            thread.join()
            raise failed[0]
        loop, server, stop = loops[0]
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    return running


@pytest.fixture(scope="module")
def server(
    start: Start, make_folder: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with small limits that the tests of a module share."""
    limits = Limits(poll=60, message=64 * 1024, rows=8, reading=0.3, sequences=2)
    with start(make_folder(tmp_path_factory.mktemp("served")), limits=limits) as running:
        yield running
