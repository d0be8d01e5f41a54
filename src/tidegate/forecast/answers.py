"""A fitted ensemble on a table: forecasts as arrays, for any windows, in chunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from tidegate.data import Batch, Future, SeriesTable, Windows, future_known
from tidegate.forecast.baselines import FloatArray, IntArray
from tidegate.forecast.ensemble import ForecastEnsemble
from tidegate.forecast.settled import Settled
from tidegate.kernels import packed
from tidegate.specs.strategies import Recursive
from tidegate.training.feed import to_batch

__all__ = ["MEAN_GRID", "Answers", "series_codes"]

_CHUNK = 2_048  # windows that are forecast together: bounds the memory, keeps the cores busy
_PATHS = 16_384  # of sampled paths likewise
MEAN_GRID = 200  # quantiles that a mean is taken over


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """Forecasts of a fitted ensemble from the rows of a table.

    Parameters
    ----------
    network
        In evaluation mode.
    settled
        What was settled when it was fitted.
    table
        With time features, if the model has any.
    horizon
        Steps of a forecast.
    seed
        Of sampled paths: the same windows get the same paths each time.
    future
        Known covariates of the steps behind the end of each series, where the model has any; windows that end earlier
        find theirs in the table.
    given
        True values of those steps that are known already, ``[series, horizon, target]``, NaN elsewhere.
    """

    network: ForecastEnsemble
    settled: Settled
    table: SeriesTable
    horizon: int
    seed: int = 0
    future: Future | None = None
    given: FloatArray | None = None

    def point(self, series: IntArray, ends: IntArray) -> FloatArray:
        """Forecast from the rows before ``ends`` (flat rows, [n]) of ``series`` ([n]): [n, horizon, target]."""
        return self._collect(series, ends, _CHUNK, self.network, (self.horizon, self._targets))

    @property
    def has_quantiles(self) -> bool:
        """Whether the model has a spread: of its heads, or from calibration."""
        return self.network.calibration is not None or not self.network.needs_calibration

    def quantiles(self, series: IntArray, ends: IntArray, probabilities: FloatArray) -> FloatArray:
        """Give quantiles, [n, horizon, target, q], for ascending probabilities [q]."""
        wanted = torch.as_tensor(probabilities, dtype=torch.float64, device=self._device)
        generator = torch.Generator(device=self._device).manual_seed(self.seed)

        def ask(batch: Batch[Tensor]) -> Tensor:
            return self.network.quantiles(batch, wanted, generator)

        shape = (self.horizon, self._targets, len(probabilities))
        return self._collect(series, ends, self.quantile_chunk, ask, shape)

    def mean(self, series: IntArray, ends: IntArray) -> FloatArray:
        """Give the mean of the predictive distribution, [n, horizon, target].

        It is the mean of many quantiles in the units of the data, so that it is right behind a logarithm too, where
        the inverse of a mean is not the mean of the inverse.
        """
        grid = (np.arange(MEAN_GRID) + 0.5) / MEAN_GRID
        parts = [
            self.quantiles(series[start : start + _CHUNK], ends[start : start + _CHUNK], grid).mean(axis=-1)
            for start in range(0, len(series), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.horizon, self._targets))

    def batches(self, windows: Windows, chunk: int) -> Iterator[Batch[Tensor]]:
        """Cut windows in chunks, as tensors where the network lies."""
        codes = series_codes(self.settled.ids, self.table)
        for start in range(0, len(windows), chunk):
            indices = np.arange(start, min(start + chunk, len(windows)))
            batch = windows.batch(indices)
            if codes is not None:
                batch = dataclasses.replace(batch, series=codes[windows.series[indices]])
            if self.given is not None:
                batch = dataclasses.replace(batch, given=self._given(windows, indices))
            yield to_batch(batch, self._device)

    def _collect(
        self,
        series: IntArray,
        ends: IntArray,
        chunk: int,
        ask: Callable[[Batch[Tensor]], Tensor],
        shape: tuple[int, ...],
    ) -> FloatArray:
        windows = Windows(
            table=self.table,
            context=self.settled.context,
            horizon=0,
            ahead=self.horizon,
            series=series,
            ends=ends,
            future=self._known(series, ends),
            codes=self.table.category_codes(self.settled.vocabularies),
        )
        results = np.empty((len(series), *shape))
        start = 0
        with torch.inference_mode(), packed(self.network):
            for batch in self.batches(windows, chunk):
                stop = start + len(batch.values)
                results[start:stop] = ask(batch).cpu().numpy()
                start = stop
        return results

    def _known(self, series: IntArray, ends: IntArray) -> np.ndarray | None:
        """Give the known covariates behind the end of each series, if a window reaches there."""
        within = (ends + self.horizon <= self.table.offsets[series + 1]).all()
        if within or not self.table.known.shape[1]:
            return None
        return future_known(self.table, self.horizon, seasons=self.settled.waves, future=self.future)

    def _given(self, windows: Windows, indices: IntArray) -> FloatArray:
        """Give true values of the horizon, where a window stands at the end of its series; NaN elsewhere."""
        assert self.given is not None
        series = windows.series[indices]
        at_end = windows.ends[indices] == self.table.offsets[series + 1]
        given: FloatArray = np.where(at_end[:, None, None], self.given[series], np.nan)
        return given

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def _targets(self) -> int:
        return len(self.settled.columns.targets)

    @property
    def quantile_chunk(self) -> int:
        """Windows whose quantiles are found together: fewer where each needs many paths."""
        strategy = self.network.networks[0].design.strategy
        return max(1, _PATHS // strategy.samples) if isinstance(strategy, Recursive) else _CHUNK


def series_codes(ids: tuple[str | int, ...], table: SeriesTable) -> IntArray | None:
    """Give each series of a table its number in training, −1 for one never seen; ``None`` where nobody asks."""
    if not ids:
        return None
    known = {name: number for number, name in enumerate(ids)}
    return np.array([known.get(name, -1) for name in table.ids.tolist()], np.int64)
