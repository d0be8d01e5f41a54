"""The series of the Numenta Anomaly Benchmark, and those that anomalies were made up in."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tidegate.metrics import nab_probation

__all__ = ["FloatArray", "Labelled", "data_folder", "nab", "period"]

FloatArray = npt.NDArray[np.floating]

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """One series and where its anomalies are.

    Attributes
    ----------
    name
        Folder and file.
    values
        ``[row]``.
    learning
        Rows at the beginning that a detector may be fitted on before it runs over the rest.
    windows
        First and last row of each window around an anomaly.
    """

    name: str
    values: FloatArray
    learning: int
    windows: tuple[tuple[int, int], ...]

    @property
    def label(self) -> FloatArray:
        """1 within the windows, ``[row]``."""
        label = np.zeros(len(self.values))
        for first, last in self.windows:
            label[first : last + 1] = 1
        return label


def data_folder() -> Path:
    """Give the folder of the data: $TIDEGATE_DATA, or ../shared/data."""
    return Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data"))


def nab(folder: Path | None = None) -> list[Labelled]:
    """Read all series of the benchmark, in the order of their names."""
    folder = folder or data_folder() / "anomaly" / "nab"
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    return [_read(folder, name, windows[name]) for name in sorted(windows)]


def period(values: FloatArray, *, longest: int = 300, otherwise: int = 125) -> int:
    """Give the lag of the highest local maximum of the autocorrelation, 3 to ``longest``: TSB-AD's rule.

    ``otherwise`` is the answer where there is none; never more than a quarter of the rows.
    """
    centred = values[:20_000] - values[:20_000].mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[3 : min(401, len(centred))]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:])) + 1
    lag = int(peaks[correlation[peaks].argmax()]) if len(peaks) else 0
    return min(lag + 3 if 3 <= lag <= longest else otherwise, max(len(values) // 4, 3))


def _read(folder: Path, name: str, windows: list[list[str]]) -> Labelled:
    with gzip.open(folder / "data" / f"{name}.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    first = {row["timestamp"]: number for number, row in reversed(list(enumerate(rows)))}  # stamps may be doubled
    bounds = [[first[stamp.removesuffix(".000000")] for stamp in window] for window in windows]
    return Labelled(
        name=name.removesuffix(".csv"),
        values=np.array([float(row["value"]) for row in rows]),
        learning=nab_probation(len(rows)),
        windows=tuple((start, end) for start, end in bounds),
    )
