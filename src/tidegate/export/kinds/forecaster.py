"""A forecaster as one graph: scaling inside the window, networks, roll-out, inverse scaling, median and calibration."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.data import Batch
from tidegate.errors import UnsupportedError
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.loops import Once, with_loops
from tidegate.export.ports import Port
from tidegate.export.program import for_inference
from tidegate.forecast import Forecaster
from tidegate.forecast.ensemble import ForecastEnsemble
from tidegate.forecast.frames import interval_names, probabilities_of
from tidegate.forecast.scores import check_levels
from tidegate.specs import to_dict
from tidegate.specs.strategies import Recursive

__all__ = ["exportable"]

_DEFAULT_LEVELS = (80.0, 95.0)


def exportable(model: Forecaster, levels: Sequence[float] | None = None) -> Exportable:
    """Make a forecaster ready for export.

    Parameters
    ----------
    model
        Fitted.
    levels
        Intervals in per cent; ``None`` is 80 and 95 of a model that has intervals, and none of one that draws them.

    Raises
    ------
    UnsupportedError
        If intervals are asked for that the model draws at random, or the head is for counts.
    SpecError
        If ``levels`` cannot be, or the model gives points alone.
    """
    network = model.network_
    if any(member.meaning.counts for member in network.networks):
        raise UnsupportedError(
            "a head 'negative_binomial' searches for its quantiles with functions that ONNX lacks, which cannot be "
            "exported yet; fit with another head, such as 'quantiles'"
        )
    asked, notes = _levels(model, levels)
    inputs = _inputs(model)
    probabilities = torch.tensor(probabilities_of(asked), dtype=torch.float64)
    windows = _Windows(
        _traceable(network), [port.name for port in inputs], model.context_, model.horizon, probabilities
    )
    names = [port.name for port in inputs]

    def reference(given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        plain = _Windows(for_inference(network), names, model.context_, model.horizon, probabilities)
        with torch.inference_mode():
            answer: tuple[Tensor, ...] = plain(*(given[name] for name in names))
        return answer

    context = model.context_
    return Exportable(
        kind=model.kind,
        module=windows,
        positional=len(inputs),
        inputs=inputs,
        outputs=_outputs(asked),
        reference=reference,
        sample=lambda generator, batch, time: _sample(model, inputs, generator, batch, time),
        times=tuple(sorted({max(context // 2, 1), context, context + 7})),
        metadata=_metadata(model, asked),
        notes=notes,
    )


class _Windows(nn.Module):
    """Cut the window that the networks read out of whatever was given, and forecast from it."""

    probabilities: Tensor

    def __init__(
        self, network: nn.Module, names: Sequence[str], context: int, horizon: int, probabilities: Tensor
    ) -> None:
        super().__init__()
        self.network = network
        self._names, self._context, self._horizon = tuple(names), context, horizon
        self.register_buffer("probabilities", probabilities, persistent=False)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(self._names, tensors, strict=True))
        batch = self._window(given)
        assert isinstance(self.network, ForecastEnsemble)
        for member in self.network.networks:
            if isinstance(member.strategy, Once):
                member.strategy.forget()
        forecast = self.network(batch)
        if not len(self.probabilities):
            return (forecast,)
        return forecast, self.network.quantiles(batch, self.probabilities)

    def _window(self, given: Mapping[str, Tensor]) -> Batch[Tensor]:
        """Take the last ``context`` valid steps of each row; what lies before its first step is missing."""
        lengths = given["lengths"].unsqueeze(1)
        steps = lengths - self._context + torch.arange(self._context + self._horizon)  # [batch, context + horizon]
        past, inside = steps[:, : self._context], steps[:, : self._context] >= 0
        observed = _taken(given["observed"], past) & inside.unsqueeze(2)
        values = torch.where(observed, _taken(given["values"], past), 0.0)
        known, before = given.get("known"), given.get("past")
        return Batch(
            values=values,
            observed=observed,
            past=None if before is None else _missing_outside(_taken(before, past), inside),
            known=None if known is None else _missing_outside(_taken(known, steps), steps >= 0),
            static=given.get("static"),
            categories=given.get("categories"),
            series=given.get("series"),
            position=given.get("position"),
        )


def _taken(part: Tensor, steps: Tensor) -> Tensor:
    index = steps.clamp_min(0).unsqueeze(2).expand(-1, -1, part.shape[2])
    return part.gather(1, index)


def _missing_outside(part: Tensor, inside: Tensor) -> Tensor:
    return torch.where(inside.unsqueeze(2), part, torch.nan)


def _traceable(network: ForecastEnsemble) -> ForecastEnsemble:
    duplicate = for_inference(network)
    assert isinstance(duplicate, ForecastEnsemble)
    for member in duplicate.networks:
        with_loops(member)
    return duplicate


def _levels(model: Forecaster, levels: Sequence[float] | None) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Settle the intervals, and what is to be said of them."""
    network = model.network_
    spread = network.calibration is not None or not network.needs_calibration
    drawn = any(
        isinstance(member.design.strategy, Recursive) and not member.meaning.needs_calibration
        for member in network.networks
    )
    if levels is None:
        if spread and drawn:
            return (), (
                "the intervals of a recursive model are drawn at random, path by path, which a graph cannot repeat; "
                "the point forecast alone is exported",
            )
        return (_DEFAULT_LEVELS if spread else ()), ()
    asked = check_levels(levels, has_quantiles=spread)
    if asked and drawn:
        raise UnsupportedError(
            f"levels {list(asked)}: the intervals of a recursive model are drawn at random, path by path, which a "
            "graph cannot repeat; export the point forecast alone (levels=()), or fit another strategy"
        )
    return asked, ()


