"""The model file: one safetensors file that holds everything a trained estimator knows, and no rows of its data.

=============  =====================================================================================
``kind``       what it is, a name of `tidegate.estimator.registry` ("forecaster")
``params``     the constructor's arguments, specs as nested tables
``learned``    what fitting found besides weights: the season, the column names, the training's history
``tidegate``   the version that wrote it
``stored``     which weights lie there in fewer bits, and how (`tidegate.estimator.storage`); absent if none
tensors        weights and buffers, by the names of the network's ``state_dict``
=============  =====================================================================================

No import path and no code stand in it: a name of the registry chooses what is built.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tidegate._core import tensorfile
from tidegate._core.version import __version__
from tidegate.errors import FileFormatError, ModelFileError, SpecError
from tidegate.estimator.storage import FLOAT32, Stored, as_stored, restored_arrays

__all__ = ["ModelFile", "ModelInfo", "as_read", "inspect_model", "read_model", "write_model"]

_FORMAT = "tidegate.model"
_VERSION = 2  # 2 knows of weights in fewer bits; a file without any is written as 1
_FIELDS = {"kind": str, "params": dict, "learned": dict, "tidegate": str}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a model file says of itself."""

    kind: str
    params: dict[str, Any]
    learned: dict[str, Any]
    tidegate: str  # the version that wrote it
    format_version: int
    shapes: dict[str, tuple[str, tuple[int, ...]]]  # tensor -> dtype, shape
    digest: str  # SHA-256 over description and tensors
    size: int  # bytes
    stored: Stored = dataclasses.field(default_factory=Stored)  # how its weights lie in the file


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file's description and its tensors, weights as float32 however they lie in the file."""

    info: ModelInfo
    arrays: dict[str, np.ndarray[Any, Any]]


def write_model(
    path: str | os.PathLike[str],
    *,
    kind: str,
    params: Mapping[str, Any],
    learned: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    weights: str = FLOAT32,
) -> None:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path
        Of the file.
    kind, params, learned, arrays
        Its content; NaN and infinity in ``learned`` become null.
    weights
        One of `tidegate.estimator.storage.STORAGES`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    SpecError
        If ``weights`` is unknown, or a weight does not fit.
    """
    description = {"kind": kind, "params": dict(params), "learned": _finite(dict(learned)), "tidegate": __version__}
    written, stored = as_stored(arrays, weights)
    if stored.weights != FLOAT32:
        description["stored"] = stored.to_dict()
    version = 1 if stored.weights == FLOAT32 else 2
    tensorfile.write(path, format=_FORMAT, version=version, description=description, arrays=written)


def as_read(
    *,
    kind: str,
    params: Mapping[str, Any],
    learned: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    weights: str = FLOAT32,
) -> ModelFile:
    """Give what would be read from a file that `write_model` would write; it has no digest and no size."""
    written, stored = as_stored(arrays, weights)
    info = ModelInfo(
        kind=kind,
        params=json.loads(json.dumps(dict(params))),
        learned=json.loads(json.dumps(_finite(dict(learned)))),
        tidegate=__version__,
        format_version=_VERSION,
        shapes={},
        digest="",
        size=0,
        stored=stored,
    )
    return ModelFile(info=info, arrays=restored_arrays(written, stored))


def inspect_model(path: str | os.PathLike[str]) -> ModelInfo:
    """Read what a model file says of itself, without its tensors and without checking its digest.

    Raises
    ------
    MissingFileError
        If there is no file.
    ModelFileError
        If it is truncated, of another format or of a newer version.
    """
    with _model_errors():
        return _info(str(path), tensorfile.read_header(path, format=_FORMAT, version=_VERSION))


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file; digest, sizes and finiteness are checked. Raises as `inspect_model`."""
    with _model_errors():
        content = tensorfile.read(path, format=_FORMAT, version=_VERSION)
    info = _info(str(path), content.header)
    for name, array in content.arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelFileError(f"{str(path)!r} cannot be used: tensor {name!r} holds NaN or infinite values")
    try:
        arrays = restored_arrays(content.arrays, info.stored)
    except ModelFileError as error:
        raise ModelFileError(f"{str(path)!r} cannot be used: {error}") from error
    return ModelFile(info=info, arrays=arrays)


def _info(path: str, header: tensorfile.Header) -> ModelInfo:
    for field, kind in _FIELDS.items():
        if not isinstance(header.description.get(field), kind):
            raise ModelFileError(f"{path!r} is no usable model file: its description has no {field!r}")
    return ModelInfo(
        **{field: header.description[field] for field in _FIELDS},
        format_version=header.version,
        shapes=header.shapes,
        digest=header.digest,
        size=header.size,
        stored=_stored(path, header.description),
    )


def _stored(path: str, description: Mapping[str, Any]) -> Stored:
    if "stored" not in description:
        return Stored()
    try:
        return Stored.from_dict(description["stored"])
    except (LookupError, SpecError, TypeError) as error:
        raise ModelFileError(f"{path!r} is no usable model file: it does not say how weights are stored") from error


@contextmanager
def _model_errors() -> Iterator[None]:
    try:
        yield
    except FileFormatError as error:
        raise ModelFileError(str(error)) from error


def _finite(value: Any) -> Any:
    """Put ``None`` for what JSON cannot say."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
