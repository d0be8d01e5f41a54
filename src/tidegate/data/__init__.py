"""From tables and arrays to batches. Pandas and polars are imported when a table is first read, torch never."""

from tidegate.data.arrays import sliding_windows
from tidegate.data.batches import Arrays, Batch, Batches, ContinuousBatches, IntArray, Source

__all__ = ["Arrays", "Batch", "Batches", "ContinuousBatches", "IntArray", "Source", "sliding_windows"]
