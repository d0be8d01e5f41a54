"""From texts with labels to trained networks and the linear model beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tidegate._core.seeds import derive_seed
from tidegate.data.batches import IntArray
from tidegate.data.embeddings import read_embeddings
from tidegate.data.ngrams import MOST_CHARACTERS
from tidegate.data.ragged import RaggedExamples
from tidegate.data.strata import stratified_holdout
from tidegate.data.text import LONGEST_WORD, Tokenizer
from tidegate.data.vocabulary import PADDING, TokenVocabulary
from tidegate.errors import DataError
from tidegate.nn.temperature import fit_temperature
from tidegate.specs import Training
from tidegate.specs.text import TextColumns, Wide
from tidegate.text.classifying.fitted import FittedTexts
from tidegate.text.classifying.mixture import chosen_share, member_logits
from tidegate.text.classifying.network import TextNetwork
from tidegate.text.classifying.recipe import Recipe
from tidegate.text.classifying.targets import Classes
from tidegate.text.classifying.teaching import Lesson
from tidegate.text.classifying.wide import WideModel, WideTexts, fit_wide
from tidegate.training import Callback, Supervised
from tidegate.training.members import member_outputs, train_members
from tidegate.training.tuning import tune_members

__all__ = ["fine_tuned", "fit_texts"]

Floats = npt.NDArray[np.float64]

_FAMILIAR = 20_000  # words of an embeddings file, from its beginning, that are known although training lacks them
_EVEN = 0.5  # share of the linear model where nothing can choose it


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Rows:
    """Which texts serve which purpose."""

    train: IntArray
    held: IntArray  # stops the training, chooses the mixture
    apart: IntArray  # sets the temperature

    @classmethod
    def of(cls, recipe: Recipe, strata: IntArray) -> _Rows:
        train = np.arange(len(strata))
        held = apart = train[:0]
        if recipe.calibration:
            train, apart = stratified_holdout(strata, recipe.calibration, derive_seed(recipe.seed, "calibration"))
        if recipe.training.validation:
            seed = derive_seed(recipe.seed, "validation")
            kept, chosen = stratified_holdout(strata[train], recipe.training.validation, seed)
            train, held = train[kept], train[chosen]
        return cls(train=train, held=held, apart=apart)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Material:
    """Texts, cut into tokens, and what is said of them."""

    texts: Sequence[str]
    tokens: list[list[str]]
    target: npt.NDArray[Any]
    weight: Floats | None  # of training texts; 1 elsewhere

    def take(self, rows: IntArray) -> _Material:
        return _Material(
            texts=[self.texts[row] for row in rows.tolist()],
            tokens=[self.tokens[row] for row in rows.tolist()],
            target=self.target[rows],
            weight=None if self.weight is None else self.weight[rows],
        )

    def examples(self, vocabulary: TokenVocabulary) -> RaggedExamples:
        return RaggedExamples(vocabulary.codes(self.tokens), self.target, self.weight, fill=PADDING)


def fit_texts(
    recipe: Recipe,
    texts: Sequence[str],
    labels: Sequence[Any],
    *,
    columns: TextColumns | None,
    device: torch.device,
    lesson: Lesson | None = None,
    callbacks: Sequence[Callback] = (),
) -> FittedTexts:
    """Settle classes and vocabulary, train the networks, fit the linear model, mix, calibrate.

    The networks learn from a teacher too where there is a ``lesson``; the linear model learns from the labels alone.

    Raises
    ------
    DataError
        If labels cannot be used, or no token is known; if the teacher has other classes.
    FileFormatError
        If the file of embeddings cannot be read.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    classes = Classes.of(labels)
    if lesson is not None:
        lesson.require(classes)
    target = classes.encode(labels)
    rows = _Rows.of(recipe, classes.strata(target))
    tokenizer = Tokenizer.of(recipe.tokens, [texts[row] for row in rows.train.tolist()])
    characters = recipe.wide is not None and recipe.wide.characters is not None
    tokens, notes = _read(texts, tokenizer, characters=characters)
    material = _Material(texts=texts, tokens=tokens, target=target, weight=None)
    train = dataclasses.replace(
        material.take(rows.train), weight=classes.weights(target[rows.train], recipe.class_weight)
    )
    fitted = _trained(recipe, train, material.take(rows.held), classes, tokenizer, device, lesson, callbacks)
    fitted = dataclasses.replace(fitted, columns=columns, notes=notes)
    if recipe.wide is not None:
        fitted = _with_wide(fitted, recipe, material, rows)
    if rows.apart.size:
        logits = fitted.logits([texts[row] for row in rows.apart.tolist()])
        temperature = fit_temperature(logits, target[rows.apart], multi_label=classes.several)
        fitted = dataclasses.replace(fitted, temperature=temperature)
    return fitted


