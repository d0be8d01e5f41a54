"""How fast layers on int8 weights are, beside float32 and ONNX Runtime's int8: every row in one command.

    .venv/bin/python benchmarks/int8.py [--cells LSTM GRU] [--units 32 64 128 256 512] [--batch 1] [--cpu-time]

Inference of one layer on 100 steps, at one thread, with 1 input and with as many inputs as units. Ours is packed, both
in int8 and in float32 (which runs on torch's own kernels where `tidegate.kernels.dispatch` finds those faster). The
peer is DynamicQuantizeLSTM with a scale for each row of the weights, made by `onnxruntime.quantization`; ONNX Runtime
has no such thing for a GRU. Outputs are compared before anything is measured.

Each figure is a ratio of speeds, above 1 where Tidegate's int8 is faster: the median of the ratios of single turns,
behind it the least and the greatest. Let nothing else run on the machine; where something does, `--cpu-time` counts the
processor's time instead of the wall's.

    pip install onnx onnxruntime
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from recurrences.onnx_layers import OnnxLayers
from recurrences.rows import installed
from tidegate import kernels, nn
from tidegate.kernels import native, ops
from tidegate.kernels.bench import Contender, Network, Pace, Shape, Timing, interleaved, require_agreement

STEPS = 100
INT8, FLOAT32, ONNX = "int8", "float32", "ONNX Runtime int8"
_REST = 0.05  # seconds before a turn
_FAR = 0.05  # what quantising may change in an output, at most


def timed(call: Callable[[], object], clock: Callable[[], float]) -> Contender:
    """Make a contender of calls in inference mode."""

    def repeat(times: int) -> float:
        with torch.inference_mode():
            start = clock()
            for _ in range(times):
                call()
            return clock() - start

    return repeat


def ours(layer: nn.LSTM | nn.GRU, x: Tensor, clock: Callable[[], float], *, int8: bool) -> tuple[Contender, Tensor]:
    """Run a layer packed; the weights are packed once a turn, outside the clock."""
    repeat = timed(lambda: layer(x), clock)

    def run(times: int) -> float:
        layer.int8 = int8
        with kernels.packed(layer):
            return repeat(times)

    layer.int8 = int8
    with torch.inference_mode(), kernels.packed(layer):
        output: Tensor = layer(x)[0]
    return run, output


def measured(cell: str, shape: Shape, pace: Pace, clock: Callable[[], float]) -> Timing:
    """Let the contenders take turns on one layer."""
    torch.manual_seed(0)
    network = Network(shape, getattr(nn, cell), batch_first=False).eval()
    [layer] = network.layers
    assert isinstance(layer, nn.LSTM | nn.GRU)
    x = shape.values(batch_first=False)
    contenders: dict[str, Contender] = {}
    contenders[INT8], output = ours(layer, x, clock, int8=True)
    contenders[FLOAT32], wanted = ours(layer, x, clock, int8=False)
    require_agreement(output, wanted, tolerance=_FAR, what=f"{cell} {shape.name}")
    if cell == "LSTM" and installed("onnx", "onnxruntime", package="onnx onnxruntime"):
        session = OnnxLayers(cell, network, shape, threads=1, int8=True)
        require_agreement(session(x), wanted, tolerance=_FAR, what=f"{cell} {shape.name}, ONNX Runtime")
        contenders[ONNX] = timed(session.fastest(x), clock)
    return interleaved(contenders, pace)


def rows(given: argparse.Namespace) -> Iterator[str]:
    """Give the lines of the table."""
    pace = Pace(runs=2, least_seconds=0.005) if given.quick else Pace(runs=given.runs, pause=_REST)
    clock = time.process_time if given.cpu_time else time.perf_counter
    for cell in given.cells:
        for units in given.units:
            for features in (1, units):
                name = f"{units} units, {features} input{'s' if features > 1 else ''}"
                shape = Shape(name=name, features=features, units=(units,), steps=STEPS, batch=given.batch)
                timing = measured(cell, shape, pace, clock)
                cells = [cell, name, *(_ratio(timing, other) for other in (FLOAT32, ONNX))]
                for contender in (INT8, FLOAT32, ONNX):
                    known = contender in timing.seconds
                    cells.append(f"{1e6 * timing.median(contender):.0f}" if known else "–")
                yield f"| {' | '.join(cells)} |"


def _ratio(timing: Timing, other: str) -> str:
    if other not in timing.seconds:
        return "–"
    ratio = timing.ratio(other, INT8)
    return f"{ratio.median:.2f} ({ratio.lowest:.2f}–{ratio.highest:.2f})"


def main() -> None:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", choices=["LSTM", "GRU"], default=["LSTM", "GRU"])
    parser.add_argument("--units", nargs="+", type=int, default=[32, 64, 128, 256, 512])
    parser.add_argument("--batch", type=int, default=1, help="rows of the batch")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs; at least 5 for what is published")
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, not the wall's")
    parser.add_argument("--quick", action="store_true", help="two short runs: to see whether all of it works")
    given = parser.parse_args()
    torch.set_num_threads(1)
    instructions = native.instruction_set() if ops.COMPILED else "missing"
    print(f"torch {torch.__version__}, one thread, compiled kernels: {instructions}, batch {given.batch}")
    print(f"load average of the last minute: {os.getloadavg()[0]:.1f}, {2 if given.quick else given.runs} runs\n")
    head = ("cell", "layer", "times as fast as float32", "times as fast as ONNX Runtime's int8")
    print(f"| {' | '.join((*head, *(f'{name}, µs' for name in (INT8, FLOAT32, ONNX))))} |\n|{'---|' * 7}")
    for row in rows(given):
        print(row, flush=True)


if __name__ == "__main__":
    main()
