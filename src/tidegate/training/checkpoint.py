"""A training in one file: all that it needs to go on as if nothing had happened. No pickle."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tidegate._core import tensorfile
from tidegate.errors import FileFormatError
from tidegate.specs import to_dict
from tidegate.training.feed import generator_state, set_generator_state
from tidegate.training.state import TrainingState
from tidegate.training.stateful import load_transient_buffers, transient_buffers

__all__ = ["restore", "save", "snapshot"]

_FORMAT, _VERSION = "tidegate.checkpoint", 1
_RAW: dict[str, torch.dtype] = {"bfloat16": torch.bfloat16}  # dtypes that numpy lacks travel as their bits
_Arrays: TypeAlias = dict[str, "np.ndarray[Any, Any]"]


def save(state: TrainingState, path: str | os.PathLike[str]) -> None:
    """Write the training to ``path``, whole or not at all. Only at a safe point. Raises `OutputError`."""
    arrays: _Arrays = {}
    description = {"identity": _identity(state), "state": _pack(snapshot(state), "", arrays)}
    tensorfile.write(path, format=_FORMAT, version=_VERSION, description=description, arrays=arrays)


def restore(state: TrainingState, path: str | os.PathLike[str]) -> None:
    """Let the training go on from where `save` was called.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If the file is truncated, altered, foreign, or of another training (module, optimiser, data, …). The training
        is left as it was.
    """
    file = tensorfile.read(path, format=_FORMAT, version=_VERSION)
    description = file.header.description
    try:
        identity, packed = description["identity"], description["state"]
        saved = _unpack(packed, file.arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(f"{str(path)!r} has a broken description: {error!r}") from error
    _check_identity(path, identity, _identity(state))
    _load(state, saved)


def snapshot(state: TrainingState) -> dict[str, Any]:
    """Collect everything that changes in a training."""
    return {
        "module": dict(state.module.state_dict()),
        "transient": transient_buffers(state.module),
        "stepper": state.stepper.state_dict(),
        "feed": state.feed.state_dict(),
        "averages": state.averages.state_dict(),
        "callbacks": [kept for callback in state.callbacks if (kept := callback.state_dict())],
        "history": state.history.to_dict(),
        "generators": generator_state(state.device),
        "counts": {name: getattr(state, name) for name in _COUNTS},
    }


_COUNTS = ("epoch", "step", "batches_in_epoch", "steps_in_epoch", "stopped")


def _load(state: TrainingState, saved: Mapping[str, Any]) -> None:
    state.module.load_state_dict(saved["module"])
    load_transient_buffers(state.module, saved["transient"])
    state.stepper.load_state_dict(saved["stepper"])
    state.feed.load_state_dict(saved["feed"])
    state.averages.load_state_dict(saved["averages"], state.device)
    keeping = [callback for callback in state.callbacks if callback.state_dict()]
    for callback, kept in zip(keeping, saved["callbacks"], strict=True):
        callback.load_state_dict(kept)
    state.history.load_dict(saved["history"])
    for name in _COUNTS:
        setattr(state, name, saved["counts"][name])
    set_generator_state(saved["generators"], state.device)


def _identity(state: TrainingState) -> dict[str, Any]:
    """Describe what must be the same for a checkpoint to fit."""
    named = [*state.module.state_dict().items()]
    return {
        "module": [[name, str(value.dtype), list(value.shape)] for name, value in named],
        "optimizer": [
            type(state.optimizer).__name__,
            *(len(group["params"]) for group in state.optimizer.param_groups),
        ],
        "training": to_dict(state.training),
        "metrics": list(state.averages.names),
        "callbacks": [type(callback).__name__ for callback in state.callbacks if callback.state_dict()],
        "batches": state.feed.declared_length,
        "device": state.device.type,
    }


def _check_identity(path: str | os.PathLike[str], saved: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    for name, value in present.items():
        if saved.get(name) == value:
            continue
        was, now = _difference(saved.get(name), value)
        raise FileFormatError(
            f"{str(path)!r} is the checkpoint of another training: {name} was {was}, here it is {now}; "
            "continue that training with what it began with, or delete the checkpoint to begin anew"
        )


def _difference(saved: Any, present: Any) -> tuple[Any, Any]:
    """Narrow two descriptions down to the first part that differs."""
    if isinstance(saved, dict) and isinstance(present, dict):
        for key in sorted(saved.keys() | present.keys()):
            if saved.get(key) != present.get(key):
                return f"{key}={saved.get(key)!r}", f"{key}={present.get(key)!r}"
    if isinstance(saved, list) and isinstance(present, list) and len(saved) == len(present):
        return next((a, b) for a, b in zip(saved, present, strict=True) if a != b)
    return saved, present


def _pack(value: Any, path: str, arrays: _Arrays) -> Any:
    """Turn nested containers of tensors and plain values into what JSON knows; tensors go to ``arrays``."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        value = value.detach().cpu().contiguous()
        arrays[path] = (value.view(torch.int16) if dtype in _RAW else value).numpy()
        return {"$tensor": path, "dtype": dtype}
    if isinstance(value, Mapping):
        return {"$items": [[key, _pack(item, f"{path}/{key}", arrays)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        packed = [_pack(item, f"{path}/{index}", arrays) for index, item in enumerate(value)]
        return {"$tuple": packed} if isinstance(value, tuple) else packed
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold the {type(value).__name__} at {path!r}; give tensors and plain values")


def _unpack(value: Any, arrays: _Arrays) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        tensor = torch.tensor(arrays[value["$tensor"]])
        return tensor.view(_RAW[value["dtype"]]) if value["dtype"] in _RAW else tensor
    if "$tuple" in value:
        return tuple(_unpack(item, arrays) for item in value["$tuple"])
    if "$float" in value:
        return float(value["$float"])
    return {key: _unpack(item, arrays) for key, item in value["$items"]}
