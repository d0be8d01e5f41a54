"""The doors of an exported graph: named, typed inputs and outputs."""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import Tensor

from tidegate.errors import SpecError

__all__ = ["Port", "described"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Port:
    """An input or an output of a graph.

    Parameters
    ----------
    name
        What runtimes call it.
    axes
        One a dimension: the name of one that callers choose (``"batch"``, ``"time"``, ``"time+24"``), or its size.
        Those of outputs are found by tracing.
    meaning
        In words, with the unit.
    """

    name: str
    axes: tuple[str | int, ...] = ()
    meaning: str = ""

    def check(self, tensor: Tensor) -> None:
        """Hold an example against the port. Raises `SpecError`."""
        fixed = [size for size in self.axes if not isinstance(size, str)]
        found = [size for axis, size in zip(self.axes, tensor.shape, strict=False) if not isinstance(axis, str)]
        if tensor.ndim != len(self.axes) or fixed != found:
            raise SpecError(
                f"expected the example of {self.name!r} with the axes {_shown(self.axes)}; got {list(tensor.shape)}"
            )


def described(port: Port, dtype: str) -> dict[str, Any]:
    """Describe a port in types that JSON knows."""
    return {"name": port.name, "dtype": dtype, "axes": list(port.axes), "meaning": port.meaning}


def _shown(axes: tuple[str | int, ...]) -> str:
    return f"[{', '.join(map(str, axes))}]"