def fine_tuned(
    fitted: FittedTexts,
    recipe: Recipe,
    texts: Sequence[str],
    labels: Sequence[Any],
    *,
    training: Training,
    callbacks: Sequence[Callback] = (),
) -> FittedTexts:
    """Train copies of the networks further; vocabulary, classes, linear model, share and temperature stay.

    Raises
    ------
    DataError
        If a label was not seen in training, or no example can be held out.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    classes = fitted.classes
    target = classes.encode(labels)
    material = _Material(
        texts=texts,
        tokens=[fitted.tokenizer.tokens(text) for text in texts],
        target=target,
        weight=classes.weights(target, recipe.class_weight),
    )
    examples, held = material.examples(fitted.vocabulary), None
    if training.validation:
        seed = derive_seed(recipe.seed, "validation")
        kept, apart = stratified_holdout(classes.strata(target), training.validation, seed)
        examples, held = examples.subset(kept), examples.subset(apart)
    networks, history = tune_members(
        fitted.networks,
        examples,
        _objective(classes),
        validation=held,
        training=training,
        seed=recipe.seed,
        metrics=_metrics(classes),
        callbacks=lambda: callbacks,
    )
    return dataclasses.replace(fitted, networks=networks, history=history)


def _objective(classes: Classes) -> Supervised:
    return Supervised("binary_cross_entropy" if classes.several else "cross_entropy")


def _metrics(classes: Classes) -> tuple[str, ...]:
    return () if classes.several else ("accuracy",)


def _read(texts: Sequence[str], tokenizer: Tokenizer, *, characters: bool) -> tuple[list[list[str]], tuple[str, ...]]:
    """Cut texts into tokens, and say how many hold more than is read of them."""
    read = [tokenizer.read(text) for text in texts]
    cut = sum(more or (characters and len(text) > MOST_CHARACTERS) for text, (_, more) in zip(texts, read, strict=True))
    if not cut:
        return [tokens for tokens, _ in read], ()
    spec = tokenizer.spec
    limits = [f"{spec.length:,} {spec.unit}"]
    limits += [f"{LONGEST_WORD} characters of a word"] * (spec.unit != "characters")
    limits += [f"{MOST_CHARACTERS:,} characters for n-grams"] * characters
    note = f"{cut:,} of {len(texts):,} texts hold more than is read of them: {', '.join(limits)}"
    return [tokens for tokens, _ in read], (note,)


def _trained(
    recipe: Recipe,
    train: _Material,
    held: _Material,
    classes: Classes,
    tokenizer: Tokenizer,
    device: torch.device,
    lesson: Lesson | None,
    callbacks: Sequence[Callback],
) -> FittedTexts:
    known, vectors = _embeddings(recipe, train.tokens)
    spec = recipe.tokens
    vocabulary = TokenVocabulary.of(train.tokens, minimum=spec.minimum, most=spec.max_vocabulary, more=known)
    size = recipe.embedding.size if vectors is None else vectors.shape[1]
    design = recipe.design(codes=len(vocabulary), size=size, outputs=len(classes.names))

    def make() -> nn.Module:
        network = TextNetwork(design)
        if vectors is not None:
            network.lay_in(vocabulary.rows(known), vectors)
        return network

    examples = train.examples(vocabulary)
    objective = _objective(classes)
    networks, history = train_members(
        make,
        examples if lesson is None else lesson.answered(examples, train.texts),
        objective if lesson is None else lesson.objective(objective),
        validation=held.examples(vocabulary) if held.texts else None,
        training=recipe.training,
        members=recipe.members,
        seed=recipe.seed,
        device=device,
        metrics=_metrics(classes),
        callbacks=lambda: callbacks,
    )
    marks = train.target if classes.several else np.eye(len(classes.names))[train.target]
    return FittedTexts(
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        classes=classes,
        design=design,
        networks=networks,
        wide=None,
        share=0.0,
        temperature=1.0,
        frequencies=marks.mean(axis=0, dtype=np.float64),
        history=history,
        columns=None,
        notes=(),
    )


def _with_wide(fitted: FittedTexts, recipe: Recipe, material: _Material, rows: _Rows) -> FittedTexts:
    """Fit the linear model on the training texts, choose what is left open, then fit it on all but those apart."""
    assert recipe.wide is not None
    spec, classes = recipe.wide, fitted.classes
    share = spec.share
    if rows.held.size:
        held = material.take(rows.held)
        asked = WideTexts.of(held.texts, held.tokens, fitted.tokenizer)
        wide = _wide(spec, recipe, material.take(rows.train), fitted, held=(asked, held.target))
        if share is None:
            outputs = member_outputs(fitted.networks, held.examples(fitted.vocabulary))
            network = member_logits(outputs, several=classes.several)
            linear = wide.logits(asked, len(classes.names))
            share = chosen_share(network, linear, held.target, several=classes.several)
        spec = dataclasses.replace(spec, penalty=wide.penalty)
    everything = np.sort(np.concatenate([rows.train, rows.held]))
    return dataclasses.replace(
        fitted,
        wide=_wide(spec, recipe, material.take(everything), fitted),
        share=_EVEN if share is None else share,
    )


def _wide(
    spec: Wide,
    recipe: Recipe,
    material: _Material,
    fitted: FittedTexts,
    held: tuple[WideTexts, npt.NDArray[Any]] | None = None,
) -> WideModel:
    classes = fitted.classes
    return fit_wide(
        spec,
        WideTexts.of(material.texts, material.tokens, fitted.tokenizer),
        classes.marks(material.target),
        several=classes.several,
        weight=classes.weights(material.target, recipe.class_weight),
        held=held,
        classes=len(classes.names),
    )


def _embeddings(recipe: Recipe, tokens: list[list[str]]) -> tuple[list[str], npt.NDArray[np.float32] | None]:
    """Read the vectors of tokens of the training, and of the first in the file, which are the most frequent."""
    path = recipe.embedding.path
    if path is None:
        return [], None
    wanted = {token for row in tokens for token in row}
    words, vectors = read_embeddings(path, wanted, most=_FAMILIAR)
    if not wanted.intersection(words):
        raise DataError(
            f"none of the tokens of the training texts is in {path!r}; do both have small letters, or the same unit?"
        )
    return words, vectors
