"""The training step beside Keras on TensorFlow and on JAX, each in a process of its own."""

from __future__ import annotations

import dataclasses
import functools
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
from tidegate.kernels.bench import SHAPES, Contender, Shape, Timing, interleaved, training_step

__all__ = ["jax", "tensorflow"]

_REST = 0.2  # seconds before a turn: the threads of the other process go on looking for work for a while


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

    def prepare(self, shape: Shape) -> dict[str, Contender]:
        """Build the step of a shape; give its variants."""
        names = self._ask({"prepare": dataclasses.asdict(shape)})
        return {name: functools.partial(self._repeat, name) for name in names}

    def _repeat(self, variant: str, times: int) -> float:
        return float(self._ask({"variant": variant, "repeat": times}))


def _measure(backend: str, settings: Settings) -> list[tuple[Shape, Timing]]:
    """Measure ours beside each variant of the other, on every shape."""
    measured = []
    with Worker(backend, settings.threads) as worker:
        for shape in SHAPES:
            network, _ = networks("LSTM", shape, final=True, embedding=True)
            x = shape.words() if shape.vocabulary else shape.values()
            ours = training_step(network, functools.partial(network, x))
            pace = dataclasses.replace(settings.pace, pause=_REST)
            measured.append((shape, interleaved({"ours": ours, **worker.prepare(shape)}, pace)))
    return measured


def _row(name: str, target: float | None, measured: list[tuple[Shape, Timing]], *variants: str) -> Row:
    """Compare with the fastest of some variants, shape by shape."""
    figures = []
    for shape, timing in measured:
        best = min(variants, key=timing.median)
        detail = milliseconds(timing, "ours", best)
        figures.append(Figure(name=shape.name, value=timing.ratio(best, "ours"), detail=detail))
    return Row(what=f"training step, LSTM, final output, against Keras on {name}", figures=figures, target=target)


def tensorflow(settings: Settings) -> Iterator[Row]:
    """Compare with Keras on TensorFlow: with XLA or as `fit` compiles it on a CPU, and by `train_on_batch`."""
    if installed("keras", "tensorflow", package="keras tensorflow-cpu"):
        measured = _measure("tensorflow", settings)
        yield _row("TensorFlow, the faster of graph and XLA", 8.0, measured, "graph", "XLA")
        yield _row("TensorFlow, as a graph (its default on a CPU)", 8.0, measured, "graph")
        yield _row("TensorFlow, by train_on_batch", None, measured, "train_on_batch")


def jax(settings: Settings) -> Iterator[Row]:
    """Compare with Keras on JAX: one jitted, stateless step, and the step that `train_on_batch` makes of it."""
    if installed("keras", "jax", package="keras jax"):
        measured = _measure("jax", settings)
        yield _row("JAX", 2.5, measured, "jit")
        yield _row("JAX, by train_on_batch", None, measured, "train_on_batch")
