"""The state that recurrent layers carry from batch to batch: reset, put aside, put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

from torch import Tensor, nn

__all__ = ["load_transient_buffers", "reset_states", "stateful_layers", "states_aside", "transient_buffers"]

Buffers: TypeAlias = dict[str, Tensor | None]


def stateful_layers(module: nn.Module) -> list[nn.Module]:
    """List the submodules that carry a state: with ``reset_states()``, and not ``stateful=False``."""
    return [layer for layer in module.modules() if callable(getattr(layer, "reset_states", None)) and _carries(layer)]


def reset_states(module: nn.Module) -> None:
    """Let every layer with a state begin anew."""
    for layer in stateful_layers(module):
        layer.reset_states()  # type: ignore[operator]


def transient_buffers(module: nn.Module) -> Buffers:
    """Copy the non-persistent buffers, which a ``state_dict`` leaves out: recurrent states are among them."""
    # nn.Module has no public way to list buffers that are None or non-persistent.
    buffers: Buffers = {}
    for prefix, layer in module.named_modules():
        for name in sorted(layer._non_persistent_buffers_set):
            value = layer._buffers[name]
            buffers[f"{prefix}.{name}"] = None if value is None else value.clone()
    return buffers


def load_transient_buffers(module: nn.Module, buffers: Buffers) -> None:
    """Put back what `transient_buffers` copied, on the devices where the module lies."""
    layers = dict(module.named_modules())
    parameter = next(module.parameters(), None)
    for full, value in buffers.items():
        prefix, _, name = full.rpartition(".")
        device = None if parameter is None else parameter.device
        layers[prefix]._buffers[name] = None if value is None else value.clone().to(device or value.device)


@contextlib.contextmanager
def states_aside(module: nn.Module) -> Iterator[None]:
    """Run a block with every layer's state reset; give the present states back afterwards."""
    layers = stateful_layers(module)
    if not layers:
        yield
        return
    present = transient_buffers(module)
    reset_states(module)
    try:
        yield
    finally:
        load_transient_buffers(module, present)


def _carries(layer: nn.Module) -> bool:
    # The layers of tidegate.nn keep the switch among their options; a layer of the user's own may have it as attribute.
    return bool(getattr(getattr(layer, "options", layer), "stateful", True))
