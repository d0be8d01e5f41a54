"""What ``tidegate predict`` and ``tidegate evaluate`` make of a tagger."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate import __version__

if TYPE_CHECKING:
    from tidegate.cli.console import Console

__all__ = ["evaluated", "predicted"]


def predicted(model: Path, path: Path, console: Console) -> str:
    """Tag the sentences of a CoNLL file: its text, with the tags in a last column.

    Tags that stand in the file already are kept to their left, as conlleval reads them.
    """
    from tidegate.data.conll import conll_text, read_conll
    from tidegate.text import Tagger

    tagger = Tagger.load(model)
    sentences = read_conll(path, tagged=None, width=tagger.columns_)
    if sentences.tags is None:
        console.remark(f"{len(sentences)} sentences; their tags are the last column")
    else:
        console.remark(f"{len(sentences)} sentences; behind the tags of the file stand those of the model")
    return conll_text(sentences, tagger.predict(dataclasses.replace(sentences, tags=None)))


def evaluated(model: Path, path: Path, console: Console) -> dict[str, Any]:
    """Score a tagger on the tagged sentences of a CoNLL file, beside the most frequent tags."""
    from tidegate.data.conll import read_conll
    from tidegate.text import Tagger

    tagger = Tagger.load(model)
    sentences = read_conll(path, width=tagger.columns_)
    console.remark(f"{len(sentences)} sentences; scores by conlleval's rules, from 0 to 1")
    return {"tidegate": __version__, "sentences": len(sentences)} | tagger.evaluate(sentences).to_dict()
