"""From tables and arrays to batches. Pandas and polars are imported when a table is first read, torch never."""

from tidegate.data.arrays import sliding_windows
from tidegate.data.batches import Arrays, Batch, Batches, ContinuousBatches, IntArray, Source
from tidegate.data.frames import read_frame, to_frame
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
    "Windows",
    "future_times",
    "read_frame",
    "sliding_windows",
    "to_frame",
]
