"""`Forecaster`: one network for all the series of a table."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from tidegate._core.devices import resolve_device
from tidegate._core.seeds import derive_seed, seeded
from tidegate.data import Batches, SeriesTable, Windows, future_times, to_frame
from tidegate.errors import SpecError
from tidegate.estimator import Estimator, register
from tidegate.forecast.backtest import Backtest, Evaluation, backtest_folds, evaluate_windows, make_folds
from tidegate.forecast.baselines import BASELINES, FloatArray, IntArray
from tidegate.forecast.model import ForecastNetwork, ForecastObjective, check_shapes
from tidegate.forecast.plan import check_options, fit_power, make_plan
from tidegate.forecast.strategies import STRATEGIES
from tidegate.forecast.tables import long_enough, pace, read_table, require_domain, require_likeness
from tidegate.specs import Columns, Recurrent, Scaling, Training, checks, from_dict, to_dict
from tidegate.training import Callback, History, fit

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

__all__ = ["Forecaster"]

_LOSSES = ("mae", "mse", "huber")
_MOST_STEPS = 1_000  # by default; few windows get fewer, before a network knows them by heart
_LEAST_STEPS = 100
_CHUNK = 2_048  # windows that are forecast together: bounds the memory, keeps the cores busy


@register
class Forecaster(Estimator):
    """Forecast many series with one recurrent network.

    Values are scaled inside each window, from its observed context alone, so series of any level share the network,
    a series never seen in training can be forecast, and nothing of the future can leak.

    Parameters
    ----------
    horizon
        Steps to forecast.
    context
        Steps of the past that the network reads. ``None``: three seasons of up to 60 steps, two of a longer one (of
        several, the longest: two weeks of hours), five horizons where there is no season; a shorter series is padded
        and masked.
    strategy
        ``"direct"`` (all steps at once) or ``"recursive"`` (one step, fed back, in one call).
    network
        The recurrent layers.
    training
        How they are trained. Without ``epochs`` and ``max_steps``, a hundred steps and one for each window, 1000 at
        most. ``validation`` is the share of each series' rows, at its end and at least one horizon, that stops the
        training early and is not trained on.
    scaling
        What happens inside a window.
    loss
        ``"mae"``, ``"mse"`` or ``"huber"``, on scaled values.
    columns
        Names of the columns; by default ``unique_id``, ``ds``, ``y``.
    season
        Steps of a season; ``None`` finds it in the data, 1 is none.
    seed
        Same seed, same data, same machine: same bits.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Attributes
    ----------
    season_, segment_, context_, frequency_
        What was settled. A direct network reads ``segment_`` steps at once: a season, where the context holds many of
        them (two weeks of hours are read as fourteen days).
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
    specs: ClassVar[Mapping[str, type]] = {
        "network": Recurrent,
        "training": Training,
        "scaling": Scaling,
        "columns": Columns,
    }

    def __init__(
        self,
        *,
        horizon: int,
        context: int | None = None,
        strategy: str = "direct",
        network: Recurrent = Recurrent(),
        training: Training = Training(batch_size=128, learning_rate=2e-3, schedule="one_cycle"),
        scaling: Scaling = Scaling(output="season"),
        loss: str = "mae",
        columns: Columns = Columns(),
        season: int | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        check_options(horizon, context, season)
        for name, spec in (("network", network), ("training", training), ("scaling", scaling), ("columns", columns)):
            if not isinstance(spec, self.specs[name]):
                raise SpecError(f"{name} must be a {self.specs[name].__name__}(…); got {spec!r}")
        checks.one_of("strategy", strategy, STRATEGIES)
        checks.one_of("loss", loss, _LOSSES)
        checks.whole("seed", seed, least=0)
        self.horizon = horizon
        self.context = context
        self.strategy = strategy
        self.network = network
        self.training = training
        self.scaling = scaling
        self.loss = loss
        self.columns = columns
        self.season = season
        self.seed = seed
        self.device = device

    def fit(
        self,
        data: IntoDataFrame | SeriesTable,
        *,
        skip_short: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on a table of series.

        Parameters
        ----------
        data
            A pandas or polars frame, or a `SeriesTable`.
        skip_short
            Leave out series that are shorter than the context and the horizon need, instead of refusing the table.
        callbacks
            For the training, beside the early stopping that ``training.patience`` asks for.

        Raises
        ------
        DataError
            If the table cannot be used (`ColumnError`, `TimeStampError`, `ShortSeriesError`, …).
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        table = read_table(data, self.columns)
        require_domain(table, self.scaling)
        plan = make_plan(
            table,
            horizon=self.horizon,
            context=self.context,
            season=self.season,
            strategy=self.strategy,
            validation=self.training.validation,
            skip_short=skip_short,
        )
        power = fit_power(plan.rows, self.scaling, plan.season)
        with seeded(derive_seed(self.seed, "weights")):
            network = self._build(len(table.columns.targets), plan.season, plan.segment, power).to(device)
        history = self._train(network, plan.train, plan.validation, callbacks)
        self.network_ = network.eval()
        self.history_ = history
        self.season_, self.segment_ = plan.season, plan.segment
        self.context_, self.least_ = plan.context, plan.least
        self.columns_ = table.columns
        self.frequency_ = table.columns.frequency
        self.power_ = power
        self.pace_ = pace(table)
        self.notes_ = (*table.notes, *plan.notes)
        return self

    def _train(
        self,
        network: ForecastNetwork,
        windows: Windows,
        held: Windows | None,
        callbacks: Sequence[Callback],
    ) -> History:
        training = self.training
        if training.epochs is None and training.max_steps is None:
            training = dataclasses.replace(training, max_steps=min(_MOST_STEPS, _LEAST_STEPS + len(windows)))
        batches = Batches(windows, training.batch_size, shuffle=True, seed=derive_seed(self.seed, "batches"))
        validation = None if held is None else Batches(held, max(training.batch_size, 256))
        with seeded(derive_seed(self.seed, "training")):
            return fit(
                network,
                batches,
                ForecastObjective(self.loss),
                training=training,
                validation=validation,
                callbacks=callbacks,
            )

    def _build(self, targets: int, season: int, segment: int, power: float | None) -> ForecastNetwork:
        return ForecastNetwork(
            self.network,
            self.scaling,
            strategy=self.strategy,
            horizon=self.horizon,
            targets=targets,
            season=season,
            segment=segment,
            power=power,
        )

    def predict(self, data: IntoDataFrame | SeriesTable, *, skip_short: bool = False) -> Any:
        """Forecast the ``horizon`` steps that follow each series' last row.

        Parameters
        ----------
        data
            The latest rows of each series; ids never seen in training are served.
        skip_short
            Leave out series with fewer rows than the model needs, instead of refusing the table.

        Returns
        -------
        pandas.DataFrame or polars.DataFrame
            As the input came: the id and time columns under their names, and ``y_hat`` (``NAME_hat`` for each
            target), in the units of the input; ``horizon`` rows a series.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the table cannot be used.
        """
        self._require_fitted("predict")
        table = self._read_again(data)
        table, _ = long_enough(table, self.least_, "to read", skip_short=skip_short, remedy="give more rows")
        forecast = self._forecast(table, np.arange(len(table)), table.offsets[1:])
        names = [f"{name}_hat" for name in table.columns.targets]
        return to_frame(
            table, future_times(table, self.horizon), dict(zip(names, forecast.transpose(2, 0, 1), strict=True))
        )

    def _read_again(self, data: IntoDataFrame | SeriesTable) -> SeriesTable:
        table = read_table(data, self.columns_)
        require_likeness(table, self.columns_, self.pace_)
        require_domain(table, self.scaling)
        return table

    def _forecast(self, table: SeriesTable, series: IntArray, ends: IntArray) -> FloatArray:
        """Forecast from the rows before ``ends`` (flat rows, [n]) of ``series`` ([n]): [n, horizon, target]."""
        device = next(self.network_.parameters()).device
        windows = Windows(table=table, context=self.context_, horizon=0, series=series, ends=ends)
        results = []
        with torch.inference_mode():
            for start in range(0, len(series), _CHUNK):
                batch = windows.batch(np.arange(start, min(start + _CHUNK, len(series))))
                values, observed = torch.from_numpy(batch.values), torch.from_numpy(batch.observed)
                results.append(self.network_(values.to(device), observed.to(device)).cpu().numpy())
        return np.concatenate(results) if results else np.zeros((0, self.horizon, table.values.shape[1]))

    def backtest(
        self,
        data: IntoDataFrame | SeriesTable,
        *,
        windows: int = 3,
        refit: bool = False,
        skip_short: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Backtest:
        """Forecast the last ``windows`` horizons of each series as if they had not come yet, beside the baselines.

        The model that is scored is a fresh one with this one's parameters. It is fitted on the rows before the first
        window, or, with ``refit``, for each window on the rows before it; this estimator itself stays as it is.

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
        models: list[Forecaster] = []
        for window in range(windows if refit else 1):
            past = table.truncate(table.lengths - held + window * self.horizon)
            models.append(self._clone().fit(past, skip_short=skip_short, callbacks=callbacks))
        folds = make_folds(table, windows=windows, horizon=self.horizon, least=models[0].least_)
        return backtest_folds(
            table,
            folds,
            [functools.partial(models[window if refit else 0]._forecast, table) for window in range(windows)],
            season=models[0].season_,
            baselines=tuple(BASELINES),
        )

    def evaluate(self, data: IntoDataFrame | SeriesTable, *, stride: int = 1) -> Evaluation:
        """Score the fitted model on every complete window of context and truth in a table, beside the baselines.

        Parameters
        ----------
        data
            Rows that the model was not trained on, with enough rows before them to read.
        stride
            Rows from one window to the next.

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
        windows = Windows.sliding(
            table, context=self.context_, horizon=self.horizon, stride=stride, least_context=self.context_
        )
        return evaluate_windows(
            table,
            windows,
            functools.partial(self._forecast, table),
            season=self.season_,
            baselines=("naive", "seasonal_naive", "drift"),
        )

    def score(self, data: IntoDataFrame | SeriesTable) -> float:
        """Give minus the MASE over every complete window of ``data``; higher is better, as scikit-learn has it."""
        return -self.evaluate(data).scores["tidegate"]["MASE"]

    def _clone(self) -> Self:
        return type(self)(**self.get_params(deep=False))

    def _is_fitted(self) -> bool:
        return hasattr(self, "network_")

    def _learned(self) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        learned = {
            "season": self.season_,
            "segment": self.segment_,
            "context": self.context_,
            "least": self.least_,
            "columns": to_dict(self.columns_),
            "power": self.power_,
            "pace": self.pace_,
            "history": self.history_.to_dict(),
        }
        return learned, {name: tensor.cpu().numpy() for name, tensor in self.network_.state_dict().items()}

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        for name in ("season", "segment", "context", "least"):
            checks.whole(name, learned[name])
            if learned[name] >= 2**31:
                raise SpecError(f"{name} must be below 2³¹; got a number of {len(str(learned[name]))} digits")
            setattr(self, f"{name}_", learned[name])
        self.columns_ = from_dict(Columns, learned["columns"])
        self.frequency_ = self.columns_.frequency
        self.power_, self.pace_ = learned["power"], float(learned["pace"])
        self.notes_ = ()  # they name series and days of the training data, which a file does not hold
        self.history_ = History()
        logs = learned["history"]["logs"]
        finite = {name: [math.nan if value is None else value for value in column] for name, column in logs.items()}
        self.history_.load_dict({**learned["history"], "logs": finite})
        if self.network.num_layers > len(arrays):  # each has several
            raise ValueError(f"{self.network.num_layers} layers are described, the file has {len(arrays)} tensors")
        shape = (len(self.columns_.targets), self.season_, self.segment_, self.power_)
        with torch.device("meta"):  # sizes first: no memory for a network that the file's tensors do not fill
            check_shapes(self._build(*shape), arrays)
        network = self._build(*shape)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        self.network_ = network.to(resolve_device(self.device)).eval()
