"""Accuracy on the public data sets: a recipe, or the forecaster's defaults, beside baselines on the same windows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from forecasts.recipes import RECIPES, Recipe, shortened
from forecasts.rows import cell, heading, medians, peak_memory, row
from forecasts.scoring import (
    LEVELS,
    PROBABILITIES,
    Bounds,
    Scores,
    baseline_scores,
    end_scores,
    every_score,
    with_means,
)
from forecasts.sets import SETS, Ends, EndSet, Everywhere, Problem, RowSet
from tidegate import Forecaster
from tidegate.forecast.baselines import FloatArray, IntArray

__all__ = ["defaults", "recipe", "scores_of"]

_TITLES = {"seasonal_naive": "seasonal naive", "naive": "last value", "naive2": "Naive2"}
_RATIO = "MSE 96 / last value's"
_SECONDS = ("fit, s", "predict, s")


def recipe(
    name: str,
    *,
    seeds: Sequence[int],
    validate: bool,
    windows: int = 2,
    threads: int = 2,
    steps: int | None = None,
    save: Path | None = None,
) -> None:
    """Fit the recipe of a data set with each seed, and print rows: baselines, seeds, medians."""
    torch.set_num_threads(threads)
    data, used = SETS[name], RECIPES[name]
    if steps is not None:
        used = shortened(used, steps)
    problems = data.load(validate=validate, windows=windows)
    print(f"{data.title}, {'validation windows' if validate else 'test part'}, {threads} threads\n")
    print(heading(["", *data.measures, *_SECONDS]), flush=True)
    references = _baselines(data, problems)
    found = []
    for seed in seeds:
        parts = []
        for problem, reference in zip(problems, references, strict=True):
            parts.append(_beside(scores_of(used, problem, data.horizons, seed), reference))
            if len(problems) > 1:
                _print(f"seed {seed}, {problem.label}", parts[-1], data)
        found.append(_mean(parts))
        _print(f"seed {seed}", found[-1], data)
    if found:
        _print(f"**median of {len(found)}**", medians(found), data)
    print(f"\npeak memory {peak_memory():.2f} GiB, of the whole command", flush=True)
    if save is not None and found:
        _save(save, {"set": name, "part": "validation" if validate else "test", "seeds": list(seeds)}, medians(found))


def defaults(
    names: Sequence[str], *, seeds: Sequence[int], validate: bool, threads: int = 2, steps: int | None = None
) -> None:
    """Fit ``Forecaster(horizon=…)`` alone on each data set, and print its measure beside the baselines'."""
    torch.set_num_threads(threads)
    print(f"Forecaster(horizon=…) alone, {'validation windows' if validate else 'test part'}, {threads} threads\n")
    columns = ["data", "measure", *(f"seed {seed}" for seed in seeds), "median"]
    print(heading([*columns, "seasonal naive", "last value", "seconds"]), flush=True)
    for name in names:
        data = SETS[name]
        problem = data.load(validate=validate, windows=1)[0]
        alone = Recipe(model=lambda horizon, seed: Forecaster(horizon=horizon, seed=seed), horizons=data.horizons)
        used = alone if steps is None else shortened(alone, steps)
        references = [baseline_scores(problem, baseline, data.horizons) for baseline in data.baselines[:2]]
        found = [scores_of(used, problem, data.horizons, seed) for seed in seeds]
        middle = medians(found)
        for measure in _compared(data):
            line = [cell(each[measure]) for each in (*found, middle, *references)]
            print(row([data.title, measure, *line, cell(middle["fit, s"] + middle["predict, s"], 0)]), flush=True)
    print(f"\npeak memory {peak_memory():.2f} GiB, of the whole command")


def _compared(data: EndSet | RowSet) -> list[str]:
    if isinstance(data, RowSet):
        return [measure for measure in data.measures if measure.startswith("MSE") and measure != _RATIO]
    return [measure for measure in ("OWA", "MASE") if measure in data.measures]


def scores_of(used: Recipe, problem: Problem, horizons: Sequence[int], seed: int) -> Scores:
    """Fit the models of a recipe on the past of a problem, and score them; the seconds are among the scores."""
    found: Scores = {}
    seconds = dict.fromkeys(_SECONDS, 0.0)
    for fitted in used.horizons:
        served = [horizon for horizon in horizons if used.served_by(horizon) == fitted]
        start = time.perf_counter()
        model = used.model(fitted, seed).fit(problem.past)
        between = time.perf_counter()
        if isinstance(problem, Ends):
            found |= end_scores(problem, *_forecast(model, problem))
        else:
            found |= every_score(problem, _Windows(model, problem), served)
        seconds["fit, s"] += between - start
        seconds["predict, s"] += time.perf_counter() - between  # with the scoring, which takes little
    return (found if isinstance(problem, Ends) else with_means(found)) | seconds


def _forecast(model: Forecaster, problem: Ends) -> tuple[FloatArray, Bounds | None]:
    """Forecast what follows each series, ``[series, step]``, with intervals where the model has them."""
    intervals = model.uncertainty.head != "point" or bool(model.uncertainty.calibration)
    frame = model.predict(problem.past, levels=LEVELS if intervals else ())

    def column(name: str) -> FloatArray:
        values: FloatArray = frame[name].to_numpy().reshape(problem.truth.shape)
        return values

    if not intervals:
        return column("y_hat"), None
    return column("y_hat"), {level: (column(f"y_hat_lo_{level:g}"), column(f"y_hat_hi_{level:g}")) for level in LEVELS}


class _Windows:
    """A fitted model that is asked for windows anywhere in the table of a problem.

    `Forecaster.evaluate` scores every window too, but of the model's own horizon alone; this is what it stands on.
    """

    def __init__(self, model: Forecaster, problem: Everywhere) -> None:
        self._answers = model._answers(problem.table)

    def __call__(self, ends: IntArray) -> tuple[FloatArray, FloatArray | None]:
        series = np.zeros_like(ends)
        point = self._answers.point(series, ends)
        return point, self._answers.quantiles(series, ends, PROBABILITIES) if self._answers.has_quantiles else None


def _baselines(data: EndSet | RowSet, problems: Sequence[Problem]) -> list[dict[str, Scores]]:
    """Score and print the baselines; give them for each problem."""
    found = [{name: baseline_scores(problem, name, data.horizons) for name in data.baselines} for problem in problems]
    for name in data.baselines:
        parts = [_beside(scores[name], scores) for scores in found]
        if len(problems) > 1:
            for problem, scores in zip(problems, parts, strict=True):
                _print(f"{_TITLES[name]}, {problem.label}", scores, data)
        _print(_TITLES[name], _mean(parts), data)
    return found


def _beside(scores: Scores, references: Mapping[str, Scores]) -> Scores:
    """Add what is measured against repeating the last value."""
    last = references["naive"].get("MSE 96")
    return scores if last is None else scores | {_RATIO: scores["MSE 96"] / last}


def _mean(parts: Sequence[Scores]) -> Scores:
    """Give the mean over problems; seconds are added up."""
    return {name: sum(part[name] for part in parts) / (1 if name in _SECONDS else len(parts)) for name in parts[0]}


def _print(label: str, scores: Scores, data: EndSet | RowSet) -> None:
    figures = [
        cell(scores.get(name), 1 if name.startswith("coverage") or name in _SECONDS else 3)
        for name in (*data.measures, *_SECONDS)
    ]
    print(row([label, *figures]), flush=True)


def _save(file: Path, about: Mapping[str, object], scores: Scores) -> None:
    """Append a line of JSON, for ``benchmarks/forecasting.py published``."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**about, "scores": scores}) + "\n")
