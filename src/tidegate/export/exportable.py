"""What an export is made of, whatever kind of model it comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.export.ports import Port

__all__ = ["Arrays", "Exportable"]

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Exportable:
    """A model, made ready for export.

    Parameters
    ----------
    kind
        Of the estimator; ``"module"`` for a plain module.
    module
        What is traced: from the inputs, in order, to the outputs, in order.
    positional
        How many of the inputs the module takes by place; the others it takes by name.
    inputs, outputs
        The graph's doors.
    reference
        What the model itself answers to the inputs by name: the outputs in order. The graph is held against it.
    sample
        Draws inputs of ``(generator, batch, time)``, rows of several lengths among them where there are lengths.
    times
        At which numbers of steps the graph is tried.
    metadata
        What stands in the file about the model, in types that JSON knows.
    notes
        What is to be known of the export, for people.
    """

    kind: str
    module: nn.Module
    positional: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    reference: Callable[[Mapping[str, Tensor]], tuple[Tensor, ...]]
    sample: Callable[[np.random.Generator, int, int], Arrays]
    times: tuple[int, ...]
    metadata: dict[str, Any]
    notes: tuple[str, ...] = ()

    def examples(self) -> list[Tensor]:
        """Draw an example of each input, in order."""
        drawn = self.sample(np.random.default_rng(0), 3, self.times[-1])
        return [torch.from_numpy(np.asarray(drawn[port.name])) for port in self.inputs]

    def doors(self, axes: Sequence[tuple[str | int, ...]]) -> list[Port]:
        """Give the outputs with the axes that were found by tracing."""
        return [dataclasses.replace(port, axes=each) for port, each in zip(self.outputs, axes, strict=True)]
