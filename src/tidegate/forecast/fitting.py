"""From a plan to trained, calibrated networks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from tidegate._core.seeds import derive_seed, seeded
from tidegate.data import Batches, IntArray, SeriesTable, Windows, split_bounds
from tidegate.data.numbering import NumberedWindows
from tidegate.errors import ShortSeriesError
from tidegate.forecast.answers import Answers, series_codes
from tidegate.forecast.baselines import FloatArray
from tidegate.forecast.ensemble import EnsembleObjective, ForecastEnsemble
from tidegate.forecast.network import Design
from tidegate.forecast.plan import VALIDATION_WINDOWS, Plan, make_plan, thinned
from tidegate.forecast.recipe import Recipe
from tidegate.forecast.sampling import chances
from tidegate.forecast.scores import seasonal_scales
from tidegate.forecast.settled import Settled
from tidegate.forecast.teaching import Lesson, require_alike
from tidegate.nn.calibration import PROBABILITIES, Calibration, fit_calibration
from tidegate.specs import Training
from tidegate.training import Callback, History, fit

__all__ = ["Fitted", "build_ensemble", "calibrated", "fine_tuned", "fit_forecaster", "train", "train_again"]

_MOST_STEPS = 1_000  # by default; few windows get fewer, before a network knows them by heart
_LEAST_STEPS = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a fit gives."""

    network: ForecastEnsemble  # in evaluation mode
    settled: Settled
    history: History
    notes: tuple[str, ...]


