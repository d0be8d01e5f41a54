"""What outputs are measured from, where that is left to the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from tidegate.data import SeriesTable, Windows
from tidegate.forecast.plan import Plan
from tidegate.nn.scaling import WindowScaling
from tidegate.specs import Recursive, Scaling
from tidegate.specs.strategies import Strategy
from tidegate.training.feed import to_batch

__all__ = ["choose_output", "plan_outputs"]

_CANDIDATES = ("season", "last", "centre", "level_season")  # a recursive strategy knows the first three
_WINDOWS = 1_000  # from all over the rows: what one stretch of time favours need not hold in the next


def plan_outputs(
    plan: Plan, strategy: Strategy, scalings: Sequence[Scaling], powers: Sequence[float | None]
) -> tuple[str, ...]:
    """Settle the output of each member, from the rows that may train."""
    recursive = isinstance(strategy, Recursive)
    return tuple(
        choose_output(
            plan.rows,
            scaling,
            candidates=_CANDIDATES[:3] if recursive else _CANDIDATES,
            season=plan.season,
            power=power,
            context=context,
            least=plan.least,
            horizon=plan.train.horizon,
        )
        for scaling, power, context in zip(scalings, powers, plan.contexts, strict=True)
    )


def choose_output(
    table: SeriesTable,
    scaling: Scaling,
    *,
    candidates: tuple[str, ...],
    season: int,
    power: float | None,
    context: int,
    least: int,
    horizon: int,
) -> str:
    """Choose the origin that forecasts best by itself, without a network.

    Parameters
    ----------
    table
        The rows that may train; nothing else is read.
    scaling
        With ``output="auto"``; another output is given back as it is.
    candidates
        Outputs to choose from; the first is taken where they are equally good.
    season, power, context, least, horizon
        As they were settled.

    Returns
    -------
    str
        The output with the least mean absolute error, in the scaled units that the network is trained in: what an
        untrained network would lose.
    """
    if scaling.output != "auto":
        return scaling.output
    if season == 1:
        return "last"  # a season of one step is the last value
    windows = Windows.sliding(table, context=context, horizon=horizon, least_context=least)
    if not len(windows):
        return candidates[0]
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), _WINDOWS)).astype(np.int64)
    batch = to_batch(windows.batch(chosen), torch.device("cpu"))
    assert batch.target is not None
    assert batch.observed is not None
    assert batch.target_observed is not None
    losses = []
    for output in candidates:
        measure = WindowScaling(dataclasses.replace(scaling, output=output), season=season, power=power)
        scale = measure(batch.values, batch.observed)
        origin = measure.origin(scale.encode(batch.values, batch.observed), batch.observed, horizon)
        error = (scale.encode(batch.target, batch.target_observed) - origin).abs()
        losses.append(float(error[batch.target_observed].mean()))
    return candidates[int(np.argmin(losses))]
