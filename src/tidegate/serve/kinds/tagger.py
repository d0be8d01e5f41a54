"""Taggers over the wire: tokens in, a tag for each out."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tidegate.errors import UnsupportedError
from tidegate.serve.kinds.examples import ServedExamples, encoded, sequences_of, texts_of
from tidegate.serve.served import Answer, Signature
from tidegate.serve.tensors import TensorSpec
from tidegate.text import Tagger
from tidegate.text.tagging.sentences import read_sentences

__all__ = ["serve"]


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedExamples:
    """Read a tagger from its file. Raises `ModelFileError`."""
    model = Tagger.load(path, device=device)
    if model.columns_:
        raise UnsupportedError(
            f"{str(path)!r} is a tagger that reads columns beside the tokens, which is not served; leave them out"
        )
    signature = Signature(
        [
            TensorSpec(name="tokens", datatypes=("BYTES",), shape=(-1, -1)),
            TensorSpec(name="lengths", datatypes=("INT64", "INT32"), shape=(-1,), optional=True),
        ],
        [TensorSpec(name="tags", datatypes=("BYTES",), shape=(-1, -1))],
    )

    def answer(sentences: list[tuple[list[str], int]]) -> Answer:
        tags = model.predict([tokens for tokens, _ in sentences])
        longest = max(width for _, width in sentences)
        padded = [[*each, *[""] * (longest - len(each))] for each in tags]
        return Answer(outputs={"tags": encoded([tag for each in padded for tag in each], (len(tags), longest))})

    def read(inputs: Mapping[str, np.ndarray]) -> list[tuple[list[str], int]]:
        width = inputs["tokens"].shape[1]
        sentences = [texts_of("tokens", row.tolist()) for row in sequences_of(inputs, "tokens")]
        read_sentences(sentences, width=0)  # refuses what cannot be used
        return [(tokens, width) for tokens in sentences]

    return ServedExamples(model.kind, signature, read=read, answer=answer, stepwise="tokens")
