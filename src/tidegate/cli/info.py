"""``tidegate info``: what a model file says of itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from typer import Argument

from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json

__all__ = ["Options", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate info`` takes."""

    model: Annotated[Path, Argument(help="A model file.")]
    json: Json = False
    debug: Debug = False


def run(options: Options) -> None:
    """Describe a model file.

    What it is, how it was made and what it holds; the content is checked, nothing is built from it.
    """
    from tidegate.estimator.modelfile import read_model

    console = Console()
    info = read_model(options.model).info
    weights = sum(math.prod(shape) for _, shape in info.shapes.values())
    if options.json:
        tensors = {name: {"dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in info.shapes.items()}
        console.json(
            {
                "kind": info.kind,
                "tidegate": info.tidegate,
                "format_version": info.format_version,
                "sha256": info.digest,
                "bytes": info.size,
                "numbers": weights,
                "weights": info.stored.weights,
                "params": info.params,
                "learned": info.learned,
                "tensors": tensors,
            }
        )
        return
    console.table(
        [
            (str(options.model), ""),
            ("kind", info.kind),
            ("written by", f"tidegate {info.tidegate}, format {info.format_version}"),
            ("size", f"{info.size} bytes; {weights} numbers in {len(info.shapes)} tensors"),
            ("weights", info.stored.weights),
            ("SHA-256", f"{info.digest} (checked)"),
            *_lines(info.params),
            *_lines(
                {name: value for name, value in info.learned.items() if name not in ("history", "notes")}, "learned."
            ),
        ],
        numbers=False,
    )


def _lines(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Flatten nested settings: ``network.cell``, ``network.hidden_size`` and so on."""
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _lines(value, f"{above}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append((f"{above}{name}", shown))
    return lines
