"""`TextClassifier`: a class, or several labels, for a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from tidegate._core.devices import resolve_device
from tidegate.data.text import TextLike, read_texts
from tidegate.data.textfile import LabelledTexts
from tidegate.errors import DataError
from tidegate.estimator import Estimator, register
from tidegate.estimator.teaching import Teacher
from tidegate.metrics.class_scores import classification_scores
from tidegate.metrics.classification import accuracy
from tidegate.specs import Recurrent, Training
from tidegate.specs.parts import PARTS, Network
from tidegate.specs.text import Embedding, TextColumns, Wide
from tidegate.specs.tokens import Tokens
from tidegate.text.classifying.fitted import FittedTexts
from tidegate.text.classifying.fitting import fine_tuned, fit_texts
from tidegate.text.classifying.learned import described, restored
from tidegate.text.classifying.recipe import ClassWeight, Recipe
from tidegate.text.classifying.targets import labels_column, require_known
from tidegate.text.classifying.teaching import Lesson
from tidegate.training.tuning import tuning

if TYPE_CHECKING:
    from torch import nn

    from tidegate.data.labels import Label
    from tidegate.training import Callback, History

__all__ = ["TextClassifier"]

_LIKELY = 0.5  # from which probability on a label of several is given


@register
class TextClassifier(Estimator):
    """Tell what texts are: one class of two or more, or any number of labels.

    Recurrent layers read the tokens of a text, attention pools what they make of them (Yang et al., 2016), and beside
    them a linear model counts n-grams (Wang & Manning, 2012). Which of both counts how much is chosen on the validation
    examples.

    Parameters
    ----------
    tokens
        How a text is cut into words, characters or parts of words.
    embedding
        The vectors that stand for tokens: drawn, or from a file of GloVe or word2vec.
    network
        The recurrent layers, or a tuple of parts.
    pooling
        What becomes one vector of the outputs of all steps: ``"last"``, ``"mean"``, ``"max"``, ``"mean_max"`` or
        ``"attention"``.
    wide
        The linear model beside the network; ``None`` for none.
    dropout
        Probability of zeroing an element of the embeddings, of the network's output, and of the pooled vector.
    class_weight
        ``"balanced"``: all classes count alike in training, however few examples they have, and of several labels
        having and lacking each; or a weight for each class or label by name (1 for others), ``{"spam": 2}``.
    calibration
        Share of the examples that is kept apart, to make probabilities as sure as they are right, by temperature
        scaling (Guo et al., 2017); 0 for none.
    training
        How the networks are trained. ``validation`` is the share of each class that stops the training early and
        chooses how much the linear model counts.
    members
        How many networks, which differ in their seeds; probabilities are their mean.
    seed
        Same seed, same data, same machine: same bits.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Attributes
    ----------
    classes_
        The classes or labels, sorted, ``[class]``.
    several_
        Whether an example may have any number of labels, as lists of labels in training say.
    share_
        Of the linear model in the mixture, 0 to 1.
    temperature_
        What logits are divided by; 1 without calibration.
    columns_
        Of the file that was trained on; ``None`` where it was none.
    notes_
        What was noticed in the training texts.
    history_
        The curve of the training, of the first member.

    Raises
    ------
    SpecError
        If an option cannot be.

    Examples
    --------
    >>> import tidegate as tg
    >>> texts = ["win a prize now", "call now to win", "see you at home", "home by seven"] * 5
    >>> labels = ["spam", "spam", "ham", "ham"] * 5
    >>> training = tg.Training(epochs=20, batch_size=4, learning_rate=0.01, validation=0)
    >>> model = tg.TextClassifier(network=tg.Recurrent(hidden_size=8), training=training, device="cpu")
    >>> model.fit(texts, labels).predict(["win now", "see you by seven"]).tolist()
    ['spam', 'ham']
    """

    kind: ClassVar[str] = "text_classifier"
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "tokens": Tokens,
        "embedding": Embedding,
        "network": PARTS,
        "wide": Wide,
        "training": Training,
    }
    optional: ClassVar[frozenset[str]] = frozenset({"wide"})

    fitted_: FittedTexts

    def __init__(
        self,
        *,
        tokens: Tokens = Tokens(),
        embedding: Embedding = Embedding(),
        network: Network = Recurrent(hidden_size=64, bidirectional=True),
        pooling: str = "attention",
        wide: Wide | None = Wide(),
        dropout: float = 0.5,
        class_weight: ClassWeight = None,
        calibration: float = 0.0,
        training: Training = Training(epochs=20, patience=3),
        members: int = 1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.tokens = tokens
        self.embedding = embedding
        self.network = network
        self.pooling = pooling
        self.wide = wide
        self.dropout = dropout
        self.class_weight = class_weight
        self.calibration = calibration
        self.training = training
        self.members = members
        self.seed = seed
        self.device = device
        _ = self._recipe  # which checks them

    def fit(
        self,
        texts: TextLike | LabelledTexts,
        labels: Iterable[Any] | None = None,
        *,
        teacher: Teacher | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on texts and what they are.

        Parameters
        ----------
        texts
            A list, an array or a column of a data frame; `tidegate.data.LabelledTexts`, as ``read_text_csv`` gives
            them.
        labels
            For each text its class: text, whole number or boolean; or the list of its labels, which may be empty.
            ``None`` where ``texts`` has them.
        teacher
            A fitted classifier of the same classes, whose probabilities, linear model included, the networks learn
            from as well.
        callbacks
            For the training of each member.

        Raises
        ------
        DataError
            If a text is missing or empty, holds a NUL character or what is no character; if a label is missing, or
            there is only one class, or the teacher has others.
        SpecError
            If the teacher is of another kind.
        ShapeError
            If there are more or fewer labels than texts.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        given, said = _said(texts, labels)
        columns = texts.columns if isinstance(texts, LabelledTexts) else None
        lesson = None if teacher is None else Lesson(fitted=teacher.of(self).fitted_, terms=teacher)
        self.fitted_ = fit_texts(
            self._recipe, given, said, columns=columns, device=device, lesson=lesson, callbacks=callbacks
        )
        return self

    def fine_tune(
        self,
        texts: TextLike | LabelledTexts,
        labels: Iterable[Any] | None = None,
        *,
        max_steps: int = 50,
        learning_rate: float | None = None,
        schedule: str | None = None,
        validation: float = 0.0,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train the networks a little more, on these texts: new ones, or those of training after units were pruned.

        Nothing is settled anew: vocabulary, classes, the linear model and its share, and the temperature stay. A saved
        file is left as it is, and a training that fails leaves the model as it was.

        Parameters
        ----------
        texts, labels
            As for `fit`; of the same classes or labels, or some of them.
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
        DataError, ShapeError
            If texts or labels cannot be used; if a label was not seen in training.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        self._require_fitted("fine_tune")
        training = tuning(
            self.training, max_steps=max_steps, learning_rate=learning_rate, schedule=schedule, validation=validation
        )
        given, said = _said(texts, labels)
        if isinstance(texts, LabelledTexts):
            require_known(texts, self.fitted_.classes)
        self.fitted_ = fine_tuned(self.fitted_, self._recipe, given, said, training=training, callbacks=callbacks)
        return self

    def predict(self, texts: TextLike | LabelledTexts) -> npt.NDArray[Any] | list[list[Label]]:
        """Give the likeliest class of each text, ``[text]``; of several labels the list of those that are likely.

        A label is likely from a probability of ½ on. Raises as `predict_proba`.
        """
        return self.decide(self.predict_proba(texts))

    def decide(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[Any] | list[list[Label]]:
        """Give what `predict` gives for texts of these probabilities, ``[text, class]``."""
        self._require_fitted("decide")
        if self.several_:
            return [
                [self.fitted_.classes.names[code] for code in np.flatnonzero(row >= _LIKELY)] for row in probabilities
            ]
        likeliest: npt.NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return likeliest

    def predict_proba(self, texts: TextLike | LabelledTexts) -> npt.NDArray[np.float64]:
        """Give the probability of each class or label, in the order of ``classes_``.

        Parameters
        ----------
        texts
            As for `fit`.

        Returns
        -------
        ndarray
            ``[text, class]``; rows sum to 1 unless there may be several labels.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If a text cannot be used.
        """
        self._require_fitted("predict")
        return self.fitted_.probabilities(_texts(texts))

    def score(self, texts: TextLike | LabelledTexts, labels: Iterable[Any] | None = None) -> float:
        """Give the accuracy, the share of texts that are right, 0 to 1; of several labels all must be.

        Raises as `evaluate`.
        """
        probabilities, target = self._compared("score", texts, labels)
        predicted = (probabilities >= _LIKELY).astype(np.int64) if self.several_ else probabilities.argmax(axis=1)
        return accuracy(target, predicted)

    def evaluate(self, texts: TextLike | LabelledTexts, labels: Iterable[Any] | None = None) -> dict[str, Any]:
        """Score the model on texts that it was not trained on.

        Parameters
        ----------
        texts, labels
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
        DataError, ShapeError
            If texts or labels cannot be used; if a label was not seen in training.
        """
        probabilities, target = self._compared("evaluate", texts, labels)
        return classification_scores(target, probabilities, list(map(str, self.fitted_.classes.names)))

    def attention(self, texts: TextLike | LabelledTexts) -> list[list[tuple[str, float]]]:
        """Give the tokens of each text, each with the weight that the networks give it, the mean over members.

        Weights are at least 0 and sum to 1 a text. They say where the networks look, not which class a token speaks
        for, and nothing of the linear model.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If a text cannot be used.
        UnsupportedError
            If tokens are pooled otherwise than by attention.
        """
        self._require_fitted("attention")
        return [[(piece.token, weight) for piece, weight in each] for each in self.fitted_.attention(_texts(texts))]

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The classes or labels, sorted."""
        names = self.fitted_.classes.names
        return np.array(names, object if isinstance(names[0], str) else None)

    @property
    def several_(self) -> bool:
        """Whether an example may have any number of labels."""
        return self.fitted_.classes.several

    @property
    def share_(self) -> float:
        """The share of the linear model in the mixture."""
        return self.fitted_.share

    @property
    def temperature_(self) -> float:
        """What logits are divided by."""
        return self.fitted_.temperature

    @property
    def columns_(self) -> TextColumns | None:
        """The columns of the file that was trained on."""
        return self.fitted_.columns

    @property
    def notes_(self) -> tuple[str, ...]:
        """What was noticed in the training texts."""
        return self.fitted_.notes

    @property
    def history_(self) -> History:
        """The curve of the training."""
        return self.fitted_.history

    @property
    def _recipe(self) -> Recipe:
        return Recipe(
            tokens=self.tokens,
            embedding=self.embedding,
            network=self.network,
            pooling=self.pooling,
            wide=self.wide,
            dropout=self.dropout,
            class_weight=self.class_weight,
            calibration=self.calibration,
            training=self.training,
            members=self.members,
            seed=self.seed,
        )

    def _compared(
        self, action: str, texts: TextLike | LabelledTexts, labels: Iterable[Any] | None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
        self._require_fitted(action)
        given, said = _said(texts, labels)
        if isinstance(texts, LabelledTexts):
            require_known(texts, self.fitted_.classes)
        target = self.fitted_.classes.encode(said)
        return self.fitted_.probabilities(given), target

    def _is_fitted(self) -> bool:
        return hasattr(self, "fitted_")

    def _networks(self) -> tuple[nn.Module, ...]:
        return (self.fitted_.networks,)

    def _learned(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        return described(self.fitted_), self.fitted_.arrays()

    def _shortened(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        wide = self.fitted_.wide
        fitted = dataclasses.replace(self.fitted_, wide=None if wide is None else wide.shortened())
        return described(fitted), fitted.arrays()

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.fitted_ = restored(self._recipe, learned, arrays, resolve_device(self.device))


def _texts(given: TextLike | LabelledTexts) -> list[str]:
    return given.texts if isinstance(given, LabelledTexts) else read_texts(given)


def _said(texts: TextLike | LabelledTexts, labels: Iterable[Any] | None) -> tuple[list[str], list[Any]]:
    """Read texts with their labels, which either stand in ``texts`` or are ``labels``."""
    own = texts.labels if isinstance(texts, LabelledTexts) else None
    if own is not None and labels is not None:
        raise DataError("the texts have labels of their own; leave labels out, or give texts without any")
    said = labels if own is None else own
    if said is None:
        raise DataError("expected a label for each text; got none: give labels")
    given = _texts(texts)
    return given, labels_column(said, len(given))
