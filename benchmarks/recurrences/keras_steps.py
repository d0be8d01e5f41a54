"""The training step beside Keras on TensorFlow and on JAX, each in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from recurrences.layers import networks
from recurrences.rows import Figure, Row, Settings, installed, milliseconds
from tidegate.kernels.bench import SHAPES, Shape, interleaved, training_step

__all__ = ["jax", "tensorflow"]


class Worker:
    """A process that makes training steps with Keras; it takes its turns over pipes.

    Parameters
    ----------
    backend
        ``"tensorflow"`` or ``"jax"``.
    threads
        As many as ours has.
    """

    def __init__(self, backend: str, threads: int) -> None:
        script = Path(__file__).with_name("keras_worker.py")
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
        self._remarks = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process; shown if it fails
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._remarks,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._remarks.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            code = self._process.wait()
            self._remarks.seek(0)
            raise RuntimeError(f"the Keras process ended with {code}:\n{self._remarks.read()[-4000:]}")
        return json.loads(answer)

    def prepare(self, shape: Shape) -> str:
        """Compile the step of a shape and name the variant that was kept."""
        return str(self._ask({"prepare": dataclasses.asdict(shape)}))

    def repeat(self, times: int) -> float:
        """Make so many steps and give the seconds."""
        return float(self._ask({"repeat": times}))


def _rows(backend: str, name: str, packages: str, target: float, settings: Settings) -> Iterator[Row]:
    if not installed("keras", backend, package=packages):
        return
    with Worker(backend, settings.threads) as worker:
        figures = [_compare(worker, shape, settings) for shape in SHAPES]
    yield Row(what=f"training step, LSTM, final output, against Keras on {name}", figures=figures, target=target)


def _compare(worker: Worker, shape: Shape, settings: Settings) -> Figure:
    variant = worker.prepare(shape)
    network, _ = networks("LSTM", shape, final=True, embedding=True)
    x = shape.words() if shape.vocabulary else shape.values()
    ours = training_step(network, lambda: network(x))
    timing = interleaved({"ours": ours, "Keras": worker.repeat}, settings.pace)
    detail = f"{milliseconds(timing, 'ours', 'Keras')} ({variant})"
    return Figure(name=shape.name, value=timing.ratio("Keras", "ours"), detail=detail)


def tensorflow(settings: Settings) -> Iterator[Row]:
    """Compare with Keras on TensorFlow: as a graph or compiled by XLA, whichever is faster."""
    return _rows("tensorflow", "TensorFlow", "keras tensorflow-cpu", 8.0, settings)


def jax(settings: Settings) -> Iterator[Row]:
    """Compare with Keras on JAX: one jitted, stateless step."""
    return _rows("jax", "JAX", "keras jax", 2.5, settings)
