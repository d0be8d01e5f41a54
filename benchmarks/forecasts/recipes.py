"""One configuration a data set, chosen on validation windows alone: ``benchmarks/forecasting.py SET --validate``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tidegate import Direct, Forecaster, Member, Optimizer, Recurrent, Sampling, Scaling, Training, Uncertainty

__all__ = ["RECIPES", "Recipe", "shortened"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a data set is forecast.

    Parameters
    ----------
    model
        ``(horizon, seed) -> Forecaster``.
    horizons
        A model is fitted for each; it also gives the shorter horizons that no model of their own has.
    """

    model: Callable[[int, int], Forecaster]
    horizons: tuple[int, ...]

    def served_by(self, horizon: int) -> int:
        """Give the horizon of the model that forecasts a horizon: the shortest that is long enough."""
        return min(fitted for fitted in self.horizons if fitted >= horizon)


def m4_hourly(horizon: int, seed: int) -> Forecaster:
    """Days into a GRU, gated linear maps from two weeks beside it, on logarithms; members of two to four weeks."""
    return Forecaster(
        horizon=horizon,
        context=336,
        season=(24, 168),
        strategy=Direct(segment=24, highway=336, experts=8, dropout=0.1),
        network=Recurrent(cell="gru", hidden_size=128),
        training=Training(
            max_steps=1_200,
            batch_size=256,
            learning_rate=6e-3,
            schedule="one_cycle",
            optimizer=Optimizer("adamw", weight_decay=1e-2),
            validation=0.0,
            patience=None,
        ),
        scaling=Scaling(transform="log", method="difference", centre="season", output="centre"),
        uncertainty=Uncertainty(head="quantiles", unscaled=13.0, calibration=3 * horizon, refit=True),
        members=(Member(), Member(context=504), Member(context=672)),
        seed=seed,
    )


def m4_weekly(horizon: int, seed: int) -> Forecaster:
    """Quarters into an LSTM, a linear map from two years beside it, on logarithms; three members."""
    return Forecaster(
        horizon=horizon,
        context=104,
        season=1,
        strategy=Direct(segment=13, highway=104),
        network=Recurrent(hidden_size=64),
        training=Training(
            max_steps=2_000,
            batch_size=1_024,
            learning_rate=3e-3,
            schedule="one_cycle",
            optimizer=Optimizer("adamw"),
            validation=0.0,
            patience=None,
        ),
        scaling=Scaling(transform="log", method="difference", centre="last", output="last"),
        uncertainty=Uncertainty(calibration=3 * horizon, refit=True),
        members=(Member(), Member(context=156), Member(loss="huber")),
        seed=seed,
    )


def tourism(horizon: int, seed: int) -> Forecaster:
    """Years into an LSTM, a linear map from five of them beside it, on the values as they are; five members."""
    return Forecaster(
        horizon=horizon,
        context=60,
        season=12,
        strategy=Direct(segment=12, dropout=0.3),
        network=Recurrent(hidden_size=64),
        training=Training(
            max_steps=500,
            batch_size=256,
            learning_rate=3e-3,
            schedule="one_cycle",
            optimizer=Optimizer("adamw", weight_decay=0.05),
            validation=0.0,
            patience=None,
            sampling=Sampling(half_life=60),
        ),
        scaling=Scaling(method="standard", centre="last", output="last"),
        uncertainty=Uncertainty(units="series", calibration=2 * horizon, refit=True),
        members=(
            Member(),
            Member(),
            Member(context=48, scaling=Scaling(method="standard", centre="last", output="season")),
            Member(context=36),
            Member(context=36),
        ),
        seed=seed,
    )


def etth1(horizon: int, seed: int) -> Forecaster:
    """A linear map from two weeks, shared by the variables, and days into a GRU whose share fades; three members."""
    return Forecaster(
        horizon=horizon,
        context=336,
        season=24,
        strategy=Direct(segment=24, highway=336, fade=48.0, dropout=0.5, channels="independent"),
        network=Recurrent(cell="gru", hidden_size=64),
        training=Training(
            max_steps=1_000,
            batch_size=16,
            learning_rate=1e-3,
            schedule="cosine",
            optimizer=Optimizer("adamw"),
            validation=0.0,
            patience=None,
        ),
        scaling=Scaling(method="centred", output="centre"),
        uncertainty=Uncertainty(loss="huber"),
        members=3,
        seed=seed,
    )


def exchange(horizon: int, seed: int) -> Forecaster:
    """Corrections of the last value, from a small GRU that is trained for a short while; four members."""
    return Forecaster(
        horizon=horizon,
        context=320,
        season=1,
        strategy=Direct(segment=16, highway=0, dropout=0.7, channels="independent"),
        network=Recurrent(cell="gru", hidden_size=16),
        training=Training(
            max_steps=120,
            batch_size=32,
            learning_rate=5e-4,
            optimizer=Optimizer("adamw"),
            validation=0.0,
            patience=None,
        ),
        scaling=Scaling(method="difference", centre="last", output="last"),
        uncertainty=Uncertainty(loss="huber"),
        members=4,
        seed=seed,
    )


RECIPES: dict[str, Recipe] = {
    "m4-hourly": Recipe(model=m4_hourly, horizons=(48,)),
    "m4-weekly": Recipe(model=m4_weekly, horizons=(13,)),
    "tourism": Recipe(model=tourism, horizons=(24,)),
    "etth1": Recipe(model=etth1, horizons=(96, 192, 336, 720)),
    "exchange": Recipe(model=exchange, horizons=(96, 192, 336, 720)),
}


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """Train so few steps only: to see that all of it works."""

    def model(horizon: int, seed: int) -> Forecaster:
        made = recipe.model(horizon, seed)
        made.set_params(training__max_steps=steps)
        return made

    return dataclasses.replace(recipe, model=model)
