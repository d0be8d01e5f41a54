"""Bodies of the REST protocol: JSON, with the binary tensors of its extension behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tidegate.serve.faults import RequestError, Status
from tidegate.serve.served import Answer, Asked
from tidegate.serve.tensors import datatype_of, elements_of, from_list, from_raw, to_raw

__all__ = ["asked_of", "json_bytes", "json_object", "response_of"]

_KEYS: Mapping[str, type] = {"id": str, "parameters": dict, "inputs": list, "outputs": list}
_MOST_TENSORS = 100


def json_object(body: bytes | memoryview) -> dict[str, Any]:
    """Read an object of JSON, strictly: NaN and Infinity, which JSON has not, are refused. Raises `RequestError`."""

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON; write null for a missing value")

    try:
        found = json.loads(bytes(body), parse_constant=constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestError(Status.INVALID, f"the body is no JSON: {reason}") from error
    if not isinstance(found, dict):
        raise RequestError(Status.INVALID, "the body must be a JSON object")
    return found


def json_bytes(value: Any) -> bytes:
    """Write JSON; text that is no Unicode, which a client may have sent as an escape, goes back as it came."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return written.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def asked_of(body: bytes, header: int | None) -> tuple[Asked, str | None, Mapping[str, bool]]:
    """Read a request for inference.

    Parameters
    ----------
    body
        Of the HTTP request.
    header
        Bytes of its JSON, from ``Inference-Header-Content-Length``; the rest are binary tensors. ``None``: all of it.

    Returns
    -------
    asked, id, binary
        The request; its id; and for each output whether it is to come as binary data, ``""`` standing for the rest.

    Raises
    ------
    RequestError
        If it is of another form.
    """
    if header is not None and not 0 <= header <= len(body):
        raise RequestError(
            Status.INVALID, f"Inference-Header-Content-Length is {header}, the body has {len(body)} bytes"
        )
    length = len(body) if header is None else header
    content = json_object(memoryview(body)[:length])
    for name, kind in _KEYS.items():
        if name in content and not isinstance(content[name], kind):
            raise RequestError(Status.INVALID, f"{name!r} of the body must be {_article(kind)}")
    inputs = _inputs(content.get("inputs"), memoryview(body)[length:])
    parameters = _parameters("the request", content.get("parameters", {}))
    outputs = [_named("outputs", place, item) for place, item in enumerate(content.get("outputs", []))]
    binary = {"": parameters.get("binary_data_output") is True}
    for name, item in outputs:
        binary[name] = _parameters(f"output {name[:80]!r}", item.get("parameters", {})).get("binary_data") is True
    asked = Asked(inputs=inputs, parameters=parameters, outputs=tuple(name for name, _ in outputs))
    return asked, content.get("id"), binary


def response_of(
    model: tuple[str, str], identifier: str | None, asked: Asked, answer: Answer, binary: Mapping[str, bool]
) -> tuple[bytes, int | None]:
    """Write an answer: the body, and the bytes of its JSON if binary tensors follow."""
    outputs, raws = [], []
    for name in asked.outputs or answer.outputs:
        array = answer.outputs[name]
        output: dict[str, Any] = {"name": name, "datatype": datatype_of(array), "shape": list(array.shape)}
        if binary.get(name, binary[""]):
            raws.append(to_raw(array))
            output["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            output["data"] = _listed(array)
        outputs.append(output)
    content: dict[str, Any] = {"model_name": model[0], "model_version": model[1]}
    if identifier is not None:
        content["id"] = identifier
    if answer.parameters:
        content["parameters"] = dict(answer.parameters)
    head = json_bytes({**content, "outputs": outputs})
    return (head + b"".join(raws), len(head)) if raws else (head, None)


def _inputs(given: Any, raw: memoryview) -> dict[str, np.ndarray]:
    if not given:
        raise RequestError(Status.INVALID, "the body needs 'inputs': a list of tensors")
    if len(given) > _MOST_TENSORS:
        raise RequestError(Status.LARGE, f"the body holds {len(given)} inputs; at most {_MOST_TENSORS} are taken")
    inputs: dict[str, np.ndarray] = {}
    place = 0
    for number, item in enumerate(given):
        name, tensor = _named("inputs", number, item)
        if name in inputs:
            raise RequestError(Status.INVALID, f"input {name[:80]!r} is given twice")
        datatype, shape = _described(name, tensor)
        size = _parameters(f"input {name[:80]!r}", tensor.get("parameters", {})).get("binary_data_size")
        if size is None:
            inputs[name] = from_list(name, datatype, shape, _data(name, tensor, shape, datatype))
            continue
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(raw) - place or "data" in tensor:
            raise RequestError(
                Status.INVALID,
                f"input {name[:80]!r}: binary_data_size must be a number of bytes that follow the JSON "
                f"({len(raw) - place} are left), without 'data' beside it; got {str(size)[:40]}",
            )
        inputs[name] = from_raw(name, datatype, shape, raw[place : place + size])
        place += size
    if place != len(raw):
        raise RequestError(Status.INVALID, f"{len(raw) - place} bytes follow the JSON that belong to no input")
    return inputs


def _named(where: str, place: int, item: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise RequestError(Status.INVALID, f"{where}[{place}] must be an object with a 'name'")
    return item["name"], item


def _described(name: str, tensor: Mapping[str, Any]) -> tuple[str, list[int]]:
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if not isinstance(datatype, str):
        raise RequestError(Status.INVALID, f"input {name[:80]!r} needs a 'datatype' such as \"FP64\"")
    whole = isinstance(shape, list) and all(isinstance(size, int) and not isinstance(size, bool) for size in shape)
    if not whole:
        raise RequestError(Status.INVALID, f"input {name[:80]!r} needs a 'shape': a list of whole numbers")
    assert isinstance(shape, list)
    return datatype, shape


def _data(name: str, tensor: Mapping[str, Any], shape: Sequence[int], datatype: str) -> list[Any]:
    """Give the elements of a tensor, row by row, out of a flat list or a nested one; null is NaN."""
    data = tensor.get("data")
    if not isinstance(data, list):
        raise RequestError(Status.INVALID, f"input {name[:80]!r} needs its elements in 'data', a list")
    elements_of(name, shape)
    flat = list(_flat(data, len(shape))) if any(isinstance(item, list) for item in data) else data
    if datatype.startswith("FP"):
        return [float("nan") if item is None else item for item in flat]
    return flat


def _flat(data: Sequence[Any], depth: int) -> Iterator[Any]:
    for item in data:
        if isinstance(item, list) and depth > 1:
            yield from _flat(item, depth - 1)
        else:
            yield item


def _parameters(where: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise RequestError(Status.INVALID, f"'parameters' of {where} must be an object")
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            raise RequestError(
                Status.INVALID, f"parameter {name[:80]!r} of {where} must be a number, text, true or false"
            )
    return given


def _listed(array: np.ndarray) -> list[Any]:
    flat = array.ravel().tolist()
    if array.dtype.hasobject:
        return [item.decode("utf-8", "replace") for item in flat]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [item if np.isfinite(item) else None for item in flat]
    return flat


def _article(kind: type) -> str:
    return {"str": "text", "dict": "an object", "list": "a list"}[kind.__name__]
