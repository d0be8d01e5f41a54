"""Requests that are as they should be, for any model that is served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tidegate.errors import UnsupportedError
from tidegate.serve.kinds import load_served
from tidegate.serve.served import Signature
from tidegate.serve.tensors import datatype_of, to_raw

__all__ = ["Question", "questions", "row_bodies"]

_ROWS, _STEPS, _HORIZON = 2, 20, 3
_TEXT = {"time": "2024-02-10", "series": "a", "categories": "even", "tokens": "Rome", "text": "The tide rises in ."}


class Question:
    """A request for inference.

    Parameters
    ----------
    model
        The name of the model.
    inputs
        Arrays by name.
    parameters
        Of the request.
    """

    def __init__(self, model: str, inputs: Mapping[str, np.ndarray], parameters: Mapping[str, Any]) -> None:
        self.model = model
        self.inputs = inputs
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """Write it as JSON."""
        made: dict[str, Any] = {"id": "7", "inputs": [self._listed(name) for name in self.inputs]}
        return made | ({"parameters": dict(self.parameters)} if self.parameters else {})

    def binary(self) -> tuple[dict[str, Any], bytes]:
        """Write it as JSON with binary tensors behind it."""
        raws = {name: to_raw(array) for name, array in self.inputs.items()}
        made = self.body()
        for item in made["inputs"]:
            del item["data"]
            item["parameters"] = {"binary_data_size": len(raws[item["name"]])}
        return made | {"parameters": {"binary_data_output": True}}, b"".join(raws.values())

    def _listed(self, name: str) -> dict[str, Any]:
        array = self.inputs[name]
        flat = array.ravel().tolist()
        data = [item.decode() for item in flat] if array.dtype.hasobject else flat
        return {"name": name, "datatype": datatype_of(array), "shape": list(array.shape), "data": data}


def questions(folder: Path) -> list[Question]:
    """Give two questions for each model of a folder, one of them with all that is optional."""
    made = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            signature = load_served(path).signature
        except UnsupportedError:  # not every kind is served
            continue
        made += [_question(path.stem, signature, whole=whole) for whole in (False, True)]
        if path.stem.startswith("forecaster-"):
            made[-1].parameters = {"timeout": 20_000_000, "quantiles": "0.1,0.5"}
            stream = {name: array[:1] for name, array in made[-2].inputs.items()}
            made.append(Question(path.stem, stream, {"sequence_id": 5, "sequence_start": True}))
    return made


def row_bodies(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Give a body of the page for people for each forecaster."""
    from fuzzing.samples import shops

    frame = shops().head(28)
    frame = frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%d"))
    rows = json.loads(json.dumps(frame.to_dict("records")))
    last = rows[-3:]
    future = [{"unique_id": "a", "ds": f"2024-01-{29 + step}", "price": 9.0} for step in range(_HORIZON)]
    return [
        (path.stem, {"rows": rows[:25] + last, "future": future} if "every" in path.stem else {"rows": rows})
        for path in sorted(folder.glob("forecaster-*.safetensors"))
    ]


def _question(model: str, signature: Signature, *, whole: bool) -> Question:
    rng = np.random.default_rng(0)
    inputs: dict[str, np.ndarray] = {}
    for spec in signature.inputs:
        if spec.optional and not whole:
            continue
        steps = _STEPS + (_HORIZON if spec.name == "known" else 0)
        shape = tuple(size if size > 0 else (_ROWS, steps)[axis] for axis, size in enumerate(spec.shape))
        if spec.datatypes[0] == "BYTES":
            inputs[spec.name] = np.full(shape, _TEXT[spec.name].encode(), object)
        elif spec.name == "lengths":
            inputs[spec.name] = np.array([_STEPS, _STEPS - 5])
        else:
            inputs[spec.name] = 5 + rng.standard_normal(shape)
    return Question(model, inputs, {})
