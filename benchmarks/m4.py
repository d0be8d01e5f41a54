"""The M4 competition through the command line: `tidegate forecast` with nothing but columns and horizon.

    .venv/bin/python benchmarks/m4.py hourly weekly [--seeds 0 1 2]

Prints sMAPE, MASE and OWA by the competition's definitions on its own test part, seconds, and peak memory of the
command (the largest so far), for each seed. The data are read from $TIDEGATE_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tidegate.data import SeriesTable, read_csv
from tidegate.forecast.baselines import naive2
from tidegate.metrics import mase, owa, seasonal_scale, smape
from tidegate.specs import Columns

HORIZON = {"hourly": 48, "weekly": 13}
SEASON = {"hourly": 24, "weekly": 1}  # of the competition's MASE and Naive2
ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data")) / "forecasting"


def command(group: str, out: Path, seed: int) -> list[str]:
    """Give the command of the figure in RESULTS.md."""
    train = DATA / f"m4_{group}_train.csv.gz"
    columns = ["--time", "ds", "--target", "y", "--id", "unique_id"]
    tidegate = str(Path(sys.executable).parent / "tidegate")
    options = ["--horizon", str(HORIZON[group]), "--out", str(out), *(["--seed", str(seed)] if seed else [])]
    return [tidegate, "forecast", str(train), *columns, *options]


def score(group: str, forecast: pd.DataFrame) -> dict[str, float]:
    """Score forecasts by the competition's definitions."""
    horizon, season = HORIZON[group], SEASON[group]
    train = read_csv(DATA / f"m4_{group}_train.csv.gz", Columns(targets=("y",)))
    truth = in_order(read_csv(DATA / f"m4_{group}_test.csv.gz", Columns(targets=("y",))), train)
    merged = forecast.set_index("unique_id").loc[train.ids, "y_hat"].to_numpy().reshape(len(train), horizon)
    scale = np.array([seasonal_scale(train.values[train.rows(i), 0], season) for i in range(len(train))])
    reference = naive2(train, np.arange(len(train)), train.offsets[1:], horizon, season)[..., 0]
    found = {
        name: (float(smape(truth, values)), float(mase(truth, values, scale, axis=1).mean()))
        for name, values in (("tidegate", merged), ("naive2", reference))
    }
    return {
        "sMAPE": found["tidegate"][0],
        "MASE": found["tidegate"][1],
        "OWA": float(owa(*found["tidegate"], *found["naive2"])),
        "sMAPE of Naive2": found["naive2"][0],
        "MASE of Naive2": found["naive2"][1],
    }


def in_order(table: SeriesTable, like: SeriesTable) -> np.ndarray:
    """Give the values [series, step] of a table of equally long series, ordered as another's series."""
    place = {name: index for index, name in enumerate(table.ids)}
    return np.stack([table.values[table.rows(place[name]), 0] for name in like.ids])


def main() -> None:
    """Run the groups that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="+", choices=sorted(HORIZON))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="0 is the command's own default")
    given = parser.parse_args()
    for group, seed in itertools.product(given.groups, given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            start = time.perf_counter()
            subprocess.run(command(group, out, seed), check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            figures = score(group, pd.read_csv(out / "forecast.csv"))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"M4 {group}, seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
        print(f"  {seconds:.0f} s, peak memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
