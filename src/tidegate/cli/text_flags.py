"""Options of ``tidegate classify`` that only texts have."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Option

__all__ = ["TextFlags"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextFlags:
    """What describes texts and how they are read; what is ``None`` is left to the estimator's defaults."""

    text: Annotated[str | None, Option("--text", help="Column of texts; without it, the rows are whole series.")] = None
    separator: Annotated[
        str | None, Option("--separator", help="What parts the labels of a text that may have several, such as ';'.")
    ] = None
    unit: Annotated[str | None, Option("--unit", help="What is read: words (default), characters or subwords.")] = None
    case: Annotated[bool, Option("--case", help="Tell capitals from small letters.")] = False
    max_length: Annotated[int | None, Option("--max-length", help="Tokens of a text that are read.")] = None
    embeddings: Annotated[Path | None, Option("--embeddings", help="Text file of GloVe or word2vec to begin with.")] = (
        None
    )
    wide: Annotated[
        str | None,
        Option("--wide", help="N-grams of the linear model: both (default), words, characters or none."),
    ] = None
