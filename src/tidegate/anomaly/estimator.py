"""`AnomalyDetector`: one network, or several, that say how far each value lies from what it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from tidegate._core.devices import resolve_device
from tidegate.anomaly.covering import FloatArray
from tidegate.anomaly.evaluation import evaluate_labels
from tidegate.anomaly.fitting import fine_tuned, fit_detector
from tidegate.anomaly.frames import event_frame, verdict_frame
from tidegate.anomaly.judge import Judge, Verdict, combined
from tidegate.anomaly.learned import arrays_of, restored_judge, restored_network
from tidegate.anomaly.network import Design, Detection, check_scaling
from tidegate.anomaly.scorer import Scorer
from tidegate.anomaly.settled import Settled
from tidegate.anomaly.streaming import DetectorStream
from tidegate.anomaly.tables import (
    check_columns,
    is_array,
    read_data,
    require_likeness,
)
from tidegate.data import SeriesTable
from tidegate.data.pace import pace, require_pace
from tidegate.errors import DataError, SpecError, StateError
from tidegate.estimator import Estimator, register
from tidegate.estimator.restoring import restored_history
from tidegate.estimator.tables import long_enough, require_domain
from tidegate.specs import Columns, Optimizer, Recurrent, Scaling, Training, checks
from tidegate.specs.detection import METHODS, Autoencoder, Likelihood, Method, Prediction, resolve_method
from tidegate.specs.parts import PARTS, Network, network_parts
from tidegate.specs.thresholds import THRESHOLDS, Contamination, Threshold, resolve_threshold
from tidegate.training import Callback, History
from tidegate.training.tuning import tuning

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame
    from torch import nn

__all__ = ["AnomalyDetector"]

_MOST_MEMBERS = 100  # a file that says more is to cost no memory
_MOST_STEPS = 2**24
_LONGER = "give more rows, or train with a shorter context"


@register
class AnomalyDetector(Estimator):
    """Find anomalies in one series or many, of one variable or several.

    A network learns what the training rows look like, by building windows of them again or by predicting what comes
    next. How wrong it is about a value, in units of what it is wrong by as a rule, is the score of that value. The
    training rows may hold a few anomalies; no labels are needed, and no threshold is chosen from other rows.

    Parameters
    ----------
    method
        ``"autoencoder"``, ``"prediction"``, or an `Autoencoder` or `Prediction` with options.
    context
        Steps of a window.
    network
        The recurrent layers, or a tuple of parts; an autoencoder's encoder and decoder have them both.
    scaling
        What happens inside a window, after values were brought into units of their series (mean and standard deviation
        of its training rows). ``"none"`` leaves them there, so that a level never seen is abnormal; ``"centred"``
        takes the window's mean away, so that it soon is not; ``"standard"`` takes its spread away too. ``output`` is
        what predictions are measured from.
    threshold
        A rate of contamination; one of the names ``"contamination"``, ``"quantile"``, ``"spot"``, ``"dynamic"``; or a
        `Contamination`, `Quantile`, `Spot` or `Dynamic` with options.
    likelihood
        A `Likelihood` judges errors by those before them, where data drift; ``None`` leaves them as they are.
    columns
        Names of the columns; by default ``unique_id``, ``ds``, ``y``. Covariates are not read.
    training
        How networks are trained. Without ``epochs`` and ``max_steps``, a hundred steps and one for each window, 600 at
        most. ``validation`` is the share of each series' rows, at its end, that stops the training early and is not
        trained on.
    members
        How many networks, which differ in their first weights; what they make is averaged.
    seed
        Same seed, same data, same machine: same bits.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Attributes
    ----------
    decision_scores_, labels_
        Of the training rows, in their table's order: the scores, and 0 or 1. A loaded model has none.
    threshold_
        What scores of `decision_function` are held against; a threshold of scores without look ahead is
        ``threshold_causal_``.
    columns_
        With the variables and the frequency that were found.
    least_rows_
        Rows that a series must have.
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
    >>> import numpy as np, tidegate as tg
    >>> values = np.sin(np.arange(400) / 5)
    >>> values[300] += 3
    >>> detector = tg.AnomalyDetector(context=20, threshold=0.01, training=tg.Training(max_steps=50)).fit(values)
    >>> int(detector.decision_scores_.argmax()), detector.decision_scores_.shape
    (300, (400,))
    """

    kind: ClassVar[str] = "anomaly_detector"
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "method": tuple(METHODS.values()),
        "network": PARTS,
        "scaling": Scaling,
        "threshold": tuple(THRESHOLDS.values()),
        "likelihood": Likelihood,
        "columns": Columns,
        "training": Training,
    }

    network_: Detection
    settled_: Settled
    judges_: tuple[Judge, Judge]  # of scores from all windows, and of those without look ahead
    history_: History
    notes_: tuple[str, ...]
    decision_scores_: FloatArray
    labels_: npt.NDArray[np.int64]

    def __init__(
        self,
        *,
        method: str | Method = "autoencoder",
        context: int = 32,
        network: Network = Recurrent(hidden_size=32),
        scaling: Scaling = Scaling(method="centred"),
        threshold: float | str | Threshold = 0.01,
        likelihood: Likelihood | None = None,
        columns: Columns = Columns(),
        training: Training = Training(
            batch_size=64,
            learning_rate=5e-3,
            schedule="one_cycle",
            optimizer=Optimizer("adamw", weight_decay=1e-2),
        ),
        members: int = 1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        for name, spec, kind in (
            ("scaling", scaling, Scaling),
            ("columns", columns, Columns),
            ("training", training, Training),
        ):
            if not isinstance(spec, kind):
                raise SpecError(f"{name} must be a {kind.__name__}(…); got {spec!r}")
        if likelihood is not None and not isinstance(likelihood, Likelihood):
            raise SpecError(f"likelihood must be a Likelihood(…) or None; got {likelihood!r}")
        network_parts(network)
        check_scaling(scaling, resolve_method(method))
        check_columns(columns)
        resolve_threshold(threshold)
        checks.whole("context", context, least=2 if isinstance(resolve_method(method), Autoencoder) else 1)
        checks.whole("members", members)
        checks.whole("seed", seed, least=0)
        if members > _MOST_MEMBERS or _window(context, resolve_method(method)) > _MOST_STEPS:
            raise SpecError(
                f"members must be at most {_MOST_MEMBERS}, and context, with a season, at most {_MOST_STEPS:,} steps"
            )
        if not training.sampling.uniform:
            raise SpecError("training.sampling chooses among windows; a detector draws all alike: leave it out")
        self.method = method
        self.context = context
        self.network = network
        self.scaling = scaling
        self.threshold = threshold
        self.likelihood = likelihood
        self.columns = columns
        self.training = training
        self.members = members
        self.seed = seed
        self.device = device

    def fit(
        self,
        data: IntoDataFrame | SeriesTable | npt.ArrayLike,
        *,
        skip_short: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on rows that are normal, or nearly all of them.

        Parameters
        ----------
        data
            A pandas or polars frame, a `SeriesTable`, or an array ``[time]`` or ``[time, channel]``; NaN where a value
            is missing.
        skip_short
            Leave out series that are shorter than a window, instead of refusing the table.
        callbacks
            For the training, beside the early stopping that ``training.patience`` asks for.

        Raises
        ------
        DataError
            If the data cannot be used (`ColumnError`, `TimeStampError`, `ShortSeriesError`, …).
        ShapeError
            If an array has another shape.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        table = read_data(data, self.columns)
        require_domain(table, self.scaling)
        table, left_out = long_enough(table, self.least_rows_, "a window", skip_short=skip_short, remedy=_LONGER)
        settled = Settled(
            columns=table.columns, ids=tuple(table.ids.tolist()), timed=not is_array(data), pace=pace(table)
        )
        fitted = fit_detector(
            self._design(settled),
            table,
            training=self.training,
            likelihood=self.likelihood,
            threshold=resolve_threshold(self.threshold),
            seed=self.seed,
            device=device,
            callbacks=callbacks,
        )
        self._take(fitted.network, settled, fitted.history, (fitted.batch, fitted.causal))
        self.notes_ = (*table.notes, *left_out)
        verdicts = self._verdicts(table, causal=False)
        self.decision_scores_ = self._finite([verdict.score for verdict in verdicts], causal=False)
        self.labels_ = np.concatenate([verdict.is_anomaly for verdict in verdicts]).astype(np.int64)
        return self

    def fine_tune(
        self,
        data: IntoDataFrame | SeriesTable | npt.ArrayLike,
        *,
        max_steps: int = 50,
        learning_rate: float | None = None,
        schedule: str | None = None,
        validation: float = 0.0,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train a little more, on rows that are normal: new ones, or those of training after units were pruned.

        Nothing is settled anew: the units of series, what scores are measured in, filters and threshold stay, as do
        ``decision_scores_`` and ``labels_``. A saved file is left as it is, and a training that fails leaves the
        detector as it was.

        Parameters
        ----------
        data
            As for `fit`; series never seen in training are served.
        max_steps
            Optimiser steps.
        learning_rate
            ``None``: a tenth of ``training.learning_rate``. What was pruned wants more, such as a third.
        schedule
            Of the rate, as in `Training`; ``None`` leaves it constant.
        validation
            Share of each series' rows, at its end, that is not trained on: the weights that know them best are kept,
            those from before among them, and ``training.patience`` ends the training. 0 for none.
        callbacks
            For this training.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the data cannot be used.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        self._require_fitted("fine_tune")
        training = tuning(
            self.training, max_steps=max_steps, learning_rate=learning_rate, schedule=schedule, validation=validation
        )
        table = self._read_again(data, skip_short=False)
        self.network_, self.history_ = fine_tuned(
            self.network_,
            table,
            self.settled_.codes(table),
            training=training,
            seed=self.seed,
            callbacks=callbacks,
        )
        return self

    def decision_function(
        self, data: IntoDataFrame | SeriesTable | npt.ArrayLike, *, causal: bool = False
    ) -> FloatArray:
        """Give the scores of rows, ``[row]``; higher is more abnormal, as pyod has it.

        Parameters
        ----------
        data
            As for `fit`; series never seen in training are served. Of a data frame, rows are those of `predict`:
            series after series, gaps filled.
        causal
            Score each row by the windows that end at it or before, as a stream does, and not by all that cover it.

        Returns
        -------
        numpy.ndarray
            Without NaN: what cannot be judged (missing values; the first rows, before there is a window) has the
            lowest score of training. `predict` leaves it open.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the data cannot be used.
        """
        self._require_fitted("decision_function")
        table = self._read_again(data, skip_short=False)
        judge = self._judge(causal)
        return self._finite([judge.scores(errors) for errors in self._errors(table, causal)], causal=causal)

    def predict(
        self, data: IntoDataFrame | SeriesTable | npt.ArrayLike, *, causal: bool = False, skip_short: bool = False
    ) -> Any:
        """Say of each row whether it is an anomaly.

        Parameters
        ----------
        data, causal
            As for `decision_function`.
        skip_short
            Leave out series that are shorter than a window, instead of refusing the table.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or numpy.ndarray
            Of a data frame one like it: the id and time columns under their names, ``score`` (NaN where nothing can be
            judged), ``threshold``, ``is_anomaly``, and of several variables ``NAME_share``, its part in the score, all
            of which add up to 1. Of an array, 0 or 1 a row.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the data cannot be used.
        """
        self._require_fitted("predict")
        table = self._read_again(data, skip_short=skip_short)
        verdicts = self._verdicts(table, causal=causal)
        if is_array(data):
            return np.concatenate([verdict.is_anomaly for verdict in verdicts]).astype(np.int64)
        return verdict_frame(table, verdicts)

    def events(
        self,
        data: IntoDataFrame | SeriesTable | npt.ArrayLike,
        *,
        causal: bool = False,
        gap: int = 0,
        skip_short: bool = False,
    ) -> Any:
        """List the stretches of anomalies.

        Parameters
        ----------
        data, causal, skip_short
            As for `predict`.
        gap
            Stretches that lie no more than so many rows apart are one event.

        Returns
        -------
        pandas.DataFrame or polars.DataFrame
            The id column (if there is one), ``start`` and ``end`` (the first and the last row; row numbers of an
            array), ``rows``, and ``peak``, the highest score.
        """
        self._require_fitted("events")
        checks.whole("gap", gap, least=0)
        table = self._read_again(data, skip_short=skip_short)
        return event_frame(table, self._verdicts(table, causal=causal), gap=gap)

    def score(self, data: IntoDataFrame | SeriesTable | npt.ArrayLike) -> float:
        """Give minus the mean error over the rows, in units of the mean error of training; higher is better.

        It says how well the network knows the data, not how well anomalies are found, which needs labels. Before
        filters; rows that cannot be judged do not count.
        """
        self._require_fitted("score")
        table = self._read_again(data, skip_short=False)
        scale = self._judge(False).scale
        errors = np.concatenate([combined(errors, scale) for errors in self._errors(table, False)])
        if np.isnan(errors).all():
            raise DataError("no row can be judged; give more rows with values")
        return -float(np.nanmean(errors))

    def evaluate_labels(
        self, data: IntoDataFrame | SeriesTable | npt.ArrayLike, labels: npt.ArrayLike, *, causal: bool = False
    ) -> dict[str, dict[str, float]]:
        """Score the detector by labels, beside random scores and the distance from the mean.

        Parameters
        ----------
        data, causal
            As for `decision_function`.
        labels
            ``[row]``, in the order of `decision_function`: 1 for an anomaly, 0 for none.

        Returns
        -------
        dict
            Of ``"tidegate"``, ``"random"`` and ``"deviation"`` each: ``VUS-PR``, ``VUS-ROC`` (a window wide),
            ``AUC-PR``, ``AUC-ROC``, ``event precision``, ``event recall``, ``event F1`` and ``delay``.

        Raises
        ------
        DataError
            If there is not one label of 0 or 1 a row, or no series has both.
        """
        self._require_fitted("evaluate_labels")
        table = self._read_again(data, skip_short=False)
        return evaluate_labels(
            table,
            self._verdicts(table, causal=causal),
            labels,
            least=self._judge(causal).least,
            width=self.context,
            seed=self.seed,
        )

    def stream(self, series: Any = None) -> DetectorStream:
        """Begin a stream: values in, scores out, one by one, without look ahead.

        Parameters
        ----------
        series
            The id, where there were several in training: it has the scale of that series. ``None`` has the median of
            their scales, or that of the only one.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If there was no such series in training.
        """
        self._require_fitted("stream")
        ids = list(self.settled_.ids)
        if series is not None and series not in ids:
            known = ", ".join(map(repr, ids[:5])) + (" …" if len(ids) > 5 else "")
            raise DataError(f"there was no series {series!r} in training, only {known}; leave series out for another")
        code = ids.index(series) if series is not None else 0 if len(ids) == 1 else -1
        return DetectorStream(self.network_, self._judge(True), code)

    @property
    def threshold_(self) -> float:
        """What scores of `decision_function` are held against."""
        self._require_fitted("threshold_")
        return self._judge(False).follower.threshold

    @property
    def threshold_causal_(self) -> float:
        """What scores without look ahead are held against, when a stream begins."""
        self._require_fitted("threshold_causal_")
        return self._judge(True).follower.threshold

    @property
    def contamination(self) -> float:
        """The rate that was asked for, or, of another threshold, the share of training rows that it found."""
        threshold = resolve_threshold(self.threshold)
        if isinstance(threshold, Contamination):
            return threshold.rate
        if not hasattr(self, "labels_"):
            raise StateError("only training rows tell the contamination of this threshold; call fit(…) first")
        return float(self.labels_.mean())

    @property
    def least_rows_(self) -> int:
        """Rows that a series must have: a window, and by prediction one more."""
        method = resolve_method(self.method)
        return _window(self.context, method) + (1 if isinstance(method, Prediction) else 0)

    def _design(self, settled: Settled) -> Design:
        method = resolve_method(self.method)
        return Design(
            method=method,
            network=self.network,
            scaling=self.scaling,
            context=_window(self.context, method),
            targets=len(settled.columns.targets),
            series=len(settled.ids),
            members=self.members,
        )

    def _take(self, network: Detection, settled: Settled, history: History, judges: tuple[Judge, Judge]) -> None:
        self.network_, self.settled_, self.history_, self.notes_ = network, settled, history, ()
        self.columns_, self.judges_ = settled.columns, judges

    def _judge(self, causal: bool) -> Judge:
        return self.judges_[int(causal)]

    def _read_again(self, data: Any, *, skip_short: bool) -> SeriesTable:
        columns = self.columns_ if is_array(data) or self.settled_.timed else self.columns
        table = read_data(data, columns)
        timed = self.settled_.timed and not is_array(data)
        require_likeness(table, self.columns_, timed=timed)
        if timed:
            require_pace(table, self.settled_.pace)
        require_domain(table, self.scaling)
        return long_enough(table, self.least_rows_, "a window", skip_short=skip_short, remedy=_LONGER)[0]

    def _errors(self, table: SeriesTable, causal: bool) -> list[FloatArray]:
        scorer, codes = Scorer(self.network_), self.settled_.codes(table).tolist()
        found = (scorer.errors(table, index, code) for index, code in enumerate(codes))
        return [errors.causal if causal else errors.batch for errors in found]

    def _verdicts(self, table: SeriesTable, *, causal: bool) -> list[Verdict]:
        judge = self._judge(causal)
        return [judge.verdict(errors) for errors in self._errors(table, causal)]

    def _finite(self, scores: Sequence[FloatArray], *, causal: bool) -> FloatArray:
        joined = np.concatenate(scores)
        return np.where(np.isnan(joined), self._judge(causal).least, joined)

    def _is_fitted(self) -> bool:
        return hasattr(self, "network_")

    def _networks(self) -> tuple[nn.Module, ...]:
        return (self.network_,)

    def _learned(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        learned = {"settled": self.settled_.to_dict(), "history": self.history_.to_dict()}
        return learned, arrays_of(self.network_, batch=self._judge(False), causal=self._judge(True))

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        settled = Settled.from_dict(learned["settled"])
        network = restored_network(self._design(settled), arrays, resolve_device(self.device))
        threshold, targets = resolve_threshold(self.threshold), len(settled.columns.targets)
        batch, causal = (
            restored_judge(kind, self.likelihood, threshold, targets, arrays) for kind in ("batch", "causal")
        )
        self._take(network, settled, restored_history(learned["history"]), (batch, causal))


def _window(context: int, method: Method) -> int:
    """Give the steps of a window: those that are read, and a season before them."""
    return context + (method.season if isinstance(method, Prediction) else 0)
