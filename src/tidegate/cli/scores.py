"""Scores on a terminal of eighty columns or a hundred, and as JSON names them."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.cli.console import Console

__all__ = ["named_levels", "plain_level", "show_plain_scores", "show_scores"]

Scores = Mapping[str, Mapping[str, float]]
# What a terminal has no room for, of what classifiers are scored by; scores.json and --json have it.
_ASIDE = frozenset({"examples", "f1_weighted", "precision_macro", "recall_macro", "brier", "ece"})


def show_scores(scores: Scores, intervals: Mapping[str, Scores], console: Console) -> None:
    """Print scores as a table, those of intervals (as `named_levels` has them) as another, and what they amount to."""
    from tidegate.report.markup import number
    from tidegate.report.words import METRICS, OWN, short_name, verdict

    metrics = [name for name in METRICS if name in next(iter(scores.values()))]
    rows = [["", *metrics]]
    rows += [[short_name(model), *(number(values.get(name)) for name in metrics)] for model, values in scores.items()]
    console.table(rows)
    if found := intervals.get(OWN):
        rows = [["Intervals", "coverage, %", "mean width", "MSIS"]]
        rows += [
            [f"{level} %", *(number(values[name]) for name in ("coverage", "width", "MSIS"))]
            for level, values in found.items()
        ]
        console.table(rows)
    console.result(verdict(scores))
    if "CRPS" in scores[OWN]:
        own = scores[OWN]
        console.result(f"As a distribution: CRPS {number(own['CRPS'])}, pinball loss {number(own['pinball'])}.")


def show_plain_scores(scores: Scores, console: Console) -> None:
    """Print the scores of each model that are single numbers, a row a model; of classifiers the most telling."""
    from tidegate.report.markup import number
    from tidegate.report.words import short_name

    models = list(scores.values())
    numbers = [name for name, value in models[0].items() if value is None or isinstance(value, int | float)]
    metrics = [name for name in numbers if name not in _ASIDE]
    rows = [["", *metrics]]
    rows += [[short_name(model), *(number(values.get(name)) for name in metrics)] for model, values in scores.items()]
    console.table(rows)


def plain_level(level: float) -> float | int:
    """Give a level in per cent as people write it: 80, not 80.0."""
    return int(level) if level == int(level) else level


def named_levels(
    intervals: Mapping[str, Mapping[float, Mapping[str, float]]],
) -> dict[str, dict[str, Mapping[str, float]]]:
    """Name levels as JSON can: ``"80"``.

    >>> named_levels({"tidegate": {80.0: {"coverage": 79.5}}})
    {'tidegate': {'80': {'coverage': 79.5}}}
    """
    return {model: {f"{level:g}": values for level, values in found.items()} for model, found in intervals.items()}
