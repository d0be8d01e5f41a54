"""Windows of series that are known by other numbers than their order in a table."""

from __future__ import annotations

import dataclasses

import numpy as np

from tidegate.data.batches import Batch, IntArray
from tidegate.data.windows import Windows

__all__ = ["NumberedWindows"]


@dataclasses.dataclass(frozen=True, eq=False)
class NumberedWindows:
    """Windows whose series bear the numbers of an earlier training.

    Parameters
    ----------
    windows
        Of a table.
    codes
        The number of each of its series, ``[series]``; −1 for one that was not there.
    """

    windows: Windows
    codes: IntArray

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.windows)

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        """Copy the windows at ``indices`` into a batch."""
        batch = self.windows.batch(indices)
        return dataclasses.replace(batch, series=self.codes[self.windows.series[indices]])
