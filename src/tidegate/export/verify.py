"""An exported graph held against the model that it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch

from tidegate.errors import StateError
from tidegate.export.exportable import Arrays, Exportable

__all__ = ["TOLERANCE", "Runs", "Session", "Trial", "relative_difference", "verified"]

TOLERANCE = 1e-4
_BATCHES = (1, 5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """One comparison: how many rows and steps, whether rows were of several lengths, and how far the answers lay."""

    batch: int
    time: int
    ragged: bool
    difference: float


class Runs(Protocol):
    """An exported file in a runtime."""

    def run(self, inputs: Arrays) -> Sequence[np.ndarray[Any, Any]]:
        """Answer inputs by name; the outputs in order."""
        ...


class Session:
    """A graph in ONNX Runtime, on the CPU.

    Parameters
    ----------
    content
        The file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Arrays) -> list[np.ndarray[Any, Any]]:
        """Answer inputs by name; the outputs in order. Inputs that the graph has no use for are left out."""
        names = {value.name for value in self._session.get_inputs()}
        answers: list[np.ndarray[Any, Any]] = self._session.run(
            None, {name: array for name, array in inputs.items() if name in names}
        )
        return answers


def verified(
    session: Runs, model: Exportable, *, batches: Sequence[int] = _BATCHES, seed: int = 0
) -> tuple[Trial, ...]:
    """Compare a graph with its model: at several numbers of steps, with one row and with many, ragged where it can be.

    Raises
    ------
    StateError
        If they lie further apart than `TOLERANCE`.
    """
    generator = np.random.default_rng(seed)
    trials = []
    for time in model.times:
        for batch in batches:
            given = model.sample(generator, batch, time)
            expected = model.reference({name: torch.from_numpy(np.asarray(array)) for name, array in given.items()})
            found = session.run(given)
            worst = 0.0
            for port, one, other in zip(model.outputs, found, expected, strict=True):
                difference = relative_difference(one, other.numpy())
                if not difference <= TOLERANCE:
                    raise StateError(
                        f"the exported graph answers otherwise than the model: {port.name!r} differs by "
                        f"{difference:.2g} relative with {batch} rows of {time} steps, and at most {TOLERANCE:g} is "
                        "allowed; nothing was written"
                    )
                worst = max(worst, difference)
            lengths = given.get("lengths")
            ragged = lengths is not None and bool((lengths != time).any())
            trials.append(Trial(batch=batch, time=time, ragged=ragged, difference=worst))
    return tuple(trials)


def relative_difference(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """Give the largest difference, relative to the largest number of the same row (the first axis).

    Whole numbers and truth values must be equal; so must places of NaN and infinity. Where that fails, or shapes do,
    it is infinite.

    >>> relative_difference(np.array([[1.0, 100.0], [1.0, 1.0]]), np.array([[1.0, 101.0], [1.0, 1.0]])).__round__(4)
    0.0099
    """
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    if found.dtype.kind != "f":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    if not found.size:
        return 0.0
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return float("inf")
    rows = (len(found), -1) if found.ndim else (1, 1)
    ours, theirs = (np.where(finite, part, 0.0).reshape(rows).astype(np.float64) for part in (found, expected))
    size = np.abs(theirs).max(axis=1, keepdims=True)
    apart = np.abs(ours - theirs)
    return float((apart / np.where(size > 0, size, 1.0)).max())
