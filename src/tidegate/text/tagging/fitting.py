"""From tagged sentences to trained networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from tidegate._core.seeds import derive_seed
from tidegate.data.conll import ConllSentences
from tidegate.data.ragged import Ragged
from tidegate.data.tagschemes import Span
from tidegate.errors import DataError, SpecError
from tidegate.metrics.spans import span_scores
from tidegate.specs import Training, parts
from tidegate.specs.tagging import TagSchemes, WordFeatures
from tidegate.text.tagging.answers import TaggerAnswers, best_paths
from tidegate.text.tagging.baselines import TypicalTags
from tidegate.text.tagging.examples import TaggedExamples, TaggingObjective, encoded
from tidegate.text.tagging.network import TaggerDesign, TaggerNetwork
from tidegate.text.tagging.sentences import read_tags, rewritten, settled_scheme
from tidegate.text.tagging.vocabulary import TagVocabulary, normalised
from tidegate.text.tagging.words import WordTable
from tidegate.training import Callback, EarlyStopping, History
from tidegate.training.members import train_members
from tidegate.training.state import TrainingState

__all__ = ["Fitted", "Recipe", "fit_tagger"]

_EPOCHS = 30  # where neither epochs nor steps are asked for
_FAMILIAR = 20_000  # words of an embeddings file, from its beginning, that join the vocabulary unseen


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


def fit_tagger(
    recipe: Recipe,
    given: ConllSentences,
    validation: ConllSentences | None,
    *,
    device: torch.device,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Settle scheme and vocabulary, build, and train.

    Raises
    ------
    DataError
        If tags break their scheme, there is nothing to learn, or a validation holds a type that training lacks.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    if not len(given):
        raise DataError("expected tagged sentences to learn from, got none")
    scheme = settled_scheme(given, recipe.schemes.given)
    spans = read_tags(given, scheme, repair=recipe.schemes.repair)
    if validation is None:
        given, spans, validation = _held_out(given, spans, recipe)
    held = None if validation is None else read_tags(validation, scheme, repair=recipe.schemes.repair)
    known, matrix = _embeddings(recipe, given)
    types = (span.type for row in spans for span in row)
    vocabulary, counts = TagVocabulary.of(given, types, recipe.features, known)
    if validation is not None and held is not None:
        require_types(validation, held, vocabulary)
    design = recipe.design(vocabulary)
    collections = [given] if validation is None else [given, validation]
    table, values = encoded(collections, vocabulary, recipe.features)
    table = table.to(device)
    targets = [_codes(rewritten(spans, given, design.scheme), design.labels)]
    if validation is not None and held is not None:
        targets.append(_codes(rewritten(held, validation, design.scheme), design.labels))
    examples = [TaggedExamples(each, target) for each, target in zip(values, targets, strict=True)]

    def make() -> nn.Module:
        network = TaggerNetwork(design)
        unknown = recipe.features.unknown
        chance = np.divide(unknown, unknown + counts, out=np.zeros(len(counts)), where=counts > 0)
        network.encoder.chance.copy_(torch.from_numpy(chance))
        _lay_in(network, vocabulary, known, matrix)
        return network

    def watching() -> Sequence[Callback]:
        return (*_watchers(recipe.training, table, examples, design), *callbacks)

    networks, history = train_members(
        make,
        examples[0],
        TaggingObjective(table),
        validation=examples[1] if len(examples) > 1 else None,
        training=_with_length(recipe.training),
        members=recipe.members,
        seed=recipe.seed,
        device=device,
        callbacks=watching,
    )
    offset = 0.0
    if recipe.decide == "f1":
        if validation is None or held is None:
            raise DataError(
                "decide='f1' chooses on validation sentences, and there are none; give fit(…, validation=…), or more "
                "sentences and a share of them in Training(validation=…)"
            )
        answers = TaggerAnswers(networks=networks, vocabulary=vocabulary, features=recipe.features)
        offset = answers.best_offset(validation, rewritten(held, validation, design.scheme))
    typical = TypicalTags.of(given, rewritten(spans, given, scheme), scheme, vocabulary, recipe.features)
    return Fitted(
        networks=networks, vocabulary=vocabulary, typical=typical, scheme=scheme, offset=offset, history=history
    )


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


class SpanF1(Callback):
    """Log the F1 of the spans of the validation sentences after each epoch, as ``val_f1``.

    Parameters
    ----------
    table, examples
        The words, and the validation sentences with their codes.
    labels
        What codes stand for.
    """

    def __init__(self, table: WordTable, examples: TaggedExamples, labels: Sequence[str]) -> None:
        assert examples.target is not None
        self.table, self.examples, self.labels = table, examples, labels
        self.truth = [self._tags(examples.target[row].tolist()) for row in range(len(examples))]

    def on_epoch_end(self, state: TrainingState) -> None:
        """Tag, and compare; nothing is drawn, so that the training goes on as if nobody had looked."""
        module = state.module
        assert isinstance(module, TaggerNetwork)
        module.eval()
        paths = best_paths(module, self.table, self.examples)
        module.train()
        state.logs["val_f1"] = span_scores(self.truth, [self._tags(path) for path in paths]).f1

    def _tags(self, codes: Sequence[int]) -> list[str]:
        return [self.labels[code] for code in codes]


def _watchers(
    training: Training, table: WordTable, examples: Sequence[TaggedExamples], design: TaggerDesign
) -> Sequence[Callback]:
    if len(examples) < 2:
        return ()
    scored = SpanF1(table, examples[1], design.labels)
    if training.patience is None:
        return (scored,)
    return scored, EarlyStopping("val_f1", patience=training.patience, restore_best_weights=True)


def _with_length(training: Training) -> Training:
    if training.epochs is None and training.max_steps is None:
        return dataclasses.replace(training, epochs=_EPOCHS)
    return training


def _held_out(
    given: ConllSentences, spans: list[list[Span]], recipe: Recipe
) -> tuple[ConllSentences, list[list[Span]], ConllSentences | None]:
    """Hold sentences out at random; of few sentences, or a share of 0, none."""
    held = round(recipe.training.validation * len(given))
    if not held or held >= len(given):
        return given, spans, None
    seed = derive_seed(recipe.seed, "validation")
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(given))
    rest, kept = np.sort(order[held:]).tolist(), np.sort(order[:held])
    seen = {span.type for index in rest for span in spans[index]}
    # A type that is rare may lie in held-out sentences only: those are trained on.
    rare = [index for index in kept.tolist() if not seen.issuperset(span.type for span in spans[index])]
    rest = sorted([*rest, *rare])
    left = sorted(set(kept.tolist()).difference(rare))
    return given.take(rest), [spans[index] for index in rest], given.take(left) if left else None


def _codes(tags: Sequence[Sequence[str]], labels: Sequence[str]) -> Ragged:
    known = {label: code for code, label in enumerate(labels)}
    return Ragged.of([np.array([known[tag] for tag in row], np.int64) for row in tags])


def _embeddings(recipe: Recipe, given: ConllSentences) -> tuple[list[str], np.ndarray | None]:
    """Read embeddings of words in the training data, and of the first in the file, which are the most frequent."""
    if recipe.embeddings is None:
        return [], None
    from tidegate.data.embeddings import read_embeddings

    surfaces = dict.fromkeys(token for tokens in given.tokens for token in tokens)
    wanted = {*surfaces, *normalised(surfaces, recipe.features)}
    words, matrix = read_embeddings(recipe.embeddings, wanted, most=_FAMILIAR)
    if matrix.shape[1] != recipe.features.size:
        raise SpecError(
            f"the embeddings in {recipe.embeddings!r} have {matrix.shape[1]} numbers a word, the tagger's features "
            f"{recipe.features.size}; set WordFeatures(size={matrix.shape[1]})"
        )
    rows: dict[str, int] = {}
    for row, word in enumerate(normalised(words, recipe.features)):
        rows.setdefault(word, row)  # of Rome and rome the more frequent one
    return list(rows), matrix[list(rows.values())]


def _lay_in(network: TaggerNetwork, vocabulary: TagVocabulary, known: Sequence[str], matrix: np.ndarray | None) -> None:
    """Put embeddings that were read in the place of drawn ones."""
    if matrix is None:
        return
    rows = torch.from_numpy(vocabulary.word_codes(known))
    with torch.no_grad():
        network.encoder.words.weight[rows] = torch.from_numpy(np.asarray(matrix, np.float32))
