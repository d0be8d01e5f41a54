"""Classifiers of whole series over the wire: series in, probabilities and the likeliest class out."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tidegate.classify import SequenceClassifier
from tidegate.data.sequences import series_of
from tidegate.serve.kinds.examples import ServedExamples, class_names, encoded, sequences_of
from tidegate.serve.served import Answer, Signature
from tidegate.serve.tensors import TensorSpec

__all__ = ["serve"]


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedExamples:
    """Read a classifier from its file. Raises `ModelFileError`."""
    model = SequenceClassifier.load(path, device=device)
    channels = model.fitted_.design.channels
    classes = model.classes_
    names = class_names(classes)
    signature = Signature(
        [
            TensorSpec(name="values", datatypes=("FP64", "FP32"), shape=(-1, -1, channels)),
            TensorSpec(name="lengths", datatypes=("INT64", "INT32"), shape=(-1,), optional=True),
        ],
        [
            TensorSpec(name="probabilities", datatypes=("FP64",), shape=(-1, len(classes))),
            TensorSpec(name="label", datatypes=("BYTES",), shape=(-1,)),
        ],
    )

    def answer(series: list[np.ndarray]) -> Answer:
        probabilities = model.predict_proba(series)
        labels = model.labels_.decode(probabilities.argmax(axis=1))
        outputs = {"probabilities": probabilities, "label": encoded(labels.tolist(), (len(series),))}
        return Answer(outputs=outputs, parameters=names)

    def read(inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        series = sequences_of(inputs, "values")
        series_of(series, channels=channels)  # refuses what cannot be used
        return series

    return ServedExamples(model.kind, signature, read=read, answer=answer)
