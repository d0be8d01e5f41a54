"""The figures of the detector: the Numenta Anomaly Benchmark, streaming and in finished tables, and a long stream.

    .venv/bin/python benchmarks/anomalies.py nab [--validate]
    .venv/bin/python benchmarks/anomalies.py volumes [--validate]
    .venv/bin/python benchmarks/anomalies.py stream [--points 1000000]

All print rows of Markdown tables. ``nab`` fits a detector on the first rows of each series, which NAB gives for
learning, and runs it over the others point by point; the scores are NAB's, with the threshold that NAB chooses with
the labels in hand, and with the detector's own. ``volumes`` fits on all rows of a series, without labels, and ranks
them, beside baselines. ``--validate`` does either on anomalies that are made up in other material (`made_up.py`), by
which recipes are chosen, and reads no label. The data are read from $TIDEGATE_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from detections import corpus, made_up, recipes
from detections.stream import stream
from detections.streaming import nab_rows
from detections.volumes import volumes


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = given.add_subparsers(dest="command", required=True)
    for name in ("nab", "volumes"):
        command = commands.add_parser(name)
        command.add_argument("--validate", action="store_true", help="made-up anomalies in place of NAB's")
        command.add_argument("--limit", type=int, help="the first so many series alone, to see that all of it works")
    commands.add_parser("stream").add_argument("--points", type=int, default=1_000_000)
    return given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command."""
    asked = parser().parse_args(arguments)
    torch.set_num_threads(1)  # networks of this size run best on one
    if asked.command == "stream":
        stream(asked.points)
        return
    series = (made_up.made_up() if asked.validate else corpus.nab())[: asked.limit]
    if asked.command == "nab":
        nab_rows(series, recipes.streaming)
    else:
        volumes(series)


if __name__ == "__main__":
    main()
