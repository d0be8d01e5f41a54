"""`Tagger`: words, their letters and a bidirectional LSTM under a CRF, for spans in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tidegate._core.devices import resolve_device
from tidegate.data.conll import ConllSentences
from tidegate.errors import SpecError
from tidegate.estimator import Estimator, register
from tidegate.estimator.teaching import Teacher
from tidegate.specs import Recurrent, Training, checks
from tidegate.specs.parts import PARTS, Network, network_parts
from tidegate.specs.tagging import TagSchemes, WordFeatures
from tidegate.text.tagging.answers import TaggedSpan, TaggerAnswers, written
from tidegate.text.tagging.evaluation import TaggingEvaluation, compare, require_known
from tidegate.text.tagging.fitting import Fitted, Recipe, fine_tuned, fit_tagger
from tidegate.text.tagging.learned import arrays_of, described, restored
from tidegate.text.tagging.sentences import Sentences, Tags, read_sentences
from tidegate.text.tagging.teaching import Lesson
from tidegate.training import Callback, History
from tidegate.training.tuning import tuning

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Tagger"]

_MOST_MEMBERS = 1_000


@register
class Tagger(Estimator):
    """Find spans in sentences, such as names or phrases: a BiLSTM-CRF (Huang et al., 2015; Lample et al., 2016).

    Of each token the network reads an embedding of the word, its letters, prefixes, suffixes and shape, and the entries
    of further columns (parts of speech). The CRF weighs whole taggings; transitions that the scheme does not have are
    never decoded.

    Parameters
    ----------
    features
        What is read of a token.
    embeddings
        A text file of GloVe or word2vec, whose vectors take the place of drawn ones before the training: of the words
        in the training data, and of the first 20,000 of the file. ``features.size`` must be theirs. A model file holds
        them, so that the file is not needed afterwards.
    network
        The recurrent layers over the sentence, or a tuple of parts.
    schemes
        IOB1, IOB2 and IOBES: in what the tags come, are learned, and are given.
    dropout
        Probability of zeroing an element of the network's inputs and outputs in training.
    decide
        ``"likelihood"``: the tagging with the highest probability. ``"f1"``: the score of ``O`` is lowered, or raised,
        by what gives the highest F1 of the validation sentences. Where spans are rare, the likeliest tagging misses
        many that are found so, at the cost of some that are none.
    training
        How it is trained. ``validation`` is the share of the sentences, drawn at random, that is kept apart unless
        `fit` is given some: after each epoch their spans are scored, and ``patience`` counts epochs without a higher
        F1. Without ``epochs`` and ``max_steps`` there are 30 epochs.
    members
        How many networks, which differ in their seeds. Together they tag by the means of their scores.
    seed
        Same seed, same data, same machine: same bits.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Attributes
    ----------
    scheme_
        Of the training data, and of what `predict` gives unless ``schemes`` says otherwise.
    types_
        Of spans, sorted.
    columns_
        How many columns beside the tokens.
    history_
        The curve of the training: ``loss`` and ``val_loss`` in nats a token, ``val_f1``.

    Raises
    ------
    SpecError
        If an option, or a combination, cannot be.

    Examples
    --------
    >>> import tidegate as tg
    >>> sentences = [["tidal", "gates", "close"], ["gates", "open"], ["the", "tide", "turns"], ["tides", "turn"]]
    >>> tags = [["B-NP", "I-NP", "B-VP"], ["B-NP", "B-VP"], ["B-NP", "I-NP", "B-VP"], ["B-NP", "B-VP"]]
    >>> training = tg.Training(epochs=40, batch_size=2, learning_rate=1e-2, validation=0)
    >>> tagger = tg.Tagger(network=tg.Recurrent(hidden_size=8, bidirectional=True), training=training, device="cpu")
    >>> tagger.fit(sentences, tags).predict([["tidal", "gates", "turn"]])
    [['B-NP', 'I-NP', 'B-VP']]
    """

    kind: ClassVar[str] = "tagger"
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "features": WordFeatures,
        "network": PARTS,
        "schemes": TagSchemes,
        "training": Training,
    }

    fitted_: Fitted
    history_: History
    scheme_: str
    types_: tuple[str, ...]
    columns_: int

    def __init__(
        self,
        *,
        features: WordFeatures = WordFeatures(),
        embeddings: str | None = None,
        network: Network = Recurrent(hidden_size=128, bidirectional=True),
        schemes: TagSchemes = TagSchemes(),
        dropout: float = 0.5,
        decide: str = "likelihood",
        training: Training = Training(
            epochs=30, batch_size=16, learning_rate=3e-3, schedule="cosine", patience=10, validation=0.1
        ),
        members: int = 1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        for name, spec, kind in (
            ("features", features, WordFeatures),
            ("schemes", schemes, TagSchemes),
            ("training", training, Training),
        ):
            if not isinstance(spec, kind):
                raise SpecError(f"{name} must be a {kind.__name__}(…); got {spec!r}")
        if embeddings is not None and not isinstance(embeddings, str):
            raise SpecError(f"embeddings must be the path of a file as text, or None; got {embeddings!r}")
        network_parts(network)
        checks.probability("dropout", dropout)
        checks.one_of("decide", decide, ("likelihood", "f1"))
        checks.whole("members", members)
        if members > _MOST_MEMBERS:
            raise SpecError(f"members must be at most {_MOST_MEMBERS:,}; got a number of {len(str(members))} digits")
        checks.whole("seed", seed, least=0)
        self.features = features
        self.embeddings = embeddings
        self.network = network
        self.schemes = schemes
        self.dropout = dropout
        self.decide = decide
        self.training = training
        self.members = members
        self.seed = seed
        self.device = device

    def fit(
        self,
        sentences: Sentences,
        tags: Tags | None = None,
        *,
        validation: ConllSentences | tuple[Sentences, Tags] | None = None,
        teacher: Teacher | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train on tagged sentences.

        Parameters
        ----------
        sentences
            Lists of tokens, or what `tidegate.data.read_conll` gave, with tags and further columns in it.
        tags
            A list for each sentence of lists of tokens.
        validation
            Sentences with tags to stop by, in the same forms; ``None`` keeps some of the others apart, as
            ``training.validation`` says.
        teacher
            A fitted tagger of the same types, whose probabilities of whole taggings are learned from as well (Wang et
            al., 2021).
        callbacks
            For the training of each member, beside the early stopping that ``training.patience`` asks for.

        Raises
        ------
        DataError
            If the sentences cannot be used: an empty one or an empty token, tags of another number, tags that break
            their scheme (with sentence and token, or the line of the file), no span at all; types that the teacher
            does not have.
        SpecError
            If the teacher is of another kind, or has learned another scheme.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        device = resolve_device(self.device)
        given = read_sentences(sentences, tags)
        held = None
        if validation is not None:
            pair = (validation, None) if isinstance(validation, ConllSentences) else validation
            held = read_sentences(*pair, width=given.width)
        lesson = None if teacher is None else self._lesson(teacher, given)
        self._take(fit_tagger(self._recipe, given, held, device=device, lesson=lesson, callbacks=callbacks))
        return self

    def fine_tune(
        self,
        sentences: Sentences,
        tags: Tags | None = None,
        *,
        max_steps: int = 50,
        learning_rate: float | None = None,
        schedule: str | None = None,
        validation: float = 0.0,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train a little more, on these sentences: new ones, or those of training after units were pruned.

        Nothing is settled anew: vocabulary, types, baselines and how ``O`` is lowered stay. A saved file is left as it
        is, and a training that fails leaves the tagger as it was.

        Parameters
        ----------
        sentences, tags
            As for `fit`; in the scheme of the first training, ``scheme_``, of the same types or some of them.
        max_steps
            Optimiser steps.
        learning_rate
            ``None``: a tenth of ``training.learning_rate``. What was pruned wants more, such as a third.
        schedule
            Of the rate, as in `Training`; ``None`` leaves it constant.
        validation
            Share of the sentences that is not trained on: the weights of the highest F1 there are kept, and
            ``training.patience`` ends the training. 0 for none.
        callbacks
            For the training of each member.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the sentences cannot be used: tags that break the scheme, a type that was not in the training data.
        TrainingError
            If the loss becomes NaN or infinite.
        """
        self._require_fitted("fine_tune")
        training = tuning(
            self.training, max_steps=max_steps, learning_rate=learning_rate, schedule=schedule, validation=validation
        )
        given = read_sentences(sentences, tags, width=self.columns_)
        self._take(fine_tuned(self.fitted_, self._recipe, given, training=training, callbacks=callbacks))
        return self

    def predict(self, sentences: Sentences) -> list[list[str]]:
        """Tag sentences.

        Parameters
        ----------
        sentences
            As for `fit`; tags that stand in them are not looked at.

        Returns
        -------
        list of list of str
            A tag for each token, in the scheme of ``schemes.predicted``, or that of the training data.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the sentences cannot be used.
        """
        self._require_fitted("predict")
        given = read_sentences(sentences, width=self.columns_)
        return self._tags(given, self.schemes.predicted or self.scheme_)

    def predict_spans(self, sentences: Sentences) -> list[list[TaggedSpan]]:
        """Find the spans of sentences, those of `predict`, each with the model's confidence in it.

        The confidence is the probability under the CRF that exactly these tokens are a span of this type: the sum over
        all taggings that have it, whatever they say elsewhere, over the sum over all taggings (Culotta & McCallum,
        2004). Raises as `predict`.
        """
        self._require_fitted("predict_spans")
        return self._answers.spans(read_sentences(sentences, width=self.columns_))

    def evaluate(self, sentences: Sentences, tags: Tags | None = None) -> TaggingEvaluation:
        """Score the tagger by conlleval's rules beside the most frequent tag of each word, and of each further entry.

        Parameters
        ----------
        sentences, tags
            As for `fit`. Tags that break their scheme count as conlleval counts them.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        DataError
            If the sentences cannot be used, or a span is of a type that was not in the training data.
        """
        self._require_fitted("evaluate")
        given = read_sentences(sentences, tags, width=self.columns_)
        fitted = self.fitted_
        truth = require_known(given, fitted.vocabulary.types)
        typical = fitted.typical.tags(given, fitted.vocabulary, self.features) if len(given) else {}
        return compare(truth, self._tags(given, self.scheme_), typical)

    def score(self, sentences: Sentences, tags: Tags | None = None) -> float:
        """Give the F1 of the spans by conlleval's rules, from 0 to 1; higher is better. Raises as `evaluate`."""
        self._require_fitted("score")
        return self.evaluate(sentences, tags).f1

    @property
    def _recipe(self) -> Recipe:
        return Recipe(
            features=self.features,
            embeddings=self.embeddings,
            network=self.network,
            schemes=self.schemes,
            dropout=self.dropout,
            decide=self.decide,
            training=self.training,
            members=self.members,
            seed=self.seed,
        )

    @property
    def _answers(self) -> TaggerAnswers:
        fitted = self.fitted_
        return TaggerAnswers(
            networks=fitted.networks, vocabulary=fitted.vocabulary, features=self.features, offset=fitted.offset
        )

    def _lesson(self, teacher: Teacher, given: ConllSentences) -> Lesson:
        model = teacher.of(self)
        read_sentences(given, width=model.columns_)
        return Lesson(answers=model._answers, terms=teacher)

    def _tags(self, given: ConllSentences, scheme: str) -> list[list[str]]:
        answers = self._answers
        return written(answers.codes(given), answers.labels, answers.scheme, scheme)

    def _take(self, fitted: Fitted) -> None:
        self.fitted_, self.history_, self.scheme_ = fitted, fitted.history, fitted.scheme
        self.types_, self.columns_ = fitted.vocabulary.types, len(fitted.vocabulary.columns)

    def _is_fitted(self) -> bool:
        return hasattr(self, "fitted_")

    def _networks(self) -> tuple[nn.Module, ...]:
        return (self.fitted_.networks,)

    def _learned(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        return described(self.fitted_), arrays_of(self.fitted_)

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self._take(restored(self._recipe, learned, arrays, resolve_device(self.device)))
