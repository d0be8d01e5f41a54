"""A fitted network on tables: the errors of every row, by all windows that cover it, and by those before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch

from tidegate.anomaly.covering import FloatArray, covering_errors, smoothed
from tidegate.anomaly.network import Detection
from tidegate.data import Batch, SeriesTable
from tidegate.kernels import packed
from tidegate.specs.detection import Prediction
from tidegate.training.feed import to_batch

__all__ = ["Errors", "Scorer"]

_CHUNK = 1_024  # windows that are run together: bounds the memory, keeps the cores busy


@dataclasses.dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors of the rows of one series, ``[row, target]`` in units of the series; NaN where there are none.

    Parameters
    ----------
    batch
        From all windows that cover a row.
    causal
        From windows that end at it or before, as a stream has them.
    """

    batch: FloatArray
    causal: FloatArray


class Scorer:
    """The errors of a network.

    Parameters
    ----------
    network
        In evaluation mode.
    """

    def __init__(self, network: Detection) -> None:
        self._network = network
        self._device = next(network.parameters()).device

    def errors(self, table: SeriesTable, index: int, code: int) -> Errors:
        """Give the errors of series ``index`` of a table, whose number in training is ``code``.

        It has at least a context of rows.
        """
        design = self._network.design
        values = table.values[table.rows(index)]
        truth = self._truth(values, code)
        last: list[FloatArray] = []

        def chunks() -> Iterator[FloatArray]:
            for chunk in self._window_errors(values, truth, code):
                last.append(chunk[:, -1])
                yield chunk

        if design.first >= len(values):  # all of it is context
            nothing = np.full_like(truth, np.nan)
            return Errors(batch=nothing, causal=nothing)
        batch = np.full_like(truth, np.nan)
        covered = covering_errors(chunks(), steps=design.steps, together=design.together)
        batch[design.first :] = covered[: len(values) - design.first]
        if isinstance(design.method, Prediction):  # all windows that predict a row end before it
            return Errors(batch=smoothed(batch, design.method.smoothing), causal=batch)
        causal = np.full_like(truth, np.nan)
        causal[design.context - 1 :] = np.concatenate(last)
        return Errors(batch=smoothed(batch, design.method.smoothing), causal=causal)

    def _truth(self, values: FloatArray, code: int) -> FloatArray:
        """Give the values in units of the series, NaN where missing."""
        observed = ~np.isnan(values)
        units, _ = self._network.units(self._batch(values[np.newaxis], code))
        truth: FloatArray = np.where(observed, units[0].cpu().numpy(), np.nan)
        return truth

    def _window_errors(self, values: FloatArray, truth: FloatArray, code: int) -> Iterator[FloatArray]:
        """Give the errors of consecutive windows, in chunks of ``[window, step, target]``."""
        design = self._network.design
        windows = np.lib.stride_tricks.sliding_window_view(values, design.context, axis=0)
        count = len(values) - max(design.context, design.first + 1) + 1  # windows with a step that is there to judge
        beyond = np.full((design.steps, truth.shape[1]), np.nan)
        following = np.concatenate([truth[design.first :], beyond])
        judged = np.lib.stride_tricks.sliding_window_view(following, design.steps, axis=0)
        with torch.inference_mode(), packed(self._network):
            for start in range(0, count, _CHUNK):
                rows = slice(start, min(start + _CHUNK, count))
                made = self._network(self._batch(windows[rows].swapaxes(1, 2), code)).cpu().numpy()
                yield np.abs(judged[rows].swapaxes(1, 2) - made)

    def _batch(self, values: FloatArray, code: int) -> Batch[torch.Tensor]:
        observed = ~np.isnan(values)
        series = np.full(len(values), code, np.int64)
        batch = Batch(values=np.where(observed, values, 0.0), observed=observed, series=series)
        return to_batch(batch, self._device)
