"""``tidegate bench``: how fast the layers are on this machine, beside torch's own."""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from tidegate import __version__
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.errors import SpecError
from tidegate.specs import checks

if TYPE_CHECKING:
    from tidegate.kernels.bench import Pace, Ratio, Shape

__all__ = ["Options", "run"]

_TRAINING, _INFERENCE = "training step", "inference"
_CELLS = ("LSTM", "GRU")  # the names of the classes, here and in torch


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate bench`` takes."""

    quick: Annotated[bool, Option("--quick", help="Two shapes and short runs: an impression in seconds.")] = False
    threads: Annotated[
        int | None, Option("--threads", help="Threads of both sides. [default: as many as torch takes]")
    ] = None
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        if self.threads is not None:
            checks.whole("--threads", self.threads)
            most = os.cpu_count() or 1
            if self.threads > most:  # more would only wait for each other, and far too many would end the process
                raise SpecError(f"--threads must be at most {most}, the processors of this machine; got {self.threads}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Result:
    """One comparison; seconds are medians over the runs."""

    cell: str
    work: str
    shape: Shape
    ours: float
    torch: float
    ratio: Ratio
    implementation: str
    reason: str


def run(options: Options) -> None:
    """Measure the layers on this machine, beside torch's own.

    Plain LSTM and GRU layers of both libraries take turns with the same weights, inputs and optimiser. A ratio above 1
    says how many times as fast Tidegate is.
    """
    from tidegate.kernels.bench import SHAPES, Pace

    console = Console(quiet=options.quiet)
    shapes = (SHAPES[0], SHAPES[3]) if options.quick else SHAPES
    pace = Pace(runs=3, least_seconds=0.01) if options.quick else Pace()
    with _threads(options.threads) as threads:
        machine = _machine(threads, pace)
        console.remark(
            f"{pace.runs} interleaved runs of {len(shapes)} shapes; another program at work makes them worthless"
        )
        results = [result for cell in _CELLS for shape in shapes for result in _measure(cell, shape, pace)]
    means = {
        f"{cell}, {work}": statistics.geometric_mean(
            result.ratio.median for result in results if (result.cell, result.work) == (cell, work)
        )
        for cell in _CELLS
        for work in (_TRAINING, _INFERENCE)
    }
    if options.json:
        console.json(machine | {"results": [_plain(result) for result in results], "geometric_means": means})
    else:
        _show(machine, results, means, console)


@contextmanager
def _threads(wanted: int | None) -> Iterator[int]:
    """Let torch use so many threads for a while."""
    import torch

    before = torch.get_num_threads()
    try:
        if wanted is not None:
            torch.set_num_threads(wanted)
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _machine(threads: int, pace: Pace) -> dict[str, Any]:
    """Describe what the figures depend on."""
    import torch

    from tidegate.kernels import native

    missing = native.missing_because()
    return {
        "tidegate": __version__,
        "torch": torch.__version__,
        "instruction_set": native.instruction_set() if missing is None else None,
        "compiled_kernels_missing": missing,
        "threads": threads,
        "openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "runs": pace.runs,
    }


def _measure(cell: str, shape: Shape, pace: Pace) -> Iterator[_Result]:
    """Compare a training step, and inference of the layers at the shape's batch and at batch 1."""
    yield _compare(cell, _TRAINING, shape, pace)
    yield _compare(cell, _INFERENCE, shape, pace)
    yield _compare(cell, _INFERENCE, dataclasses.replace(shape, batch=1), pace)


def _compare(cell: str, work: str, shape: Shape, pace: Pace) -> _Result:
    import torch

    from tidegate import nn
    from tidegate.kernels import explain
    from tidegate.kernels.bench import Network, inference, interleaved, require_agreement, training_step

    training = work == _TRAINING
    ours = Network(shape, getattr(nn, cell), embedding=training).train(training)
    theirs = Network(shape, getattr(torch.nn, cell), embedding=training).train(training)
    theirs.load_state_dict(ours.state_dict())
    x = shape.words() if ours.embedding is not None else shape.values()
    require_agreement(ours(x), theirs(x), tolerance=1e-4, what=f"{cell}, {shape.name}")
    if training:
        contenders = {"ours": training_step(ours, lambda: ours(x)), "torch": training_step(theirs, lambda: theirs(x))}
    else:
        contenders = {"ours": inference(ours, x), "torch": inference(theirs, x)}
    timing = interleaved(contenders, pace)
    explanation = explain(ours.layers[0], shape.values())  # type: ignore[arg-type]
    return _Result(
        cell=cell,
        work=work,
        shape=shape,
        ours=timing.median("ours"),
        torch=timing.median("torch"),
        ratio=timing.ratio("torch", "ours"),
        implementation=explanation.implementation,
        reason=explanation.reason,
    )


def _plain(result: _Result) -> dict[str, Any]:
    return {
        "cell": result.cell,
        "work": result.work,
        "shape": result.shape.name,
        "batch": result.shape.batch,
        "ours_seconds": result.ours,
        "torch_seconds": result.torch,
        "ratio": dataclasses.asdict(result.ratio),
        "implementation": result.implementation,
        "reason": result.reason,
    }


def _show(machine: dict[str, Any], results: Sequence[_Result], means: dict[str, float], console: Console) -> None:
    kernels = machine["instruction_set"] or f"missing ({machine['compiled_kernels_missing']})"
    console.result(f"torch {machine['torch']}, threads: {machine['threads']}, compiled kernels: {kernels}")
    header = ("", "batch", "ours, ms", "torch, ms", "ratio", "lowest", "highest", "runs on")
    for work in (_TRAINING, _INFERENCE):
        rows = [
            (
                f"{result.cell} {result.shape.name}",
                str(result.shape.batch),
                f"{result.ours * 1e3:.3f}",
                f"{result.torch * 1e3:.3f}",
                f"{result.ratio.median:.2f}",
                f"{result.ratio.lowest:.2f}",
                f"{result.ratio.highest:.2f}",
                result.implementation,
            )
            for result in results
            if result.work == work
        ]
        console.table([(work, *header[1:]), *rows])
    for name, mean in means.items():
        console.result(f"{name}: {mean:.2f} times as fast as torch (geometric mean)")
