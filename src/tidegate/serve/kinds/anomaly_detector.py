"""Detectors over the wire: series in, a score and a verdict for each step out."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tidegate.anomaly import AnomalyDetector
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds.examples import ServedExamples, sequences_of
from tidegate.serve.served import Answer, Signature
from tidegate.serve.tensors import TensorSpec

__all__ = ["serve"]


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedExamples:
    """Read a detector from its file. Raises `ModelFileError`."""
    model = AnomalyDetector.load(path, device=device)
    channels, least = len(model.columns_.targets), model.least_rows_
    signature = Signature(
        [
            TensorSpec(name="values", datatypes=("FP64", "FP32"), shape=(-1, -1, channels)),
            TensorSpec(name="lengths", datatypes=("INT64", "INT32"), shape=(-1,), optional=True),
        ],
        [
            TensorSpec(name="score", datatypes=("FP64",), shape=(-1, -1)),
            TensorSpec(name="is_anomaly", datatypes=("BOOL",), shape=(-1, -1)),
        ],
    )

    def answer(series: list[tuple[np.ndarray, int]]) -> Answer:
        width = series[0][1]
        score, found = np.full((len(series), width), np.nan), np.zeros((len(series), width), bool)
        for row, (values, _) in enumerate(series):
            score[row, : len(values)] = model.decision_function(values)
            found[row, : len(values)] = model.predict(values)
        return Answer(outputs={"score": score, "is_anomaly": found})

    def read(inputs: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, int]]:
        width = inputs["values"].shape[1]
        series = [values.astype(np.float64) for values in sequences_of(inputs, "values")]
        short = min(map(len, series))
        if short < least:
            raise RequestError(
                Status.INVALID, f"a row of input 'values' has {short} steps; the model needs {least} at least"
            )
        return [(values, width) for values in series]

    return ServedExamples(model.kind, signature, read=read, answer=answer, stepwise="values")
