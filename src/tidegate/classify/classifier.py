"""`SequenceClassifier`: a class for a whole series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from tidegate._core.devices import resolve_device
from tidegate._core.seeds import derive_seed
from tidegate.classify.defaults import NETWORK, TRAINING
from tidegate.classify.examples import columns_of, require_width, said_of, weights_of
from tidegate.classify.fitted import FittedSeries, fine_tuned, fit_series
from tidegate.classify.recipe import Recipe
from tidegate.classify.teaching import Lesson
from tidegate.data.labels import Label, Labels, balanced_weights
from tidegate.data.ragged import Ragged, RaggedExamples
from tidegate.data.sequences import SeriesLike, series_of
from tidegate.data.strata import stratified_holdout
from tidegate.errors import ModelFileError
from tidegate.estimator import Estimator, register
from tidegate.estimator.tags import classifier_tags
from tidegate.estimator.teaching import Teacher
from tidegate.metrics.class_scores import classification_scores
from tidegate.metrics.classification import accuracy
from tidegate.nn.temperature import fit_temperature
from tidegate.specs import Columns, Training, checks
from tidegate.specs.augmentation import Augmentation
from tidegate.specs.parts import PARTS, Network
from tidegate.training.distillation import soft_cross_entropy
from tidegate.training.tuning import tuning

if TYPE_CHECKING:
    from torch import nn

    from tidegate.training import Callback, History

__all__ = ["SequenceClassifier"]


@register
class SequenceClassifier(Estimator):
    """Tell the class of whole series, of one or several channels, of unequal lengths, with missing values.

    Parameters
    ----------
    network
        The recurrent layers, or a tuple of parts; the default is LSTM-FCN (Karim et al., 2018): a recurrent layer
        beside convolutions.
    pooling
        What becomes one vector of the outputs of all steps: ``"last"``, ``"mean"``, ``"max"``, ``"mean_max"`` or
        ``"attention"``.
    dropout
        Probability of zeroing an element of the network's output, and of the pooled vector.
    scaling
        ``"train"``: each channel by its mean and standard deviation over all of training; ``"series"``: each series
        and channel by its own; ``None``: not at all.
    class_weight
        ``"balanced"``: all classes count alike in the loss, however few examples they have; ``None``: all examples do.
    calibration
        Share of the examples that is kept apart, to make probabilities as sure as they are right, by temperature
        scaling (Guo et al., 2017); 0 for none.
    augmentation
        How examples are changed at random in training.
    training
        How the networks are trained. Without ``epochs`` and ``max_steps``, sixty passes, of at least 800 and at most
        2000 steps. ``validation`` is the share of each class that stops the training early.
    members
        How many networks, which differ in their seeds; probabilities are their mean.
    seed
        Same seed, same data, same machine: same bits.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Attributes
    ----------
    classes_
        The classes, sorted, ``[class]``.
    temperature_
        What logits are divided by; 1 without calibration.
    columns_
        Of the table that was trained on, the label as its static column; ``None`` where it was none.
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
    >>> X = rng.normal(size=(40, 12, 1)) + np.repeat([0, 2], 20)[:, None, None]
    >>> y = np.repeat(["low", "high"], 20)
    >>> training = tg.Training(max_steps=100, learning_rate=0.01, validation=0)
    >>> model = tg.SequenceClassifier(network=tg.Recurrent(hidden_size=8), training=training).fit(X, y)
    >>> model.predict(X[[0, -1]]).tolist()
    ['low', 'high']
    """

    kind: ClassVar[str] = "sequence_classifier"
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "network": PARTS,
        "augmentation": Augmentation,
        "training": Training,
    }

    fitted_: FittedSeries
    labels_: Labels
    temperature_: float

    def __init__(
        self,
        *,
        network: Network = NETWORK,
        pooling: str = "mean",
        dropout: float = 0.0,
        scaling: str | None = "train",
        class_weight: str | None = None,
        calibration: float = 0.0,
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
        self.class_weight = class_weight
        self.calibration = calibration
        self.augmentation = augmentation
        self.training = training
        self.members = members
        self.seed = seed
        self.device = device
        checks.one_of("class_weight", class_weight, (None, "balanced"))
        checks.probability("calibration", calibration)
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
        """Train on series and their classes.

        Parameters
        ----------
        X
            An array ``[series, time, channel]``, or ``[series, time]`` of one channel; a list of arrays
            ``[time, channel]`` of unequal lengths; `tidegate.data.LabelledSeries`, as ``read_ts`` gives them. NaN is
            a missing value.
        y
            The classes ``[series]``: texts, whole numbers or booleans; ``None`` where ``X`` has them.
        sample_weight
            How much each counts in the loss, ``[series]``.
        teacher
            A fitted classifier of the same classes, whose probabilities, its members' mean, are learned from as well.
        callbacks
            For the training of each member.

        Raises
        ------
        ShapeError, DataError
            If series or classes cannot be used, as `tidegate.data.series_of` says; if there is only one class, or the
            teacher has others.
        SpecError
            If the teacher is of another kind.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        sequences, given = said_of(X, y)
        labels = Labels.of(given)
        codes = labels.encode(given)
        weight = weights_of(sample_weight, len(codes))
        rows = np.arange(len(codes))
        apart = rows[:0]
        if self.calibration:
            rows, apart = stratified_holdout(codes, self.calibration, derive_seed(self.seed, "calibration"))
        if self.class_weight is not None:
            weight = (1.0 if weight is None else weight) * balanced_weights(codes[rows], len(labels))[codes]
        fitted = fit_series(
            Recipe.of(self),
            RaggedExamples(sequences, codes, weight).subset(rows),
            outputs=len(labels),
            loss="cross_entropy",
            strata=codes[rows],
            columns=columns_of(X),
            device=device,
            metrics=("accuracy",),
            lesson=None if teacher is None else self._lesson(teacher, sequences, labels),
            callbacks=callbacks,
        )
        temperature = 1.0
        if apart.size:
            temperature = fit_temperature(_logits(fitted.outputs(sequences.take(apart))), codes[apart])
        self._take(fitted, labels, temperature)
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

        Nothing is settled anew: classes, scales and temperature stay. A saved file is left as it is, and a training
        that fails leaves the model as it was.

        Parameters
        ----------
        X, y
            As for `fit`; of as many channels, of the same classes or some of them.
        max_steps
            Optimiser steps.
        learning_rate
            ``None``: a tenth of ``training.learning_rate``. What was pruned wants more, such as a third.
        schedule
            Of the rate, as in `Training`; ``None`` leaves it constant.
        validation
            Share of each class that is not trained on: the weights that tell them best are kept, those from before
            among them, and ``training.patience`` ends the training. 0 for none.
        callbacks
            For the training of each member.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShapeError, DataError
            If series or classes cannot be used; if a class was not seen in training.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        self._require_fitted("fine_tune")
        training = tuning(
            self.training, max_steps=max_steps, learning_rate=learning_rate, schedule=schedule, validation=validation
        )
        sequences, given = said_of(X, y, channels=self.fitted_.design.channels)
        codes = self.labels_.encode(given)
        weight = None if self.class_weight is None else balanced_weights(codes, len(self.labels_))[codes]
        self.fitted_ = fine_tuned(
            self.fitted_,
            RaggedExamples(sequences, codes, weight),
            loss="cross_entropy",
            strata=codes,
            training=training,
            seed=self.seed,
            metrics=("accuracy",),
            callbacks=callbacks,
        )
        return self

    def predict(self, X: SeriesLike) -> npt.NDArray[Any]:
        """Give the likeliest class of each series, ``[series]``, as it was called in training. As `predict_proba`."""
        codes = self.predict_proba(X).argmax(axis=1)
        return self.labels_.decode(codes)

    def predict_proba(self, X: SeriesLike) -> npt.NDArray[np.float64]:
        """Give the probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X
            As for `fit`; of as many channels.

        Returns
        -------
        ndarray
            ``[series, class]``; rows sum to 1.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShapeError, DataError
            If the series cannot be used.
        """
        self._require_fitted("predict")
        return self._probabilities(series_of(X, channels=self.fitted_.design.channels))

    def score(self, X: SeriesLike, y: npt.ArrayLike | None = None) -> float:
        """Give the accuracy, the share of series whose class is right. As `evaluate`."""
        sequences, codes = self._compared("score", X, y)
        return accuracy(codes, self._probabilities(sequences).argmax(axis=1))

    def evaluate(self, X: SeriesLike, y: npt.ArrayLike | None = None) -> dict[str, Any]:
        """Score the model on series that it was not trained on.

        Parameters
        ----------
        X, y
            As for `fit`.

        Returns
        -------
        dict
            As `tidegate.metrics.classification_scores` gives it: accuracy, precision, recall and F1, log loss, Brier
            score, calibration error, the confusion matrix, and scores of each class.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        ShapeError, DataError
            If series or classes cannot be used; if a class was not seen in training.
        """
        sequences, codes = self._compared("evaluate", X, y)
        return classification_scores(codes, self._probabilities(sequences), list(map(str, self.labels_.names)))

    @property
    def history_(self) -> History:
        """The curve of the training."""
        return self.fitted_.history

    @property
    def columns_(self) -> Columns | None:
        """The columns of the table that was trained on."""
        return self.fitted_.columns

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The classes, sorted."""
        return self.labels_.decode(np.arange(len(self.labels_)))

    def _compared(self, action: str, X: SeriesLike, y: npt.ArrayLike | None) -> tuple[Ragged, npt.NDArray[np.int64]]:
        self._require_fitted(action)
        sequences, given = said_of(X, y, channels=self.fitted_.design.channels)
        return sequences, self.labels_.encode(given)

    def _lesson(self, teacher: Teacher, sequences: Ragged, labels: Labels) -> Lesson:
        model = teacher.of(self)
        teacher.require_classes(model.labels_.names, labels.names)
        require_width(sequences, model.fitted_.design.channels)

        def combined(outputs: torch.Tensor) -> torch.Tensor:
            return _mean_logits(outputs) / model.temperature_

        return Lesson(
            networks=model.fitted_.networks,
            combined=combined,
            loss=soft_cross_entropy(teacher.softness),
            share=teacher.share,
        )

    def _probabilities(self, sequences: Ragged) -> npt.NDArray[np.float64]:
        logits = torch.from_numpy(_logits(self.fitted_.outputs(sequences)))
        found: npt.NDArray[np.float64] = torch.softmax(logits / self.temperature_, dim=1).numpy()
        return found

    def _take(self, fitted: FittedSeries, labels: Labels, temperature: float) -> None:
        self.fitted_, self.labels_, self.temperature_ = fitted, labels, temperature

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what this is."""
        return classifier_tags(allow_nan=True)

    def _is_fitted(self) -> bool:
        return hasattr(self, "fitted_")

    def _networks(self) -> tuple[nn.Module, ...]:
        return (self.fitted_.networks,)

    def _learned(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        learned = {"labels": list(self.labels_.names), "temperature": self.temperature_, **self.fitted_.described()}
        return learned, self.fitted_.arrays()

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        names: list[Label] = list(learned["labels"])
        labels, temperature = Labels.of(names), float(learned["temperature"])
        if list(labels.names) != names or len(names) != learned["outputs"] or not temperature > 0:
            raise ModelFileError(f"{len(names)} classes and a temperature of {temperature} do not fit the outputs")
        fitted = FittedSeries.restored(Recipe.of(self), learned, arrays, resolve_device(self.device))
        self._take(fitted, labels, temperature)


def _logits(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Give the logarithm of the mean probability over members, ``[series, class]``."""
    found: npt.NDArray[np.float64] = _mean_logits(torch.from_numpy(outputs).double()).numpy()
    return found


def _mean_logits(outputs: torch.Tensor) -> torch.Tensor:
    """Give the logarithm of the mean probability over members of logits ``[member, series, class]``."""
    return torch.log_softmax(outputs, dim=2).logsumexp(dim=0) - math.log(len(outputs))
