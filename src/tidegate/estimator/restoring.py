"""Networks out of a model file, with care: nothing is built before the tensors are seen to fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from tidegate._core.seeds import seeded
from tidegate.errors import ShapeError
from tidegate.specs import Recurrent
from tidegate.specs.parts import Network, flat_parts, network_parts
from tidegate.training import History

__all__ = ["check_shapes", "layers_of", "restored_history", "restored_module"]

M = TypeVar("M", bound=nn.Module)


def restored_module(build: Callable[[], M], arrays: Mapping[str, Any], *, layers: int, device: torch.device) -> M:
    """Build a module around the arrays of a file.

    Parameters
    ----------
    build
        Makes the module that the file describes.
    arrays
        Its ``state_dict``.
    layers
        Layers that are described, each with several tensors.
    device
        Where it is to lie.

    Raises
    ------
    ValueError
        If more layers are described than the file has tensors: nothing of that size is built.
    ShapeError
        If a tensor is absent or of another shape; that is seen before memory is taken.
    """
    if layers > len(arrays):
        raise ValueError(f"{layers} layers are described, the file has {len(arrays)} tensors")
    with torch.device("meta"):
        check_shapes(build(), arrays)
    with seeded(0):  # the first weights, which are drawn, are replaced at once
        module = build()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return module.to(device).eval()


def check_shapes(module: nn.Module, arrays: Mapping[str, Any]) -> None:
    """Hold ``arrays`` against a module, which may lie on the meta device. Raises `ShapeError`."""
    for name, tensor in module.state_dict().items():
        if name not in arrays:
            raise ShapeError(f"the network described has a tensor {name!r}, which is absent")
        if tuple(arrays[name].shape) != tuple(tensor.shape):
            raise ShapeError(f"expected {name!r} of shape {list(tensor.shape)}, got {list(arrays[name].shape)}")


def layers_of(network: Network) -> int:
    """Count the layers that a network describes."""
    return sum(
        part.num_layers if isinstance(part, Recurrent) else getattr(part, "layers", 1)
        for part in flat_parts(network_parts(network))
    )


def restored_history(described: Mapping[str, Any]) -> History:
    """Build the curve of a training again; what JSON could not say was NaN."""
    history = History()
    logs = described["logs"]
    finite = {name: [math.nan if value is None else value for value in column] for name, column in logs.items()}
    history.load_dict({**described, "logs": finite})
    return history
