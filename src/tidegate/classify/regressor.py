"""`SequenceRegressor`: a number for a whole series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tidegate._core.devices import resolve_device
from tidegate.classify.defaults import NETWORK, TRAINING
from tidegate.classify.examples import columns_of, numbers_of, require_width, said_of, weights_of
from tidegate.classify.fitted import FittedSeries, fine_tuned, fit_series
from tidegate.classify.recipe import Recipe
from tidegate.classify.teaching import Lesson
from tidegate.data.ragged import Ragged, RaggedExamples
from tidegate.data.sequences import SeriesLike, series_of
from tidegate.errors import DataError, ModelFileError
from tidegate.estimator import Estimator, register
from tidegate.estimator.tags import regressor_tags
from tidegate.estimator.teaching import Teacher
from tidegate.metrics.regression import mae, r2, rmse
from tidegate.specs import Columns, Training, checks
from tidegate.specs.augmentation import Augmentation
from tidegate.specs.parts import PARTS, Network
from tidegate.training.losses import resolve_loss
from tidegate.training.tuning import tuning

if TYPE_CHECKING:
    from torch import nn

    from tidegate.training import Callback, History

__all__ = ["SequenceRegressor"]


@register
class SequenceRegressor(Estimator):
    """Tell a number of whole series, of one or several channels, of unequal lengths, with missing values.

    Parameters
    ----------
    network, pooling, dropout, scaling, augmentation, training, members, seed, device
        As of `tidegate.SequenceClassifier`; the numbers of several members are averaged, and ``validation`` is a share
        of all examples.
    loss
        ``"mse"``, ``"mae"`` or ``"huber"``, of numbers in standard deviations of those of training.

    Attributes
    ----------
    columns_
        Of the table that was trained on, the numbers as its static column; ``None`` where it was none.
    history_
        The curve of the training, of the first member.

    Raises
    ------
    SpecError
        If an option cannot be.

    Examples
    --------
    >>> import tidegate as tg
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=40)
    >>> X = y[:, None] + rng.normal(size=(40, 12))
    >>> training = tg.Training(max_steps=100, learning_rate=0.01, validation=0)
    >>> model = tg.SequenceRegressor(network=tg.Recurrent(hidden_size=8), training=training).fit(X, y)
    >>> model.score(X, y) > 0.8
    True
    """

    kind: ClassVar[str] = "sequence_regressor"
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "network": PARTS,
        "augmentation": Augmentation,
        "training": Training,
    }

    fitted_: FittedSeries
    loc_: float
    scale_: float

    def __init__(
        self,
        *,
        network: Network = NETWORK,
        pooling: str = "mean",
        dropout: float = 0.0,
        scaling: str | None = "train",
        loss: str = "mse",
        augmentation: Augmentation | None = None,
        training: Training = TRAINING,
        members: int = 1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.network = network
        self.pooling = pooling
        self.dropout = dropout
        self.scaling = scaling
        self.loss = loss
        self.augmentation = augmentation
        self.training = training
        self.members = members
        self.seed = seed
        self.device = device
        checks.one_of("loss", loss, ("mse", "mae", "huber"))
        Recipe.of(self)  # which checks the rest

    def fit(
        self,
        X: SeriesLike,
        y: npt.ArrayLike | None = None,
        *,
        sample_weight: npt.ArrayLike | None = None,
        teacher: Teacher | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on series and their numbers.

        Parameters
        ----------
        X, sample_weight, callbacks
            As of `SequenceClassifier.fit`.
        y
            The numbers ``[series]``; ``None`` where ``X`` has them.
        teacher
            A fitted regressor, whose numbers, its members' mean, are learned from as well, by the same loss
            (Saputra et al., 2019).

        Raises
        ------
        ShapeError, DataError
            If series or numbers cannot be used; if all numbers are the same.
        SpecError
            If the teacher is of another kind, or has a temperature.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        sequences, given = said_of(X, y)
        numbers = numbers_of(given)
        weight = weights_of(sample_weight, len(numbers))
        loc, scale = float(numbers.mean()), float(numbers.std())
        if not scale > 1e-12 * abs(loc):
            raise DataError(f"all numbers are {numbers[0]:g}: there is nothing to learn; give others as well")
        fitted = fit_series(
            Recipe.of(self),
            RaggedExamples(sequences, (numbers - loc) / scale, weight),
            outputs=1,
            loss=self.loss,
            strata=np.zeros(len(numbers), np.int64),
            columns=columns_of(X),
            device=device,
            lesson=None if teacher is None else self._lesson(teacher, sequences, loc, scale),
            callbacks=callbacks,
        )
        self.fitted_, self.loc_, self.scale_ = fitted, loc, scale
        return self

    def fine_tune(
        self,
        X: SeriesLike,
        y: npt.ArrayLike | None = None,
        *,
        max_steps: int = 50,
        learning_rate: float | None = None,
        schedule: str | None = None,
        validation: float = 0.0,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train a little more, on these series: new ones, or those of training after units were pruned.

        Nothing is settled anew: scales and units stay. A saved file is left as it is, and a training that fails leaves
        the model as it was.

        Parameters
        ----------
        X, y
            As for `fit`; of as many channels.
        max_steps, learning_rate, schedule, validation, callbacks
            As of `SequenceClassifier.fine_tune`; ``validation`` is a share of all examples.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShapeError, DataError
            If series or numbers cannot be used.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        self._require_fitted("fine_tune")
        training = tuning(
            self.training, max_steps=max_steps, learning_rate=learning_rate, schedule=schedule, validation=validation
        )
        sequences, given = said_of(X, y, channels=self.fitted_.design.channels)
        numbers = numbers_of(given)
        self.fitted_ = fine_tuned(
            self.fitted_,
            RaggedExamples(sequences, (numbers - self.loc_) / self.scale_),
            loss=self.loss,
            strata=np.zeros(len(numbers), np.int64),
            training=training,
            seed=self.seed,
            callbacks=callbacks,
        )
        return self

    def predict(self, X: SeriesLike) -> npt.NDArray[np.float64]:
        """Give the number of each series, ``[series]``, in the units of training.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShapeError, DataError
            If the series cannot be used.
        """
        self._require_fitted("predict")
        return self._numbers(series_of(X, channels=self.fitted_.design.channels))

    def score(self, X: SeriesLike, y: npt.ArrayLike | None = None) -> float:
        """Give R², the share of the variance that is told; 1 is the most, 0 what the mean gives. As `evaluate`."""
        actual, predicted = self._compared("score", X, y)
        return float(r2(actual, predicted))

    def evaluate(self, X: SeriesLike, y: npt.ArrayLike | None = None) -> dict[str, Any]:
        """Score the model on series that it was not trained on.

        Returns
        -------
        dict
            ``examples``, ``R2``, ``MAE`` and ``RMSE`` in the units of training; ``None`` where undefined.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShapeError, DataError
            If series or numbers cannot be used.
        """
        return regression_scores(*self._compared("evaluate", X, y))

    @property
    def history_(self) -> History:
        """The curve of the training."""
        return self.fitted_.history

    @property
    def columns_(self) -> Columns | None:
        """The columns of the table that was trained on."""
        return self.fitted_.columns

    def _compared(
        self, action: str, X: SeriesLike, y: npt.ArrayLike | None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        self._require_fitted(action)
        sequences, given = said_of(X, y, channels=self.fitted_.design.channels)
        return numbers_of(given), self._numbers(sequences)

    def _lesson(self, teacher: Teacher, sequences: Ragged, loc: float, scale: float) -> Lesson:
        model = teacher.of(self)
        teacher.refuse_temperature("a number")
        require_width(sequences, model.fitted_.design.channels)

        def combined(outputs: Tensor) -> Tensor:
            return (outputs.mean(dim=0) * model.scale_ + (model.loc_ - loc)) / scale

        return Lesson(
            networks=model.fitted_.networks, combined=combined, loss=resolve_loss(self.loss), share=teacher.share
        )

    def _numbers(self, sequences: Ragged) -> npt.NDArray[np.float64]:
        outputs = self.fitted_.outputs(sequences).astype(np.float64)
        found: npt.NDArray[np.float64] = outputs.mean(axis=0)[:, 0] * self.scale_ + self.loc_
        return found

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what this is."""
        return regressor_tags(allow_nan=True)

    def _is_fitted(self) -> bool:
        return hasattr(self, "fitted_")

    def _networks(self) -> tuple[nn.Module, ...]:
        return (self.fitted_.networks,)

    def _learned(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        return {"loc": self.loc_, "scale": self.scale_, **self.fitted_.described()}, self.fitted_.arrays()

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        loc, scale = float(learned["loc"]), float(learned["scale"])
        if learned["outputs"] != 1 or not math.isfinite(loc) or not scale > 0:
            raise ModelFileError(f"{learned['outputs']} outputs in units of {scale} about {loc} tell no number")
        fitted = FittedSeries.restored(Recipe.of(self), learned, arrays, resolve_device(self.device))
        self.fitted_, self.loc_, self.scale_ = fitted, loc, scale


def regression_scores(actual: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Give the scores of numbers in types of JSON: ``None`` where undefined."""
    scores = {"R2": r2(actual, predicted), "MAE": mae(actual, predicted), "RMSE": rmse(actual, predicted)}
    plain = {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}
    return {"examples": len(actual), **plain}
