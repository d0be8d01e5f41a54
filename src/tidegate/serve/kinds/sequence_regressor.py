"""Regressors of whole series over the wire: series in, a number for each out."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tidegate.classify import SequenceRegressor
from tidegate.data.sequences import series_of
from tidegate.serve.kinds.examples import ServedExamples, sequences_of
from tidegate.serve.served import Answer, Signature
from tidegate.serve.tensors import TensorSpec

__all__ = ["serve"]


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedExamples:
    """Read a regressor from its file. Raises `ModelFileError`."""
    model = SequenceRegressor.load(path, device=device)
    channels = model.fitted_.design.channels
    signature = Signature(
        [
            TensorSpec(name="values", datatypes=("FP64", "FP32"), shape=(-1, -1, channels)),
            TensorSpec(name="lengths", datatypes=("INT64", "INT32"), shape=(-1,), optional=True),
        ],
        [TensorSpec(name="prediction", datatypes=("FP64",), shape=(-1,))],
    )

    def answer(series: list[np.ndarray]) -> Answer:
        return Answer(outputs={"prediction": model.predict(series)})

    def read(inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        series = sequences_of(inputs, "values")
        series_of(series, channels=channels)  # refuses what cannot be used
        return series

    return ServedExamples(model.kind, signature, read=read, answer=answer)
