"""How fast the recurrent layers are, beside torch's own, Keras and ONNX Runtime: every row in one command.

    .venv/bin/python benchmarks/recurrent.py [--only step layer] [--runs 5] [--quick] [--threads 2]

Each figure is a ratio of speeds, above 1 where Tidegate is faster (a cost: of times; a share: of the measured peak).
The contenders take turns of at least 50 ms; a figure is the median of the ratios of the single turns, behind it the
least and the greatest. At the end the rows stand in a Markdown table beside what is wanted of them.

The peers are optional, and left out with a word where they are not installed:

    pip install onnx onnxruntime keras tensorflow-cpu jax

Keras runs in processes of its own, which wait while the others have their turn. The M4 data are read from
$TIDEGATE_DATA (default ../shared/data). Let nothing else run on the machine.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable

import torch

from recurrences import alone, hourly, inference, keras_steps, layers, options
from recurrences.rows import Row, Settings, table
from tidegate import nn
from tidegate.kernels import explain, native
from tidegate.kernels.bench import Pace

KINDS: dict[str, Callable[[Settings], Iterable[Row]]] = {
    "step": layers.step,
    "layer": layers.layer_only,
    "keras-tensorflow": keras_steps.tensorflow,
    "keras-jax": keras_steps.jax,
    "gru": layers.gru_step,
    "inference-1": inference.one_row,
    "inference-32": inference.whole_batch,
    "ragged": layers.ragged,
    "wide": layers.wide,
    "bfloat16": layers.bfloat16,
    "options": options.options,
    "alone": alone.alone,
    "kept": alone.kept,
    "m4": hourly.hourly,
}


def machine(settings: Settings) -> str:
    """Say what the figures depend on."""
    missing = native.missing_because()
    kernels = native.instruction_set() if missing is None else f"missing ({missing})"
    waiting = os.environ.get("OMP_WAIT_POLICY", "not set")
    return (
        f"torch {torch.__version__}, {settings.threads} threads, OMP_WAIT_POLICY {waiting}\n"
        f"compiled kernels: {kernels}\n"
        f"load average of the last minute: {os.getloadavg()[0]:.1f} (another program at work makes figures worthless)\n"
        f"{explain(nn.LSTM(1, 50), torch.zeros(20, 32, 1))}\n"
        f"{settings.pace.runs} interleaved runs"
        + (", quick: figures for checking the benchmark, not to be quoted" if settings.quick else "")
    )


def main() -> None:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), help="rows to measure")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs; at least 5 for what is published")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of every contender")
    parser.add_argument("--quick", action="store_true", help="two short runs: to see whether all of it works")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    pace = Pace(runs=2, least_seconds=0.005) if given.quick else Pace(runs=given.runs)
    settings = Settings(pace=pace, threads=given.threads, quick=given.quick)
    print(machine(settings), flush=True)
    rows = []
    for kind in given.only:
        for row in KINDS[kind](settings):
            rows.append(row)
            print("\n" + "\n".join(row.lines()), flush=True)
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
