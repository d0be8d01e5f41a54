"""Classifiers of texts over the wire: texts in, probabilities and classes out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import numpy as np

from tidegate.serve.kinds.examples import ServedExamples, class_names, encoded, texts_of
from tidegate.serve.served import Answer, Signature
from tidegate.serve.tensors import TensorSpec
from tidegate.text import TextClassifier

__all__ = ["serve"]


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedExamples:
    """Read a classifier from its file. Raises `ModelFileError`."""
    model = TextClassifier.load(path, device=device)
    names = class_names(model.classes_)
    signature = Signature(
        [TensorSpec(name="text", datatypes=("BYTES",), shape=(-1,))],
        [
            TensorSpec(name="probabilities", datatypes=("FP64",), shape=(-1, len(model.classes_))),
            TensorSpec(name="label", datatypes=("BYTES",), shape=(-1,)),
        ],
    )

    def answer(texts: list[str]) -> Answer:
        probabilities = model.predict_proba(texts)
        said = model.decide(probabilities)
        labels = (
            [json.dumps(each, ensure_ascii=False) for each in said] if model.several_ else np.asarray(said).tolist()
        )
        outputs = {"probabilities": probabilities, "label": encoded(labels, (len(texts),))}
        return Answer(outputs=outputs, parameters=names)

    def read(inputs: Mapping[str, np.ndarray]) -> list[str]:
        return texts_of("text", inputs["text"].tolist())

    return ServedExamples(model.kind, signature, read=read, answer=answer)
