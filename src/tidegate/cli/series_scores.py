"""A model of whole series beside its baselines: scores, and the report that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate.classify import SequenceClassifier, SequenceRegressor
from tidegate.classify.baselines import class_shares, nearest, one_hot
from tidegate.classify.examples import numbers_of
from tidegate.classify.regressor import regression_scores
from tidegate.cli.settings import fields_of, network_settings, versions
from tidegate.metrics.class_scores import classification_scores
from tidegate.report.classification import ClassificationReport
from tidegate.report.examples import Example, notable
from tidegate.report.regression import RegressionReport

if TYPE_CHECKING:
    from tidegate.data import LabelledSeries

__all__ = ["report_of", "scored"]

_OWN = ("pooling", "dropout", "scaling", "class_weight", "calibration", "loss", "members", "seed", "device")


def scored(
    model: SequenceClassifier | SequenceRegressor, train: LabelledSeries, held: LabelledSeries
) -> dict[str, dict[str, Any]]:
    """Score a model on held-out series, and beside it the majority class or the mean, and the nearest neighbour.

    Raises
    ------
    DataError
        If a held-out class was not seen in training.
    """
    assert train.labels is not None
    assert held.labels is not None
    own = model.evaluate(held)
    neighbours = nearest(train.sequences, held.sequences)
    if isinstance(model, SequenceRegressor):
        actual, known = numbers_of(held.labels), numbers_of(train.labels)
        mean = np.full(len(actual), known.mean())
        return {
            "tidegate": own,
            "mean": regression_scores(actual, mean),
            "nearest": regression_scores(actual, known[neighbours]),
        }
    labels = model.labels_
    codes, known_codes, classes = labels.encode(held.labels), labels.encode(train.labels), len(labels)
    names = list(map(str, labels.names))
    shares = class_shares(known_codes, classes, len(codes))
    return {
        "tidegate": own,
        "majority": classification_scores(codes, shares, names),
        "nearest": classification_scores(codes, one_hot(known_codes[neighbours], classes), names),
    }


def report_of(
    model: SequenceClassifier | SequenceRegressor,
    held: LabelledSeries,
    scores: dict[str, dict[str, Any]],
    *,
    title: str,
) -> ClassificationReport | RegressionReport:
    """Make the report of a fit from its scores on held-out series."""
    losses = {name: model.history_[name] for name in model.history_ if name in ("loss", "val_loss")}
    settings = _settings(model)
    if isinstance(model, SequenceRegressor):
        assert held.labels is not None
        return RegressionReport(
            title=title,
            scores=scores,
            actual=numbers_of(held.labels),
            predicted=model.predict(held),
            losses=losses,
            loss=model.loss,
            settings=settings,
        )
    return ClassificationReport(
        title=title,
        scores=scores,
        losses=losses,
        loss="cross-entropy",
        settings=settings,
        facts={"Channels": len(held.channels)},
        examples=_examples(model, held),
    )


def _examples(model: SequenceClassifier, held: LabelledSeries) -> list[Example]:
    assert held.labels is not None
    codes, probabilities = model.labels_.encode(held.labels), model.predict_proba(held)
    predicted = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    names = list(map(str, model.labels_.names))
    return [
        Example(
            true=names[codes[place]],
            predicted=names[predicted[place]],
            probability=float(sure[place]),
            series=held.sequences[place],
            channels=held.channels,
        )
        for place in notable(predicted == codes, sure)
    ]


def _settings(model: SequenceClassifier | SequenceRegressor) -> dict[str, dict[str, object]]:
    own = {name.replace("_", " "): getattr(model, name) for name in _OWN if hasattr(model, name)}
    groups: dict[str, dict[str, object]] = {"Model": own, **network_settings(model.network)}
    if model.augmentation is not None:
        groups["Augmentation"] = fields_of(model.augmentation)
    groups["Training"] = fields_of(model.training) | {
        "epochs run": model.history_.epochs,
        "steps run": model.history_.steps,
    }
    return groups | {"Versions": versions()}