def _inputs(model: Forecaster) -> tuple[Port, ...]:
    settled, horizon = model.settled_, model.horizon
    targets, shapes = settled.columns.targets, settled.covariates
    ports = [
        Port(name="values", axes=("batch", "time", len(targets)), meaning="the series, in the units of the data"),
        Port(name="observed", axes=("batch", "time", len(targets)), meaning="false where a value is missing"),
        Port(name="lengths", axes=("batch",), meaning="valid steps of each row, from the first; at least 1"),
    ]
    if shapes.past:
        ports.append(Port(name="past", axes=("batch", "time", len(shapes.past)), meaning="NaN where missing"))
    if shapes.known:
        axes = ("batch", f"time+{horizon}", len(shapes.known))
        ports.append(
            Port(name="known", axes=axes, meaning="the steps of the horizon behind each row's last; NaN missing")
        )
    if shapes.static:
        ports.append(Port(name="static", axes=("batch", len(shapes.static)), meaning="NaN where missing"))
    if shapes.categories:
        ports.append(
            Port(
                name="categories",
                axes=("batch", len(shapes.categories)),
                meaning="place in the list, from 1; 0 unknown",
            )
        )
    if settled.ids:
        ports.append(Port(name="series", axes=("batch",), meaning="place among the series trained on, −1 for another"))
        ports.append(Port(name="position", axes=("batch",), meaning="number of the first step to forecast"))
    return tuple(ports)


def _outputs(levels: tuple[float, ...]) -> tuple[Port, ...]:
    forecast = Port(name="forecast", meaning="the point forecast, in the units of the data: [batch, horizon, target]")
    if not levels:
        return (forecast,)
    shown = ", ".join(f"{p:g}" for p in probabilities_of(levels))
    return forecast, Port(
        name="quantiles", meaning=f"at the probabilities {shown}: [batch, horizon, target, probability]"
    )


def _sample(
    model: Forecaster, inputs: tuple[Port, ...], generator: np.random.Generator, batch: int, time: int
) -> Arrays:
    """Draw positive series that any transform can take, with gaps, rows of several lengths among them."""
    settled, horizon = model.settled_, model.horizon
    names = [port.name for port in inputs]
    shape = (batch, time, len(settled.columns.targets))
    level = 20 + 10 * generator.random((batch, 1, shape[2]))
    wave = 5 * np.sin(np.arange(time) * 2 * np.pi / max(settled.season, 2))[:, np.newaxis]
    values = np.round(level + wave + generator.normal(size=shape))
    lengths = np.full(batch, time)
    lengths[1::2] = generator.integers(min(2, time), time + 1, size=len(lengths[1::2]))
    observed = generator.random(shape) > 0.1
    observed[:, 0] = True
    observed[np.arange(batch), lengths - 1] = True
    drawn: dict[str, np.ndarray[Any, Any]] = {"values": values, "observed": observed, "lengths": lengths}
    for name in names:
        width = getattr(settled.covariates, name, ())
        if name in ("past", "known"):
            drawn[name] = generator.normal(size=(batch, time + horizon if name == "known" else time, len(width)))
        elif name == "static":
            drawn[name] = generator.normal(size=(batch, len(width)))
        elif name == "categories":
            drawn[name] = np.stack([generator.integers(0, count + 1, size=batch) for count in width], axis=1)
        elif name == "series":
            drawn[name] = generator.integers(-1, len(settled.ids), size=batch)
        elif name == "position":
            drawn[name] = generator.integers(time, 10 * time, size=batch)
    return drawn


def _metadata(model: Forecaster, levels: tuple[float, ...]) -> dict[str, Any]:
    settled = model.settled_
    columns = settled.columns
    probabilities = probabilities_of(levels)
    return {
        "params": _described(model),
        "context": settled.context,
        "horizon": model.horizon,
        "season": settled.season,
        "frequency": columns.frequency,
        "targets": list(columns.targets),
        "past": list(columns.past),
        "known": list(columns.known),
        "calendar": to_dict(columns).get("calendar"),
        "fourier": to_dict(columns).get("fourier"),
        "seasons": list(settled.waves),
        "static": [name for name in columns.static if name not in settled.categorical],
        "categories": {
            name: list(words) for name, words in zip(settled.categorical, settled.vocabularies, strict=True)
        },
        "series": list(settled.ids),
        "levels": list(levels),
        "probabilities": probabilities,
        "intervals": {target: [interval_names(target, level) for level in levels] for target in columns.targets},
    }


def _described(model: Forecaster) -> dict[str, Any]:
    from tidegate.specs.base import plain

    return {name: plain(value) for name, value in copy.copy(model.get_params(deep=False)).items()}
