"""A tagger as one graph: words and their letters, networks, the members' means, and the best path.

Strings are no part of it: what a graph reads are numbers, which `inputs_of` makes of sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.data.conll import ConllSentences
from tidegate.errors import DataError, SpecError
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.ports import Port
from tidegate.export.program import for_inference
from tidegate.specs.base import plain
from tidegate.text import Tagger
from tidegate.text.tagging.answers import pooled_crf, written
from tidegate.text.tagging.examples import encoded
from tidegate.text.tagging.network import TaggerNetwork
from tidegate.text.tagging.sentences import Sentences, read_sentences
from tidegate.text.tagging.words import LETTER_CODES, WordTable

__all__ = ["exportable", "inputs_of"]

_TIMES = (1, 6, 17)  # tokens


def exportable(model: Tagger, levels: Sequence[float] | None = None) -> Exportable:
    """Make a tagger ready for export. Raises `SpecError` for ``levels``."""
    if levels:
        raise SpecError("levels are intervals of forecasts; a tagger has none: leave them out")
    fitted = model.fitted_
    inputs = _inputs(model)
    module = _Path(for_inference(fitted.networks), [port.name for port in inputs], fitted.offset)

    def reference(given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return (module(*(given[port.name] for port in inputs)),)

    tags, notes = _tags(model)
    return Exportable(
        kind=model.kind,
        module=module,
        positional=len(inputs),
        inputs=inputs,
        outputs=(
            Port(name="tags", meaning="places in the file's list of tags, 0 past a sentence's length: [batch, time]"),
        ),
        reference=reference,
        sample=lambda generator, batch, time: _sample(model, generator, batch, time),
        times=_TIMES,
        metadata={
            "params": {name: plain(value) for name, value in model.get_params(deep=False).items()},
            "tags": tags,
            "words": list(fitted.vocabulary.words),
            "letters": fitted.vocabulary.letters,
            "columns": [list(column) for column in fitted.vocabulary.columns],
        },
        notes=notes,
    )


def inputs_of(model: Tagger, sentences: Sentences) -> Arrays:
    """Give the graph's inputs for sentences. Raises `DataError` as `Tagger.predict`."""
    given = read_sentences(sentences, width=model.columns_)
    if not len(given):
        raise DataError("expected one sentence at least; got none")
    table, (ragged,) = encoded([given], model.fitted_.vocabulary, model.features)
    values, lengths = ragged.padded(np.arange(len(given)))
    arrays = {
        "words": table.words.numpy(),
        "hashes": table.hashes.numpy(),
        "letters": table.letters.numpy(),
        "letter_lengths": table.lengths.numpy(),
        "tokens": values[..., 0],
        "columns": values[..., 1:],
        "lengths": lengths,
    }
    return {port.name: np.ascontiguousarray(arrays[port.name]) for port in _inputs(model)}


def _inputs(model: Tagger) -> tuple[Port, ...]:
    features, columns = model.features, model.columns_
    ports = [
        Port(name="tokens", axes=("batch", "time"), meaning="of each token the row of its word in the other inputs"),
        Port(name="lengths", axes=("batch",), meaning="tokens of each sentence, from the first; at least 1"),
        Port(name="words", axes=("word",), meaning="place in the file's list of words, from 1; 0 unknown"),
    ]
    if features.slots:
        meaning = f"hashes of prefixes, suffixes and shape, below {features.buckets}"
        ports.append(Port(name="hashes", axes=("word", features.slots), meaning=meaning))
    if features.characters is not None:
        meaning = (
            f"places in the file's list of letters, from {LETTER_CODES}, between 2 and 3; 1 unknown, 0 behind the last"
        )
        ports.append(Port(name="letters", axes=("word", "letter"), meaning=meaning))
        ports.append(Port(name="letter_lengths", axes=("word",), meaning="letters of each word, 2 and 3 among them"))
    if columns:
        meaning = "place of each entry in the file's list of its column, from 1; 0 unknown"
        ports.append(Port(name="columns", axes=("batch", "time", columns), meaning=meaning))
    return tuple(ports)


class _Path(nn.Module):
    """From numbers to the path that the mean of the members finds best."""

    def __init__(self, members: nn.Module, names: Sequence[str], offset: float) -> None:
        super().__init__()
        assert isinstance(members, nn.ModuleList)
        self.members = members
        self.crf = pooled_crf([member for member in members if isinstance(member, TaggerNetwork)])
        self._names, self._offset = tuple(names), offset

    def forward(self, *tensors: Tensor) -> Tensor:
        """Give codes of tags, ``[batch, time]``."""
        given = dict(zip(self._names, tensors, strict=True))
        words, tokens = given["words"], given["tokens"]
        nothing = words.new_zeros(0)
        table = WordTable(
            words=words,
            hashes=given.get("hashes", nothing),
            letters=given.get("letters", nothing),
            lengths=given.get("letter_lengths", nothing),
        )
        values = tokens.unsqueeze(-1)
        if "columns" in given:
            values = torch.cat([values, given["columns"]], dim=-1)
        scores = [
            member.emissions(member.encode(table), table, values, given["lengths"])
            for member in self.members
            if isinstance(member, TaggerNetwork)
        ]
        emissions = scores[0] if len(scores) == 1 else torch.stack(scores).mean(dim=0)
        if self._offset:
            emissions = torch.cat([emissions[..., :1] - self._offset, emissions[..., 1:]], dim=-1)
        path: Tensor = self.crf.decode(emissions, lengths=given["lengths"])[0]
        return path


def _tags(model: Tagger) -> tuple[list[str], tuple[str, ...]]:
    """Give the tags that codes stand for, and what is to be said of their scheme."""
    answers = model._answers
    wanted = model.schemes.predicted or model.scheme_
    singles = [[code] for code in range(len(answers.labels))]
    if (answers.scheme, wanted) == ("iobes", "iob2"):  # one tag for each
        return [tag for (tag,) in written(singles, answers.labels, answers.scheme, wanted)], ()
    if answers.scheme == wanted:
        return list(answers.labels), ()
    return list(answers.labels), (
        f"the graph gives tags of the scheme {answers.scheme}; predict writes the same spans in {wanted}",
    )


def _sample(model: Tagger, generator: np.random.Generator, batch: int, time: int) -> Arrays:
    """Draw sentences of known and unknown words."""
    vocabulary = model.fitted_.vocabulary
    known = [*vocabulary.words, "Ungesehenes", "x", "42"]
    lengths = np.full(batch, time)
    lengths[1::2] = generator.integers(1, time + 1, size=len(lengths[1::2]))
    rows = [tuple(known[place] for place in generator.integers(0, len(known), size=length)) for length in lengths]
    columns = [
        tuple(tuple(generator.choice([*entries, "?"], size=length).tolist()) for entries in vocabulary.columns)
        for length in lengths
    ]
    given = ConllSentences(tokens=tuple(rows), columns=tuple(columns)) if vocabulary.columns else rows
    return inputs_of(model, given)
