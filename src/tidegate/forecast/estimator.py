"""`Forecaster`: one network, or an ensemble of them, for all the series of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tidegate._core.devices import resolve_device
from tidegate._core.seeds import derive_seed
from tidegate.data import Future, SeriesTable, Windows, extended, new_starts, read_future, with_time_features
from tidegate.errors import SpecError, StateError
from tidegate.estimator import Estimator, register
from tidegate.estimator.restoring import restored_history
from tidegate.estimator.tables import long_enough, require_domain
from tidegate.estimator.teaching import Teacher
from tidegate.forecast.answers import Answers
from tidegate.forecast.backtest import Backtest, Evaluation, backtest_folds, evaluate_windows, fit_folds, make_folds
from tidegate.forecast.baselines import BASELINES, FloatArray
from tidegate.forecast.ensemble import ForecastEnsemble
from tidegate.forecast.fitting import fine_tuned, fit_forecaster
from tidegate.forecast.frames import forecast_frame
from tidegate.forecast.learned import arrays_of, restored_ensemble
from tidegate.forecast.plan import check_options, check_units
from tidegate.forecast.recipe import Recipe
from tidegate.forecast.scores import levels_of
from tidegate.forecast.settled import Settled
from tidegate.forecast.streaming import Stream
from tidegate.forecast.tables import (
    of_kinds,
    read_table,
    require_given_domain,
    require_likeness,
    require_pace,
    weighted_as,
    without_weights,
)
from tidegate.forecast.teaching import Lesson, require_heads
from tidegate.specs import (
    Columns,
    Member,
    Optimizer,
    Recurrent,
    Recursive,
    Scaling,
    Training,
    Uncertainty,
    checks,
)
from tidegate.specs.members import resolve_members
from tidegate.specs.parts import PARTS, Network, network_parts
from tidegate.specs.strategies import STRATEGIES, Strategy, resolve_strategy
from tidegate.training import Callback, History
from tidegate.training.tuning import tuning

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame
    from torch import nn

__all__ = ["Forecaster"]


@register
class Forecaster(Estimator):
    """Forecast many series with one recurrent network, or with an ensemble of them.

    Values are scaled inside each window, from its observed context alone, so series of any level share the network,
    a series never seen in training can be forecast, and nothing of the future can leak.

    Parameters
    ----------
    horizon
        Steps to forecast.
    context
        Steps of the past that the network reads, of a series that has them. ``None``: three seasons of up to 60
        steps, two of a longer one (of several, the longest: two weeks of hours), up to fourteen of a season of at
        most 24 steps where the longest series has five times as many rows, five horizons where there is no season; a
        shorter series is padded and masked.
    season
        Steps of a season; ``None`` finds it in the data, 1 is none. Of several, such as ``(24, 168)``, the first is
        what scaling and baselines go by; the network reads the changes since each.
    strategy
        How a horizon is made: ``"direct"`` (all steps at once), ``"recursive"`` (one step, fed back, in one call),
        ``"encoder_decoder"``, ``"segments"``, ``"smoothing"``, or one of `tidegate.specs.strategies` with options.
    network
        The recurrent layers, or a tuple of parts in the order of the data's way: `Convolution`, `Recurrent` or
        `Dilated`, `SelfAttention`.
    training
        How they are trained. Without ``epochs`` and ``max_steps``, a hundred steps and one for each window, 1000 at
        most. ``validation`` is the share of each series' rows, at its end and at least one horizon, that stops the
        training early and is not trained on.
    scaling
        What happens inside a window. With ``output="auto"`` the data decide what outputs are measured from.
    uncertainty
        What the outputs are (a point, quantiles, a distribution), the loss of points, and the rows for calibration.
    columns
        Names of the columns, covariates among them; by default ``unique_id``, ``ds``, ``y``.
    members
        How many networks, which differ in their seeds, or a `Member` each; the forecast is their median.
    seed
        Same seed, same data, same machine: same bits.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Attributes
    ----------
    season_, segment_, context_, frequency_
        What was settled. A direct network reads ``segment_`` steps at once: a season, where the context holds many of
        them (two weeks of hours are read as fourteen days), or a part of one, where it is long.
    origin_
        What the outputs are measured from, as in `Scaling`; of several members, those of the first.
    history_
        The curve of the training.
    notes_
        What was noticed in the training data and how it was met; a loaded model has none.

    Raises
    ------
    SpecError
        If an option, or a combination, cannot be.

    Examples
    --------
    >>> import tidegate as tg
    >>> frame = tg.datasets.airline_passengers()
    >>> model = tg.Forecaster(horizon=12, training=tg.Training(max_steps=20)).fit(frame)
    >>> model.season_, model.context_
    (12, 36)
    >>> model.predict(frame).shape
    (12, 3)
    """

    kind: ClassVar[str] = "forecaster"
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "strategy": tuple(STRATEGIES.values()),
        "network": PARTS,
        "training": Training,
        "scaling": Scaling,
        "uncertainty": Uncertainty,
        "columns": Columns,
        "members": Member,
    }

    network_: ForecastEnsemble
    settled_: Settled
    history_: History
    notes_: tuple[str, ...]
    context_: int

    def __init__(
        self,
        *,
        horizon: int,
        context: int | None = None,
        season: int | tuple[int, ...] | None = None,
        strategy: str | Strategy = "direct",
        network: Network = Recurrent(),
        training: Training = Training(
            batch_size=256,
            learning_rate=3e-3,
            schedule="one_cycle",
            optimizer=Optimizer("adamw", weight_decay=1e-2),
        ),
        scaling: Scaling = Scaling(output="auto"),
        uncertainty: Uncertainty = Uncertainty(),
        columns: Columns = Columns(),
        members: int | tuple[Member, ...] = 1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        check_options(horizon, context, season, members)
        for name, spec, kind in (
            ("training", training, Training),
            ("scaling", scaling, Scaling),
            ("uncertainty", uncertainty, Uncertainty),
            ("columns", columns, Columns),
        ):
            if not isinstance(spec, kind):
                raise SpecError(f"{name} must be a {kind.__name__}(…); got {spec!r}")
        resolve_strategy(strategy)
        network_parts(network)
        check_units(uncertainty, scaling, resolve_members(members))
        checks.whole("seed", seed, least=0)
        self.horizon = horizon
        self.context = context
        self.season = season
        self.strategy = strategy
        self.network = network
        self.training = training
        self.scaling = scaling
        self.uncertainty = uncertainty
        self.columns = columns
        self.members = members
        self.seed = seed
        self.device = device

    def fit(
        self,
        data: IntoDataFrame | SeriesTable,
        *,
        skip_short: bool = False,
        teacher: Teacher | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on a table of series.

        Parameters
        ----------
        data
            A pandas or polars frame, or a `SeriesTable`.
        skip_short
            Leave out series that are shorter than the context and the horizon need, instead of refusing the table.
        teacher
            A fitted forecaster of the same horizon and columns, whose forecasts are learned from as well, by the same
            loss (Saputra et al., 2019).
        callbacks
            For the training, beside the early stopping that ``training.patience`` asks for.

        Raises
        ------
        DataError
            If the table cannot be used (`ColumnError`, `TimeStampError`, `ShortSeriesError`, …), by the model or by
            the teacher.
        SpecError
            If the teacher is of another kind or horizon, only one of both is recursive, or the teacher gives points
            where distributions are learned.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        recipe = self._recipe
        table = read_table(data, self.columns)
        for scaling in recipe.scalings:
            require_domain(table, scaling)
        lesson = None if teacher is None else self._lesson(teacher, table)
        fitted = fit_forecaster(recipe, table, skip_short=skip_short, device=device, lesson=lesson, callbacks=callbacks)
        self._take(fitted.network, fitted.settled, fitted.history, fitted.notes)
        vars(self).pop("recent_", None)  # rows of another model
        return self

    def predict(
        self,
        data: IntoDataFrame | SeriesTable | None = None,
        *,
        future: IntoDataFrame | Future | None = None,
        levels: Sequence[float] = (),
        point: str = "median",
        skip_short: bool = False,
    ) -> Any:
        """Forecast the ``horizon`` steps that follow each series' last row.

        Parameters
        ----------
        data
            The latest rows of each series; ids never seen in training are served. ``None``: the rows that `update`
            was given.
        future
            Rows behind the end of each series: the covariates whose future is known, for all steps. A recursive model
            also takes target values that are known already, and goes on from them.
        levels
            Intervals, in per cent: 80 is from the 10 % to the 90 % quantile.
        point
            ``"median"``, or ``"mean"``: that of the predictive distribution, also behind a transform.
        skip_short
            Leave out series with fewer rows than the model needs, instead of refusing the table.

        Returns
        -------
        pandas.DataFrame or polars.DataFrame
            As the input came: the id and time columns under their names, and ``y_hat`` (``NAME_hat`` for each
            target), in the units of the input; ``horizon`` rows a series. For a level of 80 ``y_hat_lo_80`` and
            ``y_hat_hi_80`` follow.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        SpecError
            If the model has no intervals: its head gives points, and it was not calibrated.
        DataError
            If the table cannot be used, or a known covariate is absent from ``future``.
        """
        self._require_fitted("predict")
        given = self._recent("predict") if data is None else self._read_again(data)
        table, _ = long_enough(given, self.least_, "to read", skip_short=skip_short, remedy="give more rows")
        left_out = set(given.ids.tolist()) - set(table.ids.tolist())
        answers = self._answers(table, future, left_out)
        return forecast_frame(answers, levels=levels_of(levels), point=point)

    def backtest(
        self,
        data: IntoDataFrame | SeriesTable,
        *,
        windows: int = 3,
        refit: bool = False,
        train_rows: int | None = None,
        levels: Sequence[float] = (),
        baselines: Sequence[str] = tuple(BASELINES),
        skip_short: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Backtest:
        """Forecast the last ``windows`` horizons of each series as if they had not come yet, beside the baselines.

        The model that is scored is a fresh one with this one's parameters. It is fitted on the rows before the first
        window, or, with ``refit``, for each window on the rows before it; this estimator itself stays as it is. All
        that fitting settles (season, transforms, calibration) is settled anew in each fold, from its rows alone.

        Parameters
        ----------
        data
            The series.
        windows
            How many horizons are forecast.
        refit
            Fit a model for each window.
        train_rows
            Fit on at most so many rows before a window (a sliding window); ``None`` takes all (an expanding one).
        levels
            Intervals to score, in per cent.
        baselines
            Names of `tidegate.forecast.baselines.BASELINES`, or of the statistical ones of the extra
            ``statsforecast`` (``"auto_ets"``, ``"auto_arima"``, ``"theta"``).
        skip_short, callbacks
            As in `fit`.

        Raises
        ------
        DataError
            If the table cannot be used, or no series is long enough.
        """
        checks.whole("windows", windows)
        held = windows * self.horizon
        table, _ = long_enough(
            read_table(data, self.columns),
            held + self.horizon + 2,
            f"a backtest of {windows} × {self.horizon}, and {self.horizon + 2} to train on",
            skip_short=skip_short,
        )

        def fit(past: SeriesTable) -> Forecaster:
            return self._clone().fit(past, skip_short=skip_short, callbacks=callbacks)

        models = fit_folds(table, fit, windows=windows, horizon=self.horizon, refit=refit, train_rows=train_rows)
        answers = [model._answers(table) for model in models]
        return backtest_folds(
            table,
            make_folds(table, windows=windows, horizon=self.horizon, least=models[0].least_),
            [answer.point for answer in answers],
            season=models[0].season_,
            baselines=tuple(baselines),
            quantiles=[answer.quantiles for answer in answers] if answers[0].has_quantiles else (),
            levels=levels_of(levels),
        )

    def evaluate(
        self, data: IntoDataFrame | SeriesTable, *, stride: int = 1, levels: Sequence[float] = ()
    ) -> Evaluation:
        """Score the fitted model on every complete window of context and truth in a table, beside the baselines.

        Parameters
        ----------
        data
            Rows that the model was not trained on, with enough rows before them to read.
        stride
            Rows from one window to the next.
        levels
            Intervals to score, in per cent.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShortSeriesError
            If there is no complete window.
        """
        self._require_fitted("evaluate")
        checks.whole("stride", stride)
        table = self._read_again(data)
        rows = self.context_ + self.horizon
        why = f"context {self.context_} + horizon {self.horizon}"
        table, _ = long_enough(table, rows, why, skip_short=True, remedy="give more rows")
        answers = self._answers(table)
        windows = Windows.sliding(
            answers.table, context=self.context_, horizon=self.horizon, stride=stride, least_context=self.context_
        )
        return evaluate_windows(
            answers.table,
            windows,
            answers.point,
            season=self.season_,
            baselines=("naive", "seasonal_naive", "drift"),
            quantiles=answers.quantiles if answers.has_quantiles else None,
            levels=levels_of(levels),
        )

    def score(self, data: IntoDataFrame | SeriesTable) -> float:
        """Give minus the MASE over every complete window of ``data``; higher is better, as scikit-learn has it."""
        return -self.evaluate(data).scores["tidegate"]["MASE"]

    def update(self, rows: IntoDataFrame | SeriesTable) -> Self:
        """Take new rows, without training: `predict` without data forecasts from the latest.

        The first call gives the rows to begin with, a context of each series; later ones what has come since. Gaps
        between them become missing rows. Only as many rows are kept as a forecast reads. A saved file is left as it
        is, and `save` writes none of these rows.

        Parameters
        ----------
        rows
            As for `predict`. Series may be new.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the rows cannot be used, or do not come after those that are there.
        """
        self._require_fitted("update")
        newer, recent = self._likened(rows), getattr(self, "recent_", None)
        table = newer if recent is None else extended(recent, newer)
        require_pace(table, self.settled_.pace)  # of all rows: a few new ones may have a gap between them
        self.recent_ = table.tail(self.context_ + 1)
        return self

    def stream(self, rows: IntoDataFrame | SeriesTable | None = None, *, carry: bool = False) -> Stream:
        """Begin a stream: values in, forecasts out, one by one, without data frames.

        Parameters
        ----------
        rows
            The latest rows of each series; ``None`` takes those that `update` was given.
        carry
            Carry the recurrent state on, with the scale frozen, instead of reading the window again for each forecast.

        Raises
        ------
        UnsupportedError
            If the model reads covariates that change with time, or its state cannot be carried on.
        """
        self._require_fitted("stream")
        table = self._recent("stream") if rows is None else self._read_again(rows)
        table, _ = long_enough(table, self.least_, "to read", skip_short=False, remedy="give more rows")
        return Stream(self._answers(table), carry=carry)

    def fine_tune(
        self,
        rows: IntoDataFrame | SeriesTable,
        *,
        max_steps: int = 50,
        learning_rate: float | None = None,
        schedule: str | None = None,
        validation: float = 0.0,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train a little more, on new rows.

        Nothing is settled anew: season, context, scaling and calibration stay. Where `update` has given earlier rows,
        the new ones go on from them, and every target lies in the new ones; otherwise the table brings its own
        contexts. A saved file is left as it is.

        Parameters
        ----------
        rows
            As for `fit`.
        max_steps
            Optimiser steps.
        learning_rate
            ``None``: a tenth of ``training.learning_rate``. What was pruned wants more, such as a third.
        schedule
            Of the rate, as in `Training`; ``None`` leaves it constant.
        validation
            Share of each series' rows, at its end and at least one horizon, that is not trained on: the weights that
            forecast them best are kept, those from before among them, and ``training.patience`` ends the training.
            0 for none.
        callbacks
            For this training.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShortSeriesError
            If no window of a context and a horizon can be cut, or none that may be held out.
        """
        self._require_fitted("fine_tune")
        training = tuning(
            self.training, max_steps=max_steps, learning_rate=learning_rate, schedule=schedule, validation=validation
        )
        newer, recent = self._likened(rows, weighted=True), getattr(self, "recent_", None)
        table = newer if recent is None else extended(weighted_as(recent, newer), newer)
        require_pace(table, self.settled_.pace)
        self.network_, self.history_ = fine_tuned(
            self.network_,
            self.settled_,
            with_time_features(table, self.settled_.waves),
            horizon=self.horizon,
            start=None if recent is None else new_starts(table, newer),
            training=training,
            seed=self.seed,
            callbacks=callbacks,
        )
        return self

    @property
    def _recipe(self) -> Recipe:
        return Recipe(
            horizon=self.horizon,
            context=self.context,
            season=self.season,
            strategy=resolve_strategy(self.strategy),
            network=self.network,
            training=self.training,
            scaling=self.scaling,
            uncertainty=self.uncertainty,
            members=resolve_members(self.members),
            seed=self.seed,
        )

    def _lesson(self, teacher: Teacher, table: SeriesTable) -> Lesson:
        model = teacher.of(self)
        teacher.refuse_temperature("a forecast")
        if model.horizon != self.horizon:
            raise SpecError(
                f"the teacher forecasts {model.horizon} steps, the student {self.horizon}; give both the same"
            )
        model._likened(table, weighted=True)
        theirs, own = model._recipe.strategy, self._recipe.strategy
        if isinstance(theirs, Recursive) != isinstance(own, Recursive):
            raise SpecError(
                "a recursive network learns each step from the true steps before it, others learn all steps from the "
                f"context alone; the teacher is {theirs.kind!r}, the student {own.kind!r}: take 'recursive' for both "
                "or neither"
            )
        lesson = Lesson(
            ensemble=model.network_, settled=model.settled_, share=teacher.share, recursive=isinstance(own, Recursive)
        )
        require_heads(lesson, self.uncertainty)
        return lesson

    def _take(self, network: ForecastEnsemble, settled: Settled, history: History, notes: tuple[str, ...]) -> None:
        self.network_, self.settled_, self.history_, self.notes_ = network, settled, history, notes
        self.season_, self.segment_, self.origin_ = settled.season, settled.segment, settled.outputs[0]
        self.context_, self.least_ = settled.context, settled.least
        self.columns_, self.frequency_ = settled.columns, settled.columns.frequency

    def _read_again(self, data: IntoDataFrame | SeriesTable) -> SeriesTable:
        table = self._likened(data)
        require_pace(table, self.settled_.pace)
        return table

    def _likened(self, data: IntoDataFrame | SeriesTable, *, weighted: bool = False) -> SeriesTable:
        """Read a table like the one that was trained on; weights only where a loss will ask for them."""
        columns = self.columns_ if weighted else dataclasses.replace(self.columns_, weight=None)
        table = read_table(data, columns)
        table = of_kinds(table if weighted else without_weights(table), self.settled_.categorical)
        require_likeness(table, self.columns_, self.settled_.categorical)
        for scaling in self._recipe.scalings:
            require_domain(table, scaling)
        return table

    def _recent(self, action: str) -> SeriesTable:
        table: SeriesTable | None = getattr(self, "recent_", None)
        if table is None:
            raise StateError(f"{action} without rows needs those of update(…), and there are none yet; give the rows")
        return table

    def _answers(
        self, table: SeriesTable, future: IntoDataFrame | Future | None = None, left_out: Collection[Any] = ()
    ) -> Answers:
        if future is not None and not isinstance(future, Future):
            future = read_future(future, table, self.horizon, left_out=left_out)
        given = None
        if future is not None and not np.isnan(future.targets).all():
            if not isinstance(self._recipe.strategy, Recursive):
                raise SpecError(
                    "future holds values of the target, and only a recursive model goes on from true values within "
                    "its horizon; use strategy='recursive', or append those rows to the data"
                )
            given = future.targets
            for scaling in self._recipe.scalings:
                require_given_domain(given, table, scaling)
        return Answers(
            network=self.network_,
            settled=self.settled_,
            table=with_time_features(table, self.settled_.waves),
            horizon=self.horizon,
            seed=derive_seed(self.seed, "paths"),
            future=future,
            given=given,
        )

    def _clone(self) -> Self:
        return type(self)(**self.get_params(deep=False))

    def _is_fitted(self) -> bool:
        return hasattr(self, "network_")

    def _networks(self) -> tuple[nn.Module, ...]:
        return (self.network_,)

    def _learned(self) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        learned = {"settled": self.settled_.to_dict(), "history": self.history_.to_dict()}
        return learned, arrays_of(self.network_)

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        settled = Settled.from_dict(learned["settled"])
        history = restored_history(learned["history"])
        designs = self._recipe.designs(settled)
        network = restored_ensemble(designs, settled.calibrated, arrays, resolve_device(self.device))
        self._take(network, settled, history, ())  # notes name series and days of the training data: no file has them


def _weighted_as(table: SeriesTable, like: SeriesTable) -> SeriesTable:
    """Give the rows kept by `update`, which have no weights, those of 1, where the new ones have some.

    They are read, never trained on.
    """
    if like.weights is None:
        return table
    return dataclasses.replace(table, weights=np.ones(len(table.times)))
