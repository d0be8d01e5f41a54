"""The two channels: results on standard output, remarks and progress on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tidegate.training import Callback

__all__ = ["Console", "strict_json"]


class Console:
    """Where a command speaks.

    Parameters
    ----------
    quiet
        Keep remarks and progress to oneself.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def remark(self, text: str) -> None:
        """Say something on standard error."""
        if not self._quiet:
            typer.echo(f"tidegate: {text}", err=True)

    def progress(self) -> list[Callback]:
        """Give the callbacks that show how far a training has come; on a terminal only."""
        from tidegate.training.callbacks.progress import Progress

        return [] if self._quiet or not sys.stderr.isatty() else [Progress()]

    def result(self, text: str) -> None:
        """Print a result on standard output."""
        typer.echo(text)

    def json(self, summary: Mapping[str, Any]) -> None:
        """Print a summary on standard output as JSON."""
        self.result(strict_json(summary))

    def table(self, rows: Sequence[Sequence[str]], *, numbers: bool = True) -> None:
        """Print rows on standard output, the first one a header; all columns but the first to the right, if numbers."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Console as Terminal
        from rich.table import Table
        from rich.text import Text

        header, *body = rows
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
        for place, name in enumerate(header):
            table.add_column(Text(name), justify="right" if place and numbers else "left")
        for row in body:
            table.add_row(*map(Text, row))  # as text: what stands in brackets is no markup
        # A pipe has no width; lines that a program reads must not be folded.
        Terminal(file=sys.stdout, width=None if sys.stdout.isatty() else 240).print(table)


def strict_json(value: Any) -> str:
    """Write JSON that every parser reads: numbers that are not finite become ``null``.

    >>> print(strict_json({"MASE": float("nan"), "steps": 3}))
    {
      "MASE": null,
      "steps": 3
    }
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
