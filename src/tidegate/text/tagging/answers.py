"""Fitted networks on sentences: the best tags, and how sure a span is."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.data import IntArray
from tidegate.data.bucketing import in_length_order
from tidegate.data.conll import ConllSentences
from tidegate.data.ragged import Ragged
from tidegate.data.tagschemes import Span, spans_of, tags_of
from tidegate.kernels import packing
from tidegate.metrics.spans import span_scores
from tidegate.nn.crf import CRF
from tidegate.specs.tagging import WordFeatures
from tidegate.text.tagging.examples import TaggedExamples, encoded
from tidegate.text.tagging.network import TaggerNetwork
from tidegate.text.tagging.vocabulary import TagVocabulary
from tidegate.text.tagging.words import WordTable
from tidegate.training.feed import to_batch

__all__ = ["OFFSETS", "TaggedSpan", "TaggerAnswers", "best_paths", "pooled_crf", "written"]

_BLOCK = 8192  # sentences whose words are collected and read together
_BATCH = 128  # sentences at once
_WORDS = 1024  # words at once
OFFSETS = tuple(step / 4 for step in range(-4, 13))  # of which `best_offset` chooses, in nats
_NEVER = -1e4  # a score that no path survives, and that does not turn into NaN when it is taken from itself


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggedSpan:
    """A span that a tagger found in a sentence.

    Parameters
    ----------
    start, stop
        Its first token and the one behind its last, counted from 0.
    type
        What it is.
    text
        Its tokens with spaces between.
    confidence
        The model's probability that exactly these tokens are a span of this type, summed over all taggings of the rest
        of the sentence.
    """

    start: int
    stop: int
    type: str
    text: str
    confidence: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggerAnswers:
    """What fitted networks say.

    Several networks are one CRF whose scores are the means of theirs: the tagging that it finds best is the one with
    the highest geometric mean of their probabilities.

    Parameters
    ----------
    networks
        `TaggerNetwork` each, of one design, in evaluation mode.
    vocabulary, features
        What they were trained with.
    offset
        By how much the score of ``O`` is lowered when tags are decided, at every token. Probabilities know nothing of
        it.
    """

    networks: nn.ModuleList
    vocabulary: TagVocabulary
    features: WordFeatures
    offset: float = 0.0

    @property
    def members(self) -> list[TaggerNetwork]:
        """The networks, typed."""
        return [network for network in self.networks if isinstance(network, TaggerNetwork)]

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags that codes stand for."""
        return self.members[0].design.labels

    @property
    def scheme(self) -> str:
        """What the tags are written in."""
        return self.members[0].design.scheme

    def codes(self, given: ConllSentences) -> list[list[int]]:
        """Give the codes of the best tags of each sentence."""
        found: list[list[int]] = []
        for block in _blocks(given):
            paths: list[list[int]] = [[]] * len(block)
            crf = pooled_crf(self.members)
            with torch.inference_mode():
                for indices, emissions, lengths in self._emissions(block):
                    rows, _ = crf.decode(self._lowered(emissions, self.offset), lengths=lengths)
                    for index, row, length in zip(indices.tolist(), rows.tolist(), lengths.tolist(), strict=True):
                        paths[index] = row[:length]
            found += paths
        return found

    def best_offset(self, given: ConllSentences, truth: Sequence[Sequence[str]]) -> float:
        """Find the offset with the highest F1; of several the one nearest to 0.

        Parameters
        ----------
        given
            Sentences that were not trained on.
        truth
            Their tags, in the scheme that the networks know.
        """
        taken: dict[float, list[list[str]]] = {offset: [[]] * len(given) for offset in OFFSETS}
        crf, labels = pooled_crf(self.members), self.labels
        with torch.inference_mode():
            for indices, emissions, lengths in self._emissions(given):
                for offset, tags in taken.items():
                    rows, _ = crf.decode(self._lowered(emissions, offset), lengths=lengths)
                    for index, row, length in zip(indices.tolist(), rows.tolist(), lengths.tolist(), strict=True):
                        tags[index] = [labels[code] for code in row[:length]]
        f1 = {offset: span_scores(truth, tags).f1 for offset, tags in taken.items()}
        return max(OFFSETS, key=lambda offset: (f1[offset], -abs(offset)))

    @staticmethod
    def _lowered(emissions: Tensor, offset: float) -> Tensor:
        """Lower the score of ``O``, the first label."""
        if not offset:
            return emissions
        lowered = emissions.clone()
        lowered[..., 0] -= offset
        return lowered

    def emissions(self, given: ConllSentences) -> Ragged:
        """Give the mean scores of the tags of each sentence, ``[token, label]`` of float32, before any ``offset``."""
        offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in given.tokens])]).astype(np.int64)
        flat = np.empty((offsets[-1], len(self.labels)), np.float32)
        before = 0
        for block in _blocks(given):
            with torch.inference_mode():
                for indices, emissions, lengths in self._emissions(block):
                    rows = emissions.float().cpu().numpy()
                    for index, row, length in zip((before + indices).tolist(), rows, lengths.tolist(), strict=True):
                        flat[offsets[index] : offsets[index + 1]] = row[:length]
            before += len(block)
        return Ragged(flat=flat, offsets=offsets)

    def spans(self, given: ConllSentences) -> list[list[TaggedSpan]]:
        """Give the spans of the best tags of each sentence, each with its probability."""
        found: list[list[TaggedSpan]] = []
        for block in _blocks(given):
            rows: list[list[TaggedSpan]] = [[]] * len(block)
            crf = pooled_crf(self.members)
            with torch.inference_mode():
                for indices, emissions, lengths in self._emissions(block):
                    for index, spans in zip(indices.tolist(), self._sure(crf, emissions, lengths), strict=True):
                        tokens = block.tokens[index]
                        rows[index] = [
                            TaggedSpan(
                                start=span.start,
                                stop=span.stop,
                                type=span.type,
                                text=" ".join(tokens[span.start : span.stop]),
                                confidence=confidence,
                            )
                            for span, confidence in spans
                        ]
            found += rows
        return found

    def _emissions(self, block: ConllSentences) -> Iterator[tuple[IntArray, Tensor, Tensor]]:
        """Give batches of like lengths: which sentences, the mean scores of their tags, and their lengths."""
        device = next(self.networks.parameters()).device
        table, (values,) = encoded([block], self.vocabulary, self.features)
        table = table.to(device)
        examples = TaggedExamples(values)
        with packing.packed(self.networks):
            vectors = [_encoded_words(network, table) for network in self.members]
            for indices in in_length_order(examples.lengths, _BATCH):
                batch = to_batch(examples.batch(indices), device)
                assert batch.lengths is not None
                scores = [
                    network.emissions(words, table, batch.values, batch.lengths)
                    for network, words in zip(self.members, vectors, strict=True)
                ]
                emissions = scores[0] if len(scores) == 1 else torch.stack(scores).mean(dim=0)
                yield indices, emissions, batch.lengths

    def _sure(self, crf: CRF, emissions: Tensor, lengths: Tensor) -> list[list[tuple[Span, float]]]:
        """Find the spans of a batch and their probabilities.

        A span's is the sum over the paths that have it, over the sum over all paths: two runs of the forward algorithm.
        """
        paths, _ = crf.decode(self._lowered(emissions, self.offset), lengths=lengths)
        labels, scheme = self.labels, self.scheme
        found = [
            spans_of([labels[code] for code in row[:length]], scheme)
            for row, length in zip(paths.tolist(), lengths.tolist(), strict=True)
        ]
        rows = torch.tensor([row for row, spans in enumerate(found) for _ in spans], dtype=torch.int64)
        if not len(rows):
            return [[] for _ in found]
        rows = rows.to(emissions.device)
        bound = self._bound(emissions[rows], paths[rows], [span for spans in found for span in spans])
        # Both are scores of one path less a sum over paths: the path's own score cancels out.
        every = crf(emissions, paths, lengths=lengths)[rows]
        having = crf(bound, paths[rows], lengths=lengths[rows])
        probabilities = iter((every - having).exp().clamp(max=1.0).tolist())
        return [[(span, next(probabilities)) for span in spans] for spans in found]

    def _bound(self, emissions: Tensor, paths: Tensor, spans: Sequence[Span]) -> Tensor:
        """Leave to each row, ``[span, time, label]``, only the paths that have its span."""
        steps = torch.arange(emissions.shape[1], device=emissions.device)
        starts, stops = (
            torch.tensor([getattr(span, name) for span in spans], device=emissions.device)[:, None]
            for name in ("start", "stop")
        )
        labels = self.labels
        within = (steps >= starts) & (steps < stops)  # [span, time]
        others = torch.arange(len(labels), device=emissions.device) != paths.unsqueeze(-1)
        forbidden = within.unsqueeze(-1) & others
        if self.scheme == "iob2":  # which has no tag for an end: the span must not go on
            going = torch.tensor([labels.index(f"I-{span.type}") for span in spans], device=emissions.device)
            further = torch.arange(len(labels), device=emissions.device) == going[:, None]  # [span, label]
            forbidden |= (steps == stops).unsqueeze(-1) & further.unsqueeze(1)
        return emissions.masked_fill(forbidden, _NEVER)


