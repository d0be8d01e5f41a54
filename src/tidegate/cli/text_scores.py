"""A model of texts beside its baselines: what is held out, scores, and the report that shows them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tidegate._core.seeds import derive_seed
from tidegate.cli.classify_text_file import joined
from tidegate.cli.settings import fields_of, network_settings, versions
from tidegate.data.strata import stratified_holdout
from tidegate.metrics.class_scores import classification_scores
from tidegate.report.classification import ClassificationReport
from tidegate.report.examples import Example, notable
from tidegate.text.classifying.baselines import NaiveBayes
from tidegate.text.classifying.targets import Classes

if TYPE_CHECKING:
    from tidegate.data.text import Piece
    from tidegate.data.textfile import LabelledTexts
    from tidegate.text import TextClassifier

__all__ = ["cut", "report_of", "scored"]

_OWN = ("pooling", "dropout", "class_weight", "calibration", "members", "seed", "device")


def cut(data: LabelledTexts, share: float, seed: int) -> tuple[LabelledTexts, LabelledTexts, list[str]]:
    """Hold out a share of each class; texts that are the same lie on one side.

    Returns
    -------
    train, held : LabelledTexts
    notes : list of str
        How many texts repeat others, if any do.
    """
    labels = data.labels or []
    classes = Classes.of(labels)
    strata = classes.strata(classes.encode(labels))
    _, first, group = np.unique(np.array(data.texts, dtype=object), return_index=True, return_inverse=True)
    train, _ = stratified_holdout(strata[first], share, derive_seed(seed, "holdout"))
    inside = np.isin(group, train)
    repeated = len(data) - len(first)
    notes = [f"{repeated:,} texts repeat another; the same texts are held out together"] if repeated else []
    return data.take(np.flatnonzero(inside)), data.take(np.flatnonzero(~inside)), notes


def scored(
    model: TextClassifier, train: LabelledTexts, held: LabelledTexts, probabilities: npt.NDArray[Any]
) -> dict[str, dict[str, Any]]:
    """Score a model on held-out texts, and beside it the majority class and naive Bayes on words.

    Raises
    ------
    DataError
        If a held-out label was not seen in training.
    """
    classes = model.fitted_.classes
    names = list(map(str, classes.names))
    target = classes.encode(held.labels or [])
    marks = classes.encode(train.labels or [])
    shares = (marks if classes.several else np.eye(len(names))[marks]).mean(axis=0, dtype=np.float64)
    found = {
        "tidegate": probabilities,
        "majority": np.tile(shares, (len(held), 1)),
        "naive_bayes": NaiveBayes.of(train.texts, train.labels or [], classes).probabilities(held.texts),
    }
    return {name: classification_scores(target, each, names) for name, each in found.items()}


def report_of(
    model: TextClassifier,
    held: LabelledTexts,
    probabilities: npt.NDArray[Any],
    scores: dict[str, dict[str, Any]],
    *,
    title: str,
    notes: list[str],
) -> ClassificationReport:
    """Make the report of a fit from its scores on held-out texts."""
    losses = {name: model.history_[name] for name in model.history_ if name in ("loss", "val_loss")}
    facts: dict[str, object] = {"Tokens known": f"{len(model.fitted_.vocabulary.tokens):,}"}
    if model.wide is not None:
        facts["Share of the linear model"] = f"{100 * model.share_:.0f} %"
    return ClassificationReport(
        title=title,
        scores=scores,
        losses=losses,
        loss="cross-entropy",
        settings=_settings(model),
        facts=facts,
        examples=_examples(model, held, probabilities),
        notes=notes,
    )


def _examples(model: TextClassifier, held: LabelledTexts, probabilities: npt.NDArray[Any]) -> list[Example]:
    true = [joined(label) for label in _sorted(held.labels or [])]
    predicted = [joined(label) for label in model.decide(probabilities)]
    likely = np.maximum(probabilities, 1 - probabilities).prod(axis=1) if model.several_ else probabilities.max(axis=1)
    right = [mine == other for mine, other in zip(true, predicted, strict=True)]
    places = notable(right, likely)
    texts = [held.texts[place] for place in places]
    weighted = model.fitted_.attention(texts) if model.pooling == "attention" else [[] for _ in texts]
    return [
        Example(
            true=true[place],
            predicted=predicted[place],
            probability=float(likely[place]),
            pieces=_pieces(text, weights),
        )
        for place, text, weights in zip(places, texts, weighted, strict=True)
    ]


def _sorted(labels: list[Any]) -> list[Any]:
    return [sorted(label) if isinstance(label, list) else label for label in labels]


def _pieces(text: str, weights: list[tuple[Piece, float]]) -> list[tuple[str, float]]:
    """Cut a text into its tokens and what lies between them, so that all add up to it."""
    found, end = [], 0
    for piece, weight in weights:
        if piece.start > end:
            found.append((text[end : piece.start], 0.0))
        if piece.stop > max(piece.start, end):
            found.append((text[max(piece.start, end) : piece.stop], weight))
        end = max(end, piece.stop)
    return [*found, (text[end:], 0.0)] if end < len(text) else found


def _settings(model: TextClassifier) -> dict[str, dict[str, object]]:
    groups: dict[str, dict[str, object]] = {
        "Model": {name.replace("_", " "): getattr(model, name) for name in _OWN},
        "Tokens": fields_of(model.tokens),
        "Embedding": fields_of(model.embedding),
        **network_settings(model.network),
    }
    if model.wide is not None:
        groups["Linear model"] = fields_of(dataclasses.replace(model.wide, share=model.share_))
    groups["Training"] = fields_of(model.training) | {
        "epochs run": model.history_.epochs,
        "steps run": model.history_.steps,
    }
    return groups | {"Versions": versions()}
