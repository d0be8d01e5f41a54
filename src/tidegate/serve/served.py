"""What the server needs of a model, whatever its kind: typed inputs, rows that can be joined, an answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tidegate.serve.faults import RequestError, Status
from tidegate.serve.tensors import TensorSpec

__all__ = ["Answer", "Asked", "Rows", "Served", "Signature", "joined"]

Parameters = Mapping[str, bool | int | float | str]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for inference, out of whatever protocol it came in.

    Parameters
    ----------
    inputs
        Arrays by name.
    parameters
        Of the request.
    outputs
        Names of those wanted; none stands for all.
    """

    inputs: Mapping[str, np.ndarray]
    parameters: Parameters
    outputs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The checked rows of a request.

    Parameters
    ----------
    key
        Requests with equal keys may be answered together; ``None`` is answered alone.
    count
        Rows.
    parts
        By name: arrays ``[row, …]``, or lists with an item a row.
    """

    key: Hashable
    count: int
    parts: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a model says: outputs ``[row, …]`` by name, and parameters that say how to read them."""

    outputs: Mapping[str, np.ndarray]
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def rows(self, start: int, stop: int) -> Answer:
        """Give the answer for some of the rows."""
        return Answer(
            outputs={name: array[start:stop] for name, array in self.outputs.items()}, parameters=self.parameters
        )


class Signature:
    """The inputs and outputs of a model.

    Parameters
    ----------
    inputs, outputs
        The first dimension of each is that of the rows.
    """

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self._specs = {spec.name: spec for spec in inputs}
        self._required = tuple(spec.name for spec in inputs if not spec.optional)
        self._given = frozenset(spec.name for spec in outputs)

    def check(self, asked: Asked, most_rows: int) -> int:
        """Hold a request against this, and count its rows.

        Raises
        ------
        RequestError
            If an input is unknown, absent, of another type or shape, or has another number of rows than the rest; an
            output is unknown; or there are more than ``most_rows``.
        """
        rows = -1
        for name, array in asked.inputs.items():
            spec = self._specs.get(name)
            if spec is None:
                raise RequestError(
                    Status.INVALID, f"there is no input {name[:80]!r}; there are {self._names(self.inputs)}"
                )
            spec.check(array)
            if rows not in (-1, len(array)):
                first = next(iter(asked.inputs))
                raise RequestError(
                    Status.INVALID, f"input {name!r} has {len(array)} rows, but {first!r} has {rows}; give as many"
                )
            rows = len(array)
        for name in self._required:
            if name not in asked.inputs:
                raise RequestError(
                    Status.INVALID, f"input {name!r} is missing; the model needs {', '.join(self._required)}"
                )
        for name in asked.outputs:
            if name not in self._given:
                raise RequestError(
                    Status.INVALID, f"there is no output {name[:80]!r}; there are {self._names(self.outputs)}"
                )
        if rows > most_rows:
            raise RequestError(Status.LARGE, f"the request has {rows} rows; at most {most_rows} are taken at once")
        return rows

    @staticmethod
    def _names(specs: Sequence[TensorSpec]) -> str:
        return ", ".join(spec.name for spec in specs)


class Served(Protocol):
    """A model, ready to answer. ``prepare`` runs where requests arrive, ``run`` in the model's own thread."""

    @property
    def kind(self) -> str:
        """The kind of the model."""
        ...

    @property
    def signature(self) -> Signature:
        """Its inputs and outputs."""
        ...

    def prepare(self, asked: Asked, most_rows: int) -> Rows:
        """Check a request, and bring its rows into the form that is joined. Raises `RequestError`."""
        ...

    def run(self, rows: Rows) -> Answer:
        """Answer rows, of one request or of several."""
        ...

    def continued(self, kept: Mapping[str, np.ndarray] | None, asked: Asked) -> Mapping[str, np.ndarray]:
        """Append the rows of a request to those that a sequence keeps, and drop what no answer reads any more.

        What comes back are the inputs that the request is answered from, and what the sequence keeps next.

        Raises
        ------
        RequestError
            If this kind of model has no sequences, or the rows do not go on from those kept.
        """
        ...

    def from_rows(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer rows as people write them; the body and the answer are of JSON types. Raises `RequestError`."""
        ...


def joined(parts: Sequence[Rows]) -> Rows:
    """Put the rows of several requests with one key behind each other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    together: dict[str, Any] = {}
    for name, part in first.parts.items():
        columns = [rows.parts[name] for rows in parts]
        together[name] = (
            np.concatenate(columns) if isinstance(part, np.ndarray) else [item for column in columns for item in column]
        )
    return Rows(key=first.key, count=sum(rows.count for rows in parts), parts=together)
