"""Detectors over the wire: whole series in, or the next values of a stream, a score and a verdict for each step out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tidegate.anomaly import AnomalyDetector
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds.detector_streams import STREAM, Streams
from tidegate.serve.kinds.examples import ServedExamples, sequences_of
from tidegate.serve.served import Answer, Asked, Rows, Signature
from tidegate.serve.tensors import TensorSpec

__all__ = ["ServedDetector", "serve"]


class ServedDetector:
    """A fitted detector, ready to answer.

    Series that are asked for whole are judged as `AnomalyDetector.predict` does; those of a sequence step by step, as
    `AnomalyDetector.stream` does.

    Parameters
    ----------
    model
        Fitted.
    """

    kind = AnomalyDetector.kind

    def __init__(self, model: AnomalyDetector) -> None:
        self._whole = _whole(model)
        self._streams = Streams(model)
        self.signature = self._whole.signature

    def prepare(self, asked: Asked, most_rows: int) -> Rows:
        """Check a request; see `tidegate.serve.served.Served`."""
        if STREAM not in asked.inputs:
            return self._whole.prepare(asked, most_rows)
        return Rows(key=None, count=1, parts=asked.inputs)  # alone: a stream answers its requests in their order

    def run(self, rows: Rows) -> Answer:
        """Judge series."""
        return self._streams.run(rows.parts) if STREAM in rows.parts else self._whole.run(rows)

    def continued(self, kept: Mapping[str, np.ndarray] | None, asked: Asked) -> Mapping[str, np.ndarray]:
        """Append values to those of a sequence; see `tidegate.serve.served.Served`."""
        return self._streams.continued(kept, asked)

    def from_rows(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse: only forecasters have that page. Raises `RequestError`."""
        return self._whole.from_rows(body)


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedDetector:
    """Read a detector from its file. Raises `ModelFileError`."""
    return ServedDetector(AnomalyDetector.load(path, device=device))


def _whole(model: AnomalyDetector) -> ServedExamples:
    """Give what answers series that are whole."""
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
