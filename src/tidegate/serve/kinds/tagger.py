"""Taggers over the wire: tokens in, with what stands beside them, and a tag for each out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tidegate.data.conll import ConllSentences
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds.examples import ServedExamples, encoded, sequences_of, texts_of
from tidegate.serve.served import Answer, Signature
from tidegate.serve.tensors import TensorSpec
from tidegate.text import Tagger
from tidegate.text.tagging.sentences import read_sentences

__all__ = ["serve"]


class _Sentence(NamedTuple):
    """One row of a request."""

    tokens: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]  # beside the tokens
    width: int  # steps of the request


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedExamples:
    """Read a tagger from its file. Raises `ModelFileError`."""
    model = Tagger.load(path, device=device)
    beside = model.columns_
    inputs = [
        TensorSpec(name="tokens", datatypes=("BYTES",), shape=(-1, -1)),
        TensorSpec(name="lengths", datatypes=("INT64", "INT32"), shape=(-1,), optional=True),
    ]
    if beside:
        inputs.append(TensorSpec(name="columns", datatypes=("BYTES",), shape=(-1, -1, beside)))
    signature = Signature(inputs, [TensorSpec(name="tags", datatypes=("BYTES",), shape=(-1, -1))])

    def answer(sentences: list[_Sentence]) -> Answer:
        tags = model.predict(_conll(sentences))
        longest = max(each.width for each in sentences)
        padded = [[*each, *[""] * (longest - len(each))] for each in tags]
        return Answer(outputs={"tags": encoded([tag for each in padded for tag in each], (len(tags), longest))})

    def read(given: Mapping[str, np.ndarray]) -> list[_Sentence]:
        width = given["tokens"].shape[1]
        rows = [texts_of("tokens", row.tolist()) for row in sequences_of(given, "tokens")]
        columns = _columns(given, width) if beside else [()] * len(rows)
        sentences = [_Sentence(tuple(row), each, width) for row, each in zip(rows, columns, strict=True)]
        read_sentences(_conll(sentences), width=beside)  # refuses what cannot be used
        return sentences

    return ServedExamples(model.kind, signature, read=read, answer=answer, stepwise="tokens")


def _columns(given: Mapping[str, np.ndarray], width: int) -> list[tuple[tuple[str, ...], ...]]:
    """Give the columns beside the tokens of each sentence. Raises `RequestError`."""
    steps = given["columns"].shape[1]
    if steps != width:
        raise RequestError(Status.INVALID, f"input 'columns' has {steps} steps; {width} are needed beside 'tokens'")
    return [
        tuple(tuple(texts_of("columns", column)) for column in row.T.tolist()) for row in sequences_of(given, "columns")
    ]


def _conll(sentences: list[_Sentence]) -> ConllSentences:
    columns = tuple(each.columns for each in sentences) if sentences[0].columns else ()
    return ConllSentences(tokens=tuple(each.tokens for each in sentences), columns=columns)
