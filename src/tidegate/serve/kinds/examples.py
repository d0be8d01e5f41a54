"""Models of whole examples over the wire: what is read of a request, and what is said of it, differs by kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import TidegateError
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.served import Answer, Asked, Rows, Signature

__all__ = ["ServedExamples", "class_names", "encoded", "sequences_of", "texts_of"]


class ServedExamples:
    """A model that is asked about examples, each by itself.

    Parameters
    ----------
    kind
        Of the model.
    signature
        Its inputs and outputs.
    read
        Gives the examples of a request, one a row. A `TidegateError` refuses the request.
    answer
        Says something of examples, as ``predict`` of the model does.
    stepwise
        Name of an input ``[row, time, …]`` whose every step is answered: only requests of as many steps go together.
    """

    def __init__(
        self,
        kind: str,
        signature: Signature,
        *,
        read: Callable[[Mapping[str, np.ndarray]], Sequence[Any]],
        answer: Callable[[list[Any]], Answer],
        stepwise: str | None = None,
    ) -> None:
        self.kind = kind
        self.signature = signature
        self._read = read
        self._answer = answer
        self._stepwise = stepwise

    def prepare(self, asked: Asked, most_rows: int) -> Rows:
        """Check a request and read its examples; see `tidegate.serve.served.Served`."""
        count = self.signature.check(asked, most_rows)
        try:
            examples = list(self._read(asked.inputs))
        except RequestError:
            raise
        except TidegateError as error:
            raise RequestError(Status.INVALID, str(error)) from error
        steps = 0 if self._stepwise is None else asked.inputs[self._stepwise].shape[1]
        return Rows(key=steps, count=count, parts={"examples": examples})

    def run(self, rows: Rows) -> Answer:
        """Say something of each example."""
        return self._answer(rows.parts["examples"])

    def continued(self, kept: Mapping[str, np.ndarray] | None, asked: Asked) -> Mapping[str, np.ndarray]:  # noqa: ARG002
        """Refuse: an example is whole. Raises `RequestError`."""
        raise RequestError(
            Status.UNSUPPORTED, f"a {self.kind.replace('_', ' ')} keeps no sequences; leave sequence_id out"
        )

    def from_rows(self, body: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Refuse: only forecasters have that page. Raises `RequestError`."""
        raise RequestError(
            Status.UNSUPPORTED, f"a {self.kind.replace('_', ' ')} makes no forecasts; ask its page infer"
        )


def sequences_of(inputs: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Cut an input ``[row, time, …]`` into its rows, each as long as ``lengths`` says. Raises `RequestError`."""
    array, lengths = inputs[name], inputs.get("lengths")
    if lengths is None:
        return list(array)
    wrong = lengths[(lengths < 1) | (lengths > array.shape[1])]
    if wrong.size:
        raise RequestError(
            Status.INVALID,
            f"input 'lengths' must lie between 1 and {array.shape[1]}, the steps of {name!r}; got {wrong[0]}",
        )
    return [row[:length] for row, length in zip(array, lengths.tolist(), strict=True)]


def texts_of(name: str, items: Iterable[bytes]) -> list[str]:
    """Decode text. Raises `RequestError` for bytes that are no UTF-8, naming their place."""
    texts = []
    for place, item in enumerate(items):
        try:
            texts.append(item.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise RequestError(
                Status.INVALID, f"input {name!r}: element {place} is no UTF-8, at byte {error.start}"
            ) from error
    return texts


def encoded(items: Iterable[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Write names as the elements of BYTES."""
    made = [str(item).encode() for item in items]
    array = np.empty(len(made), object)
    array[:] = made
    return array.reshape(shape)


def class_names(classes: npt.NDArray[Any]) -> Mapping[str, str]:
    """Give the parameter of an answer that says what the columns of its probabilities are."""
    return {"classes": json.dumps([str(name) for name in classes.tolist()], ensure_ascii=False)}
