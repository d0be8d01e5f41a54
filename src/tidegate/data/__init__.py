"""From tables and arrays to batches. Pandas and polars are imported when a table is first read, torch never."""

from tidegate.data import datasets
from tidegate.data.arrays import sliding_windows
from tidegate.data.batches import Arrays, Batch, Batches, ContinuousBatches, IntArray, Source
from tidegate.data.csvfile import read_csv
from tidegate.data.frames import read_frame, to_frame
from tidegate.data.seasonality import detect_season, seasons
from tidegate.data.splits import Split, split_bounds
from tidegate.data.table import SeriesTable, future_times
from tidegate.data.windows import Windows

__all__ = [
    "Arrays",
    "Batch",
    "Batches",
    "ContinuousBatches",
    "IntArray",
    "SeriesTable",
    "Source",
    "Split",
    "Windows",
    "datasets",
    "detect_season",
    "future_times",
    "read_csv",
    "read_frame",
    "seasons",
    "sliding_windows",
    "split_bounds",
    "to_frame",
]