def fit_forecaster(
    recipe: Recipe,
    table: SeriesTable,
    *,
    skip_short: bool,
    device: torch.device,
    lesson: Lesson | None = None,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Settle, build, train, on a teacher's forecasts too where there is a ``lesson``, and calibrate if asked for.

    Raises
    ------
    DataError
        If the teacher reads other covariates.
    ShortSeriesError
        If a series (with ``skip_short``: every series) is too short.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    plan = make_plan(table, recipe.request(skip_short=skip_short))
    if recipe.uncertainty.units == "series":
        units = _units(plan.rows, plan.season)
        held = None if plan.validation is None else dataclasses.replace(plan.validation, units=units)
        plan = dataclasses.replace(plan, train=dataclasses.replace(plan.train, units=units), validation=held)
    settled = recipe.settle(plan)
    if lesson is not None:
        require_alike(lesson.settled, settled)
        lesson = dataclasses.replace(lesson, codes=series_codes(lesson.settled.ids, plan.table))
    designs = recipe.designs(settled)
    ensemble = build_ensemble(designs, plan, recipe.seed, device)
    history = train(
        ensemble,
        plan.train,
        plan.validation,
        recipe.training,
        seed=recipe.seed,
        lesson=lesson,
        callbacks=callbacks,
    )
    notes = (*table.notes, *plan.notes)
    if recipe.uncertainty.head == "point" and recipe.uncertainty.calibration and plan.calibration is None:
        raise ShortSeriesError(
            "no series is long enough for calibration: beside a context and a horizon to train on it needs "
            f"{recipe.horizon} rows of its own; the longest has {table.lengths.max()}. Give longer series, a head with "
            "a spread of its own (head='quantiles'), or calibration=0"
        )
    if plan.calibration is not None:
        seed = derive_seed(recipe.seed, "calibration")
        calibration, found = calibrated(ensemble, settled, plan.calibration, seed)
        settled = dataclasses.replace(settled, calibrated=calibration.probabilities.numel())
        notes = (*notes, *found)
        if recipe.uncertainty.refit:
            ensemble = build_ensemble(designs, plan, recipe.seed, device)
            history = train_again(
                ensemble,
                plan,
                recipe.training,
                seed=recipe.seed,
                steps=history.steps,
                lesson=lesson,
                callbacks=callbacks,
            )
        ensemble.calibration = calibration
    return Fitted(network=ensemble.eval(), settled=settled, history=history, notes=notes)


def build_ensemble(designs: Sequence[Design], plan: Plan, seed: int, device: torch.device) -> ForecastEnsemble:
    """Build the networks with weights drawn from ``seed``; covariates are measured on the rows that may train."""
    with seeded(derive_seed(seed, "weights")):
        ensemble = ForecastEnsemble(designs)
    for network in ensemble.networks:
        network.covariates.fit(plan.rows)
    return ensemble.to(device)


def train(
    ensemble: ForecastEnsemble,
    windows: Windows,
    validation: Windows | None,
    training: Training,
    *,
    seed: int,
    lesson: Lesson | None = None,
    callbacks: Sequence[Callback] = (),
    codes: IntArray | None = None,
) -> History:
    """Train all members together; ``codes`` number the series ``[series]`` where the table's own order does not."""
    if training.epochs is None and training.max_steps is None:
        training = dataclasses.replace(training, max_steps=min(_MOST_STEPS, _LEAST_STEPS + len(windows)))
    objective = EnsembleObjective()
    if lesson is not None:
        windows, objective = lesson.widened(windows), EnsembleObjective(lesson, lesson.share)
    batches = Batches(
        windows if codes is None else NumberedWindows(windows, codes),
        training.batch_size,
        shuffle=True,
        seed=derive_seed(seed, "batches"),
        chances=chances(windows, training.sampling),
    )
    held = None
    if validation is not None:
        asked = validation if codes is None else NumberedWindows(validation, codes)
        held = Batches(asked, max(training.batch_size, 256))
    with seeded(derive_seed(seed, "training")):
        return fit(ensemble, batches, objective, training=training, validation=held, callbacks=callbacks)


def train_again(
    ensemble: ForecastEnsemble,
    plan: Plan,
    training: Training,
    *,
    seed: int,
    steps: int,
    lesson: Lesson | None = None,
    callbacks: Sequence[Callback] = (),
) -> History:
    """Train on all rows, those that stopped or calibrated the first training too, for as many steps as that made."""
    everything = Windows.sliding(
        plan.table,
        context=plan.context,
        horizon=plan.train.horizon,
        start=np.clip(plan.table.lengths - plan.train.horizon, plan.least, plan.whole),
        least_context=plan.least,
        codes=plan.train.codes,
    )
    everything = dataclasses.replace(everything, units=plan.train.units)
    again = dataclasses.replace(training, epochs=None, max_steps=max(steps, 1), patience=None)
    return train(ensemble, everything, None, again, seed=seed, lesson=lesson, callbacks=callbacks)


def _units(table: SeriesTable, season: int) -> FloatArray:
    """Give the mean change from season to season of each series, [series, target]."""
    return seasonal_scales(table, table.offsets[1:], season)[0]


def fine_tuned(
    ensemble: ForecastEnsemble,
    settled: Settled,
    table: SeriesTable,
    *,
    horizon: int,
    start: IntArray | None,
    training: Training,
    seed: int,
    callbacks: Sequence[Callback] = (),
) -> tuple[ForecastEnsemble, History]:
    """Train a copy of the networks further, on windows whose targets lie at ``start`` of each series or after."""
    by_series = ensemble.networks[0].design.uncertainty.units == "series"
    units = _units(table, settled.season) if by_series else None

    def windows(start: IntArray | None, stop: IntArray | None) -> Windows:
        cut = Windows.sliding(
            table,
            context=settled.context,
            horizon=horizon,
            start=start,
            stop=stop,
            least_context=settled.least,
            codes=table.category_codes(settled.vocabularies),
        )
        return dataclasses.replace(cut, units=units)

    stop, held = None, None
    if training.validation:
        stop = split_bounds(table, validation=float(training.validation), least=horizon).train
        held = thinned(windows(stop if start is None else np.maximum(start, stop), None), VALIDATION_WINDOWS)
    tuned = copy.deepcopy(ensemble)  # a training that fails leaves the model as it was
    history = train(
        tuned,
        windows(start, stop),
        held,
        training,
        seed=derive_seed(seed, "fine_tune"),
        callbacks=callbacks,
        codes=series_codes(settled.ids, table),
    )
    return tuned.eval(), history


def calibrated(
    ensemble: ForecastEnsemble, settled: Settled, windows: Windows, seed: int
) -> tuple[Calibration, tuple[str, ...]]:
    """Compare forecasts with what came on windows kept apart: factors for each step of the horizon.

    Returns
    -------
    calibration, notes
        The factors, and where windows were too few for a step of its own.
    """
    answers = Answers(network=ensemble.eval(), settled=settled, table=windows.table, horizon=windows.horizon, seed=seed)
    device = next(ensemble.parameters()).device
    generator = torch.Generator(device=device).manual_seed(seed)
    grid = torch.tensor(PROBABILITIES, dtype=torch.float64, device=device)
    parts: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        for batch in answers.batches(windows, min(256, answers.quantile_chunk)):
            assert batch.target is not None
            assert batch.target_observed is not None
            scale = ensemble.scale(batch)
            parts.append(
                (
                    scale.encode_all(ensemble(batch)),
                    scale.encode_all(ensemble.uncalibrated(batch, grid, generator)),
                    scale.encode(batch.target, batch.target_observed),
                    batch.target_observed,
                )
            )
    centre, quantiles, target, observed = (torch.cat(column) for column in zip(*parts, strict=True))
    calibration, notes = fit_calibration(centre, quantiles, target, observed)
    return calibration.to(device), tuple(notes)
