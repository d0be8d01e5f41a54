"""Which forecaster the options describe."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from tidegate.errors import SpecError
from tidegate.specs import Columns
from tidegate.specs.strategies import STRATEGIES, Strategy, resolve_strategy

if TYPE_CHECKING:
    from tidegate.forecast import Forecaster

__all__ = ["ModelFlags", "build_model"]

# Options that some strategies have, by the names that those give them.
_PARTICULAR = {"segment": ("segment", "length"), "highway": ("highway",)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """The options that describe a forecaster; what is ``None`` is left to its defaults."""

    context: Annotated[int | None, Option("--context", help="Past steps to read. [default: 2 to 3 seasons]")] = None
    season: Annotated[
        str | None, Option("--season", help="Steps of a season, 1 for none, or of several: 24,168. [default: detected]")
    ] = None
    strategy: Annotated[
        str | None,
        Option("--strategy", help="direct (default), recursive, encoder_decoder, segments or smoothing."),
    ] = None
    segment: Annotated[
        int | None, Option("--segment", help="Steps that are read at once: direct, segments, smoothing.")
    ] = None
    highway: Annotated[
        int | None, Option("--highway", help="Past steps with a linear way to the output: direct, segments, smoothing.")
    ] = None
    head: Annotated[
        str | None,
        Option("--head", help="point (default), quantiles, gaussian, student_t, or negative_binomial for counts."),
    ] = None
    calibration: Annotated[
        str | None,
        Option("--calibration", help="Share (0.1) or rows (48) of each series, kept apart to set interval widths."),
    ] = None
    loss: Annotated[str | None, Option("--loss", help="Of points: mae (default), mse or huber.")] = None
    members: Annotated[int | None, Option("--members", help="Networks; the forecast is their median.")] = None
    transform: Annotated[
        str | None, Option("--transform", help="identity (default), log, log1p or boxcox, before scaling.")
    ] = None
    origin: Annotated[
        str | None, Option("--origin", help="What outputs are measured from: auto (default), centre, last, season, ….")
    ] = None
    cell: Annotated[str | None, Option("--cell", help="lstm (default) or gru.")] = None
    hidden_size: Annotated[int | None, Option("--hidden-size", help="Units of a layer.")] = None
    layers: Annotated[int | None, Option("--layers", help="Recurrent layers.")] = None
    epochs: Annotated[int | None, Option("--epochs", help="Passes over the data at most.")] = None
    max_steps: Annotated[int | None, Option("--max-steps", help="Optimiser steps at most.")] = None
    batch_size: Annotated[int | None, Option("--batch-size", help="Windows a step.")] = None
    learning_rate: Annotated[float | None, Option("--learning-rate", help="Of the optimiser; the peak.")] = None
    seed: Annotated[int, Option("--seed", help="Same seed, same data, same machine: same result.")] = 0
    device: Annotated[str, Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"


def build_model(flags: ModelFlags, *, horizon: int, columns: Columns) -> Forecaster:
    """Make the forecaster that the options describe; defaults stay the forecaster's own.

    Counts are scaled and never shifted, so that ``--head negative_binomial`` brings the scaling that it needs.

    Raises
    ------
    SpecError
        If an option, or a combination, cannot be.
    """
    from tidegate.forecast import Forecaster

    counts = flags.head == "negative_binomial"
    plain = {
        "context": flags.context,
        "season": _seasons(flags.season),
        "members": flags.members,
        "strategy": _strategy(flags),
    }
    nested = {
        "uncertainty__head": flags.head,
        "uncertainty__calibration": _share_or_rows(flags.calibration),
        "uncertainty__loss": _loss(flags),
        "scaling__method": "mean" if counts else None,
        "scaling__transform": flags.transform,
        "scaling__output": "centre" if counts and flags.origin is None else flags.origin,
        "network__cell": flags.cell,
        "network__hidden_size": flags.hidden_size,
        "network__num_layers": flags.layers,
        "training__epochs": flags.epochs,
        "training__max_steps": flags.max_steps,
        "training__batch_size": flags.batch_size,
        "training__learning_rate": flags.learning_rate,
    }
    model = Forecaster(horizon=horizon, columns=columns, seed=flags.seed, device=flags.device, **_given(plain))
    return model.set_params(**_given(nested))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _strategy(flags: ModelFlags) -> Strategy | str | None:
    """Give the strategy with the options that only some have."""
    asked = {name: value for name in _PARTICULAR if (value := getattr(flags, name)) is not None}
    if not asked:
        return flags.strategy
    spec = resolve_strategy(flags.strategy or "direct")
    changes = {}
    for name, value in asked.items():
        field = _field_of(type(spec), name)
        if field is None:
            having = [kind for kind, other in STRATEGIES.items() if _field_of(other, name)]
            raise SpecError(f"--{name} is an option of --strategy {', '.join(having)}; the strategy is {spec.kind!r}")
        changes[field] = value
    return dataclasses.replace(spec, **changes)


def _field_of(strategy: type[Strategy], name: str) -> str | None:
    own = {field.name for field in dataclasses.fields(strategy)}
    return next((field for field in _PARTICULAR[name] if field in own), None)


def _loss(flags: ModelFlags) -> str | None:
    if flags.loss is not None and flags.head not in (None, "point"):
        raise SpecError(
            f"--loss is what points are trained by; --head {flags.head} has a loss of its own; leave it out"
        )
    return flags.loss


def _seasons(text: str | None) -> int | tuple[int, ...] | None:
    if text is None:
        return None
    try:
        seasons = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpecError(f"--season must be a number of steps, or several with commas between; got {text!r}") from error
    return seasons if len(seasons) > 1 else seasons[0]


def _share_or_rows(text: str | None) -> float | int | None:
    """Read whole digits as a number of rows, anything else as a share."""
    if text is None:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError as error:
        raise SpecError(
            f"--calibration must be a share such as 0.1, or a number of rows such as 48; got {text!r}"
        ) from error
