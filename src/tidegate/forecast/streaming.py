"""Forecasts while rows arrive one by one: ring buffers, no data frames."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tidegate.data import Batch
from tidegate.errors import DataError, ShapeError, UnsupportedError
from tidegate.forecast.answers import Answers, series_codes
from tidegate.forecast.baselines import FloatArray
from tidegate.forecast.context import Context
from tidegate.forecast.network import ForecastNetwork
from tidegate.forecast.strategies.base import CarriedStrategy
from tidegate.kernels.packing import packed_context
from tidegate.nn.scaling import WindowScale
from tidegate.training.feed import to_batch

__all__ = ["Stream"]

_LARGEST = 1e15  # as in a table: beyond it a value is nearly always a marker for "missing"


class Stream:
    """The latest rows of each series of a model, and forecasts from them.

    A row and a forecast cost the same however many have come before, and so does the memory. By default the window
    is encoded anew for each forecast, so that it is what `Forecaster.predict` gives for the same rows, to rounding.
    Carrying the recurrent state on instead reads each row once, with the scale of each series frozen at what it was
    when the stream began: the answers differ from `predict`, the more the longer it runs and the further a series
    leaves its level.

    Not to be called from several threads at once; the model may be.

    Parameters
    ----------
    answers
        The model, on the rows that the stream begins with.
    carry
        Carry the recurrent state on.

    Raises
    ------
    UnsupportedError
        If the model reads covariates that change with time (`Forecaster.update` serves those), or ``carry`` is asked
        of one that cannot: an ensemble, a strategy other than direct (without segments) and recursive, a network with
        other than recurrent parts.
    """

    def __init__(self, answers: Answers, *, carry: bool = False) -> None:
        settled, table = answers.settled, answers.table
        if settled.covariates.past or settled.covariates.known:
            raise UnsupportedError(
                "a stream holds targets alone, and this model reads covariates that change with time; "
                "use model.update(rows) and model.predict(future=…)"
            )
        self.ids = table.ids.tolist()
        self.horizon = answers.horizon
        self._network = answers.network
        self._context = settled.context
        self._targets = len(settled.columns.targets)
        self._device = next(self._network.parameters()).device
        self._least = max(network.scaling.transform.least for network in self._network.networks)
        self._place = {name: index for index, name in enumerate(self.ids)}
        # Each value is written twice, a context apart, so that every window is one stretch of memory.
        self._buffer = np.full((len(self.ids), 2 * self._context, self._targets), np.nan)
        self._cursor = np.zeros(len(self.ids), np.int64)
        self._fill(answers)
        self._fixed = self._constants(answers)
        self._frozen = _Carried(self._single(carry), self._batch(slice(None))) if carry else None
        self._variables = packed_context(self._network)  # packed once, for the life of the stream

    def update(self, value: float | npt.ArrayLike, series: Any = None) -> None:
        """Take the next row of a series.

        Parameters
        ----------
        value
            The target, or ``[target]``; NaN for a missing value.
        series
            The id; may be left out where there is one series.

        Raises
        ------
        DataError
            If the id is unknown, or the value no number, infinite, beyond ±1e15, or outside the transform's domain.
        ShapeError
            If there is another number of targets.
        """
        index = self._index(series)
        try:
            row = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"expected a number, NaN where missing; got {value!r}") from error
        if row.shape not in ((), (self._targets,)) or (row.shape == () and self._targets > 1):
            raise ShapeError(f"expected {self._targets} target value(s); got shape {list(row.shape)}")
        if (np.abs(row) > _LARGEST).any():
            raise DataError(f"expected finite values up to {_LARGEST:g}, NaN where missing; got {value!r}")
        if (row <= self._least).any():
            raise DataError(f"the transform of the model needs values above {self._least:g}; got {value!r}")
        self._push(index, row)
        if self._frozen is not None:
            self._variables.run(self._frozen.advance, index, self._batch(slice(index, index + 1)))

    def forecast(self, series: Any = None) -> FloatArray:
        """Forecast a series from its latest rows: ``[horizon, target]`` in the units of the data."""
        index = self._index(series)
        batch = self._batch(slice(index, index + 1))
        result: FloatArray = self._variables.run(self._ask, index, batch)[0]
        return result

    def _ask(self, index: int, batch: Batch[Tensor]) -> FloatArray:
        with torch.inference_mode():
            made = self._network(batch) if self._frozen is None else self._frozen.forecast(index, batch)
        answer: FloatArray = made.cpu().numpy()
        return answer

    def _index(self, series: Any) -> int:
        if series is None and len(self.ids) == 1:
            return 0
        if series not in self._place:
            known = ", ".join(map(repr, self.ids[:5])) + (" …" if len(self.ids) > 5 else "")
            raise DataError(f"the stream has no series {series!r}; it holds {known}")
        return self._place[series]

    def _push(self, index: int, row: FloatArray) -> None:
        cursor = self._cursor[index]
        self._buffer[index, cursor] = self._buffer[index, cursor + self._context] = row
        self._cursor[index] = (cursor + 1) % self._context
        position = self._fixed["position"]
        if position is not None:
            position[index] += 1

    def _fill(self, answers: Answers) -> None:
        table = answers.table
        for index in range(len(self.ids)):
            recent = table.values[table.rows(index)][-self._context :]
            stretch = slice(self._context - len(recent), self._context)
            self._buffer[index, stretch] = recent
            self._buffer[index, self._context :] = self._buffer[index, : self._context]

    @staticmethod
    def _constants(answers: Answers) -> dict[str, Tensor | None]:
        """Give what a batch holds beside values, [series, …]."""
        table = answers.table
        codes = series_codes(answers.settled.ids, table)
        number, _ = table.calendar.split(table.times[table.offsets[1:] - 1])
        categories = table.category_codes(answers.settled.vocabularies)
        return {
            "static": torch.from_numpy(table.static) if table.static.shape[1] else None,
            "categories": torch.from_numpy(categories) if categories.shape[1] else None,
            "series": None if codes is None else torch.from_numpy(codes),
            "position": torch.from_numpy(number + 1),
        }

    def _batch(self, rows: slice) -> Batch[Tensor]:
        start, stop, _ = rows.indices(len(self.ids))
        windows = [
            self._buffer[row, self._cursor[row] : self._cursor[row] + self._context] for row in range(start, stop)
        ]
        values = torch.from_numpy(windows[0][None].copy() if len(windows) == 1 else np.stack(windows))
        observed = ~values.isnan()
        fixed = {name: None if part is None else part[rows] for name, part in self._fixed.items()}
        return to_batch(Batch(values=values.nan_to_num(0.0), observed=observed, **fixed), self._device)

    def _single(self, carry: bool) -> ForecastNetwork:
        network = self._network.networks[0]
        if carry and (len(self._network.networks) > 1 or not network.strategy.carries or network.design.independent):
            raise UnsupportedError(
                "carry=True needs one network whose state goes on from step to step: strategy 'direct' with a segment "
                "of 1 or 'recursive', recurrent parts alone, one direction, no ensemble, targets together"
            )
        return network


class _Carried:
    """The recurrent state of each series, with the scale that it began with."""

    def __init__(self, network: ForecastNetwork, start: Batch[Tensor]) -> None:
        assert isinstance(network.strategy, CarriedStrategy)
        self._network, self._strategy = network, network.strategy
        with torch.inference_mode():
            context, self._scale = network.prepared(start)
            parts = [self._strategy.read(_row(context, index)) for index in range(len(start.values))]
        self._outputs = [output[:, -1:] for output, _ in parts]
        self._states = [state for _, state in parts]

    def advance(self, index: int, batch: Batch[Tensor]) -> None:
        """Read the last step of a window."""
        with torch.inference_mode():
            context = self._context(index, batch)
            self._outputs[index], self._states[index] = self._strategy.read(context, self._states[index])

    def forecast(self, index: int, batch: Batch[Tensor]) -> Tensor:
        """Forecast from the state: ``[1, horizon, target]`` in the units of the data."""
        context = self._context(index, batch)
        raw = self._strategy.made(self._outputs[index], self._states[index], context)
        scale = self._of(index)
        return scale.decode(self._network.meaning.centre(raw, scale.scale))

    def _context(self, index: int, batch: Batch[Tensor]) -> Context:
        context, _ = self._network.prepared(batch)
        scale = self._of(index)
        assert batch.observed is not None
        surplus = batch.values.shape[1] - context.steps
        values, observed = batch.values[:, surplus:], batch.observed[:, surplus:]
        return dataclasses.replace(context, values=scale.encode(values, observed), scale=scale.scale)

    def _of(self, index: int) -> WindowScale:
        row = slice(index, index + 1)
        return dataclasses.replace(self._scale, loc=self._scale.loc[row], scale=self._scale.scale[row])


def _row(context: Context, index: int) -> Context:
    parts: dict[str, Any] = {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}
    return Context(**{name: part[index : index + 1] for name, part in parts.items() if part is not None})
