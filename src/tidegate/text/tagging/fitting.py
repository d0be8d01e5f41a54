"""From tagged sentences to trained networks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tidegate._core.seeds import derive_seed
from tidegate.data import IntArray
from tidegate.data.conll import ConllSentences
from tidegate.data.ragged import Ragged
from tidegate.data.tagschemes import Span
from tidegate.errors import DataError
from tidegate.specs import Training, parts
from tidegate.specs.tagging import TagSchemes, WordFeatures
from tidegate.text.tagging.answers import TaggerAnswers
from tidegate.text.tagging.baselines import TypicalTags
from tidegate.text.tagging.examples import TaggedExamples, TaggingObjective, encoded
from tidegate.text.tagging.network import TaggerDesign, TaggerNetwork
from tidegate.text.tagging.sentences import read_tags, rewritten, settled_scheme
from tidegate.text.tagging.teaching import Lesson
from tidegate.text.tagging.vectors import read_vectors
from tidegate.text.tagging.vocabulary import TagVocabulary
from tidegate.text.tagging.watching import watchers
from tidegate.training import Callback, History
from tidegate.training.members import train_members
from tidegate.training.tuning import tune_members

__all__ = ["Fitted", "Recipe", "fine_tuned", "fit_tagger"]

_EPOCHS = 30  # where neither epochs nor steps are asked for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A tagger's parameters; what they mean is in `tidegate.Tagger`."""

    features: WordFeatures
    embeddings: str | None
    network: parts.Network
    schemes: TagSchemes
    dropout: float
    decide: str
    training: Training
    members: int
    seed: int

    def design(self, vocabulary: TagVocabulary) -> TaggerDesign:
        """Describe a member's network."""
        return TaggerDesign.of(
            vocabulary,
            features=self.features,
            network=self.network,
            dropout=self.dropout,
            scheme=self.schemes.learned,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """What a fit gives."""

    networks: nn.ModuleList
    vocabulary: TagVocabulary
    typical: TypicalTags
    scheme: str
    offset: float
    history: History


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Tagged sentences, and their spans."""

    given: ConllSentences
    spans: list[list[Span]]

    def tags(self, scheme: str) -> list[list[str]]:
        """Write the spans as tags of a scheme."""
        return rewritten(self.spans, self.given, scheme)

    def take(self, indices: Sequence[int]) -> Part:
        """Give the sentences at ``indices``, in this order."""
        return Part(given=self.given.take(indices), spans=[self.spans[index] for index in indices])


def fit_tagger(
    recipe: Recipe,
    given: ConllSentences,
    validation: ConllSentences | None,
    *,
    device: torch.device,
    lesson: Lesson | None = None,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Settle scheme and vocabulary, build, and train; where there is a ``lesson``, on a teacher's answers as well.

    Raises
    ------
    DataError
        If tags break their scheme, there is nothing to learn, a validation holds a type that training lacks, or one is
        needed and there is none; if the teacher has other types.
    SpecError
        If the teacher has learned another scheme.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    scheme, train, held = _parts(recipe, given, validation)
    vectors = read_vectors(recipe.embeddings, train.given, recipe.features)
    types = (span.type for row in train.spans for span in row)
    vocabulary, counts = TagVocabulary.of(train.given, types, recipe.features, vectors.words)
    if held is not None:
        require_types(held.given, held.spans, vocabulary)
    design = recipe.design(vocabulary)
    if lesson is not None:
        lesson.require(design)
    both = [train] if held is None else [train, held]
    table, values = encoded([part.given for part in both], vocabulary, recipe.features)
    table = table.to(device)
    targets = [_codes(part.tags(design.scheme), design.labels) for part in both]
    examples = [TaggedExamples(each, target) for each, target in zip(values, targets, strict=True)]

    def make() -> nn.Module:
        network = TaggerNetwork(design)
        network.encoder.chance.copy_(torch.from_numpy(_chances(recipe.features.unknown, counts)))
        vectors.lay_in(network.encoder.words, vocabulary)
        return network

    objective = TaggingObjective(table)
    networks, history = train_members(
        make,
        examples[0] if lesson is None else lesson.answered(examples[0], train.given),
        objective if lesson is None else lesson.objective(objective),
        validation=examples[1] if held is not None else None,
        training=_with_length(recipe.training),
        members=recipe.members,
        seed=recipe.seed,
        device=device,
        callbacks=lambda: (*watchers(recipe.training, table, examples[1:], design.labels), *callbacks),
    )
    answers = TaggerAnswers(networks=networks, vocabulary=vocabulary, features=recipe.features)
    return Fitted(
        networks=networks,
        vocabulary=vocabulary,
        typical=TypicalTags.of(train.given, train.tags(scheme), scheme, vocabulary, recipe.features),
        scheme=scheme,
        offset=answers.best_offset(held.given, held.tags(design.scheme))
        if recipe.decide == "f1" and held is not None
        else 0.0,
        history=history,
    )


def fine_tuned(
    fitted: Fitted,
    recipe: Recipe,
    given: ConllSentences,
    *,
    training: Training,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Train copies of the networks further, on sentences tagged in the scheme of the first training.

    Raises
    ------
    DataError
        If there are none, tags break the scheme, or a type is new.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    if not len(given):
        raise DataError("expected tagged sentences to learn from, got none")
    vocabulary, networks = fitted.vocabulary, copy.deepcopy(fitted.networks)
    train = Part(given=given, spans=read_tags(given, fitted.scheme, repair=recipe.schemes.repair))
    require_types(train.given, train.spans, vocabulary)
    train, held = _held_out(train, training.validation, recipe.seed)
    both = [train] if held is None else [train, held]
    table, values = encoded([part.given for part in both], vocabulary, recipe.features)
    counts = np.bincount(table.words[values[0].flat[:, 0]].numpy(), minlength=len(vocabulary.words) + 1)
    table = table.to(next(networks.parameters()).device)
    design = recipe.design(vocabulary)
    targets = [_codes(part.tags(design.scheme), design.labels) for part in both]
    examples = [TaggedExamples(each, target) for each, target in zip(values, targets, strict=True)]
    for network in networks:  # a model from a file does not know how often it has seen a word
        assert isinstance(network, TaggerNetwork)
        network.encoder.chance.copy_(torch.from_numpy(_chances(recipe.features.unknown, counts)))
    networks, history = tune_members(
        networks,
        examples[0],
        TaggingObjective(table),
        validation=examples[1] if held is not None else None,
        training=training,
        seed=recipe.seed,
        callbacks=lambda: (*watchers(training, table, examples[1:], design.labels), *callbacks),
    )
    return dataclasses.replace(fitted, networks=networks, history=history)


def require_types(given: ConllSentences, spans: Sequence[Sequence[Span]], vocabulary: TagVocabulary) -> None:
    """Refuse spans of types that were not in the training data. Raises `DataError` with the place of the first."""
    known = set(vocabulary.types)
    for index, row in enumerate(spans):
        for span in row:
            if span.type not in known:
                raise DataError(
                    f"{given.place(index, span.start)}: the type {span.type!r} was not in the training data, which has "
                    f"{', '.join(map(repr, vocabulary.types))}; train with examples of it, or leave such tags out"
                )


def _with_length(training: Training) -> Training:
    if training.epochs is None and training.max_steps is None:
        return dataclasses.replace(training, epochs=_EPOCHS)
    return training


def _parts(recipe: Recipe, given: ConllSentences, validation: ConllSentences | None) -> tuple[str, Part, Part | None]:
    """Read the tags, and hold sentences out where none are given: the scheme, what trains, what validates."""
    if not len(given):
        raise DataError("expected tagged sentences to learn from, got none")
    scheme, repair = settled_scheme(given, recipe.schemes.given), recipe.schemes.repair
    train = Part(given=given, spans=read_tags(given, scheme, repair=repair))
    if validation is not None and len(validation):
        held: Part | None = Part(given=validation, spans=read_tags(validation, scheme, repair=repair))
    else:
        train, held = _held_out(train, recipe.training.validation, recipe.seed)
    if recipe.decide == "f1" and held is None:
        raise DataError(
            "decide='f1' chooses on validation sentences, and there are none; give fit(…, validation=…), or more "
            "sentences and a share of them in Training(validation=…)"
        )
    return scheme, train, held


def _held_out(part: Part, share: float, seed: int) -> tuple[Part, Part | None]:
    """Hold sentences out at random; of few sentences, or a share of 0, none."""
    count = len(part.spans)
    held = round(share * count)
    if not held or held >= count:
        return part, None
    order = np.random.Generator(np.random.Philox(key=derive_seed(seed, "validation"))).permutation(count)
    rest, kept = order[held:].tolist(), order[:held].tolist()
    seen = {span.type for index in rest for span in part.spans[index]}
    # A type that is rare may lie in held-out sentences only: those are trained on.
    rare = [index for index in kept if not seen.issuperset(span.type for span in part.spans[index])]
    left = sorted(set(kept).difference(rare))
    return part.take(sorted([*rest, *rare])), part.take(left) if left else None


def _chances(unknown: float, counts: IntArray) -> npt.NDArray[np.float64]:
    """Say how probably each word is taken for an unknown one; what was never counted is not."""
    chances: npt.NDArray[np.float64] = np.divide(unknown, unknown + counts, out=np.zeros(len(counts)), where=counts > 0)
    return chances


def _codes(tags: Sequence[Sequence[str]], labels: Sequence[str]) -> Ragged:
    known = {label: code for code, label in enumerate(labels)}
    return Ragged.of([np.array([known[tag] for tag in row], np.int64) for row in tags])
