"""The inputs of a forecaster: arrays of a request to the windows that its network reads.

They are cut as `tidegate.data.Windows` cuts them out of a table, so that the network sees the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tidegate.data.batches import IntArray
from tidegate.data.calendar import Calendar, calendar_of
from tidegate.data.features import calendar_features, fourier_features
from tidegate.data.stamps import parse_stamps
from tidegate.errors import TidegateError
from tidegate.forecast import Forecaster
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.served import Asked
from tidegate.serve.tensors import TensorSpec
from tidegate.specs import Smoothing

__all__ = ["WindowInputs"]

_LARGEST = 1e15  # as in a table: beyond it a value is nearly always a marker for "missing"
_FLOATS = ("FP64", "FP32")
_FIXED = ("static", "categories", "series")  # what a sequence need give only once


class WindowInputs:
    """What a model's requests hold, and the fields of a batch out of it.

    Parameters
    ----------
    model
        A fitted forecaster.
    """

    def __init__(self, model: Forecaster) -> None:
        self._columns = model.columns_
        self._settled = model.settled_
        self._horizon = model.horizon
        self._context = model.context_
        self._least = model.least_
        scalings = [network.scaling for network in model.network_.networks]
        self._domain = max(scaling.transform.least for scaling in scalings)
        assert self._columns.frequency is not None  # of a fitted model
        self._frequency = self._columns.frequency
        strategies = [network.design.strategy for network in model.network_.networks]
        self._features = bool(self._columns.calendar or self._columns.fourier)
        self._timed = self._features or any(isinstance(strategy, Smoothing) for strategy in strategies)
        self._codes = {name: code for code, name in enumerate(self._settled.ids)}
        self._categories = [
            {value: code for code, value in enumerate(vocabulary, start=1)} for vocabulary in self._settled.vocabularies
        ]
        self._calendars: dict[str | None, Calendar] = {}
        self.specs = self._described()

    def _described(self) -> list[TensorSpec]:
        columns, settled = self._columns, self._settled
        whole = isinstance(self._frequency, int)
        numeric = len(columns.static) - len(settled.categorical)
        numbers = bool(settled.ids) and all(isinstance(name, int) for name in settled.ids)
        sized = {"values": len(columns.targets), "past": len(columns.past), "known": len(columns.known)}
        specs = [TensorSpec(name=name, datatypes=_FLOATS, shape=(-1, -1, size)) for name, size in sized.items() if size]
        if numeric:
            specs.append(TensorSpec(name="static", datatypes=_FLOATS, shape=(-1, numeric)))
        if settled.categorical:
            specs.append(TensorSpec(name="categories", datatypes=("BYTES",), shape=(-1, len(settled.categorical))))
        specs.append(TensorSpec(name="lengths", datatypes=("INT64", "INT32"), shape=(-1,), optional=True))
        stamps = ("INT64", "INT32") if whole else ("BYTES",)
        specs.append(TensorSpec(name="time", datatypes=stamps, shape=(-1,), optional=not self._timed))
        if settled.ids:
            kinds = ("INT64", "INT32") if numbers else ("BYTES",)
            specs.append(TensorSpec(name="series", datatypes=kinds, shape=(-1,), optional=True))
        return specs

    def cut(self, asked: Asked, count: int) -> dict[str, np.ndarray]:
        """Give the fields of a batch, ``[row, …]``. Raises `RequestError` for values that a table would not hold."""
        inputs = asked.inputs
        values = _plain("values", inputs["values"])
        ends = self._ends(inputs.get("lengths"), values.shape[1])
        window = self._window(values, ends, self._context)
        observed = ~np.isnan(window)
        if "sequence_id" not in asked.parameters:  # in a sequence a gap may be as long as it is
            self._require_values(observed)
        if self._domain > -np.inf and (window <= self._domain).any():
            worst = window[window <= self._domain].flat[0]
            raise RequestError(
                Status.INVALID,
                f"the transform of the model needs values above {self._domain:g}; input 'values' holds {worst:g}",
            )
        fields = {"values": np.where(observed, window, 0.0), "observed": observed}
        if "past" in inputs:
            past = self._beside("past", inputs["past"], values.shape[1])
            fields["past"] = self._window(past, ends, self._context)
        if "static" in inputs:
            fields["static"] = _plain("static", inputs["static"])
        if self._categories:
            fields["categories"] = self._category_codes(inputs["categories"])
        if self._codes:
            fields["series"] = self._series(inputs.get("series"), count)
        return fields | self._ahead(asked, ends, values.shape[1], count)

    def continued(self, kept: Mapping[str, np.ndarray] | None, asked: Asked) -> dict[str, np.ndarray]:
        """Append the rows of a request to those of a sequence; see `tidegate.serve.served.Served`."""
        inputs = dict(asked.inputs)
        if len(inputs.get("values", ())) > 1 or "lengths" in inputs:
            raise RequestError(
                Status.INVALID, "a request of a sequence holds the rows of one series, without 'lengths'"
            )
        if kept is None:
            return inputs
        for name in _FIXED:
            if name in kept:
                inputs.setdefault(name, kept[name])
        for name in ("values", "past", "known"):
            if name in kept and name in inputs and kept[name].shape[2:] == inputs[name].shape[2:]:
                before = kept[name][:, : -self._horizon] if name == "known" else kept[name]
                rows = self._context + (self._horizon if name == "known" else 0)
                inputs[name] = np.concatenate([before, inputs[name]], axis=1)[:, -rows:]
        return inputs

    def _ends(self, lengths: np.ndarray | None, steps: int) -> IntArray | None:
        """Give how many steps of each row are valid, where they differ."""
        shortest = steps if lengths is None else int(lengths.min())
        if lengths is not None and (shortest < 1 or lengths.max() > steps):
            wrong = lengths[(lengths < 1) | (lengths > steps)][0]
            raise RequestError(
                Status.INVALID, f"input 'lengths' must lie between 1 and {steps}, the steps of 'values'; got {wrong}"
            )
        if shortest < self._least:
            raise RequestError(
                Status.INVALID, f"a row of input 'values' has {shortest} steps; the model needs {self._least} at least"
            )
        return None if lengths is None or shortest == steps else lengths.astype(np.int64)

    @staticmethod
    def _window(array: np.ndarray, ends: IntArray | None, steps: int) -> np.ndarray:
        """Take the ``steps`` last valid steps of each row, with NaN before its first."""
        count, length = array.shape[:2]
        if ends is None:
            if length >= steps:
                return array[:, length - steps :]
            padding = np.full((count, steps - length, *array.shape[2:]), np.nan, array.dtype)
            return np.concatenate([padding, array], axis=1)
        places = ends[:, np.newaxis] + np.arange(-steps, 0)
        taken: np.ndarray = array[np.arange(count)[:, np.newaxis], np.maximum(places, 0)]
        taken[places < 0] = np.nan
        return taken

    @staticmethod
    def _require_values(observed: np.ndarray) -> None:
        empty = ~observed.any(axis=(1, 2))
        if empty.any():
            raise RequestError(
                Status.INVALID,
                f"row {int(empty.argmax())} of input 'values' holds no value in the window that is read; all are NaN",
            )

    @staticmethod
    def _beside(name: str, given: np.ndarray, steps: int) -> np.ndarray:
        if given.shape[1] != steps:
            raise RequestError(
                Status.INVALID, f"input {name!r} has {given.shape[1]} steps; {steps} are needed beside 'values'"
            )
        return _plain(name, given)

    def _category_codes(self, given: np.ndarray) -> IntArray:
        codes = np.zeros(given.shape, np.int64)
        for column, known in enumerate(self._categories):
            codes[:, column] = [known.get(_text(value), 0) for value in given[:, column].tolist()]
        return codes

    def _series(self, given: np.ndarray | None, count: int) -> IntArray:
        if given is None:
            return np.full(count, -1, np.int64)
        names = [_text(name) if isinstance(name, bytes) else name for name in given.tolist()]
        return np.array([self._codes.get(name, -1) for name in names], np.int64)

    def _ahead(self, asked: Asked, ends: IntArray | None, steps: int, count: int) -> dict[str, np.ndarray]:
        """Give what depends on the time: known covariates with features of the time stamps, and the position."""
        own = asked.inputs.get("known")
        horizon = self._horizon
        parts = []
        if own is not None:
            known = self._beside("known", own, steps + horizon)
            beyond = None if ends is None else ends + horizon
            known = self._window(known, beyond, self._context + horizon)
            if np.isnan(known[:, -horizon:]).any():
                raise RequestError(
                    Status.INVALID, f"input 'known' is NaN within the {horizon} steps ahead, where it must be known"
                )
            parts.append(known)
        if not self._timed:
            return {"known": parts[0]} if parts else {}
        last, rest, calendar, zone = self._times(asked)
        if self._features:
            numbers = last[:, np.newaxis] + np.arange(1 - self._context, horizon + 1)
            features = self._time_features(numbers, rest, calendar, zone)
            length = np.full(count, steps) if ends is None else ends
            before = np.arange(self._context) < (self._context - length)[:, np.newaxis]
            features[:, : self._context][before] = np.nan
            parts.append(features)
        fields = {"position": last + 1}
        return fields | {"known": np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]} if parts else fields

    def _time_features(self, numbers: IntArray, rest: IntArray, calendar: Calendar, zone: str | None) -> np.ndarray:
        columns = self._columns
        made = []
        if columns.calendar:
            times = calendar.join(numbers, np.broadcast_to(rest[:, np.newaxis], numbers.shape))
            made.append(calendar_features(times, columns.calendar, zone))
        if columns.fourier:
            made.append(fourier_features(numbers, self._settled.waves, columns.fourier))
        return np.concatenate(made, axis=-1)

    def _times(self, asked: Asked) -> tuple[IntArray, IntArray, Calendar, str | None]:
        """Give number and rest of each row's last step, by the calendar."""
        given = asked.inputs["time"]
        zone = asked.parameters.get("timezone")
        try:
            if given.dtype.hasobject:
                stamps = np.array([_text(stamp) for stamp in given.tolist()], object)
                named = None if zone is None else str(zone)
                times, zone = parse_stamps(stamps, "time", "row {}".format, timezone=named)
            else:
                times, zone = given.astype(np.int64), None
            calendar = self._calendar(times, zone)
            last, rest = calendar.split(times)
        except (TidegateError, LookupError, ValueError, OverflowError) as error:
            raise RequestError(Status.INVALID, f"input 'time' cannot be read: {error}") from error
        return last, rest, calendar, zone

    def _calendar(self, times: np.ndarray, zone: str | None) -> Calendar:
        if zone is not None:
            return calendar_of(self._frequency, times, zone)
        if None not in self._calendars:
            self._calendars[None] = calendar_of(self._frequency, times, None)
        return self._calendars[None]


def _plain(name: str, given: np.ndarray) -> np.ndarray:
    """Give float64, finite but for NaN."""
    array: np.ndarray = given if given.dtype == np.float64 else given.astype(np.float64)
    if (np.abs(array) > _LARGEST).any():  # of NaN that is False
        worst = array[np.abs(array) > _LARGEST].flat[0]
        raise RequestError(
            Status.INVALID,
            f"input {name!r} must hold finite numbers up to {_LARGEST:g}, NaN where missing; it holds {worst:g}",
        )
    return array


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
