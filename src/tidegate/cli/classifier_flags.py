"""Options that all commands which train a classifier share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from typer import Option

__all__ = ["ClassifierFlags", "given"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierFlags:
    """What describes a classifier and its training; what is ``None`` is left to the estimator's defaults."""

    cell: Annotated[str | None, Option("--cell", help="lstm (default) or gru.")] = None
    hidden_size: Annotated[int | None, Option("--hidden-size", help="Units of a recurrent layer.")] = None
    layers: Annotated[int | None, Option("--layers", help="Recurrent layers.")] = None
    pooling: Annotated[
        str | None, Option("--pooling", help="Of all steps, one vector: last, mean, max, mean_max or attention.")
    ] = None
    dropout: Annotated[float | None, Option("--dropout", help="Before and after the pooling.")] = None
    class_weight: Annotated[
        str | None, Option("--class-weight", help="balanced: rare classes count as much as frequent ones.")
    ] = None
    calibration: Annotated[
        float | None, Option("--calibration", help="Share of the examples, kept apart to set how sure answers are.")
    ] = None
    members: Annotated[int | None, Option("--members", help="Networks; the answer is their mean.")] = None
    epochs: Annotated[int | None, Option("--epochs", help="Passes over the data at most.")] = None
    max_steps: Annotated[int | None, Option("--max-steps", help="Optimiser steps at most.")] = None
    batch_size: Annotated[int | None, Option("--batch-size", help="Examples a step.")] = None
    learning_rate: Annotated[float | None, Option("--learning-rate", help="Of the optimiser; the peak.")] = None
    seed: Annotated[int, Option("--seed", help="Same seed, same data, same machine: same result.")] = 0
    device: Annotated[str, Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not asked for."""
    return {name: value for name, value in values.items() if value is not None}