def pooled_crf(members: Sequence[TaggerNetwork]) -> CRF:
    """Give the CRF whose parameters are the means of the members'."""
    if len(members) == 1:
        return members[0].crf
    crf = copy.deepcopy(members[0].crf)
    means = {
        name: torch.stack([member.crf.get_parameter(name).detach() for member in members]).mean(dim=0)
        for name, _ in crf.named_parameters()
    }
    with torch.no_grad():
        for name, parameter in crf.named_parameters():
            parameter.copy_(means[name])
    return crf


def best_paths(network: TaggerNetwork, table: WordTable, examples: TaggedExamples) -> list[list[int]]:
    """Give the codes of the best tags of sentences in numbers: what a validation asks after each epoch."""
    device = table.words.device
    paths: list[list[int]] = [[]] * len(examples)
    with torch.inference_mode():
        vectors = _encoded_words(network, table)
        for indices in in_length_order(examples.lengths, _BATCH):
            batch = to_batch(examples.batch(indices), device)
            assert batch.lengths is not None
            emissions = network.emissions(vectors, table, batch.values, batch.lengths)
            rows, _ = network.crf.decode(emissions, lengths=batch.lengths)
            for index, row, length in zip(indices.tolist(), rows.tolist(), batch.lengths.tolist(), strict=True):
                paths[index] = row[:length]
    return paths


def written(paths: Sequence[Sequence[int]], labels: Sequence[str], scheme: str, wanted: str) -> list[list[str]]:
    """Write codes as tags of the scheme that is ``wanted``; the codes stand for ``labels`` of ``scheme``."""
    if (scheme, wanted) == ("iobes", "iob2"):
        letters = {"E": "I", "S": "B"}
        labels = [letters.get(label[0], label[0]) + label[1:] for label in labels]
    elif scheme != wanted:
        tags = ([labels[code] for code in path] for path in paths)
        return [tags_of(spans_of(row, scheme), len(row), wanted) for row in tags]
    return [[labels[code] for code in path] for path in paths]


def _blocks(given: ConllSentences) -> Iterator[ConllSentences]:
    if len(given) <= _BLOCK:
        if len(given):
            yield given
        return
    for start in range(0, len(given), _BLOCK):
        yield given.take(range(start, min(start + _BLOCK, len(given))))


def _encoded_words(network: TaggerNetwork, table: WordTable) -> Tensor:
    """Read words in order of their lengths, so that few letters are padding."""
    order = torch.argsort(table.lengths, stable=True)
    vectors = torch.cat([network.encode(table.take(rows)) for rows in torch.split(order, _WORDS)])
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device)
    return vectors[places]
