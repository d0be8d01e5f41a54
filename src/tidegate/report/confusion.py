"""What was taken for what, as HTML that needs no script: a shaded matrix, or a list where classes are many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tidegate.report.markup import text, whole
from tidegate.report.tables import figure_table

__all__ = ["LEVELS", "MOST_CLASSES", "confusion", "level"]

MOST_CLASSES = 20  # of a matrix: more do not fit a page
LEVELS = 8  # of shade
_MOST_CONFUSIONS = 25
_SIDEWAYS = 5  # so many columns have their names written downwards


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Show counts ``[true, predicted]`` of classes with these names."""
    array = np.asarray(counts, dtype=np.int64)
    return _matrix(array, names) if len(names) <= MOST_CLASSES else _list(array, names)


def level(share: float) -> int:
    """Give the shade of a share of 1, 0 to `LEVELS`; only of nothing it is 0.

    >>> level(0.0), level(0.001), level(0.5), level(1.0)
    (0, 1, 4, 8)
    """
    return min(math.ceil(LEVELS * share), LEVELS) if share > 0 else 0


def _matrix(counts: np.ndarray, names: Sequence[str]) -> str:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    down = ' class="down"' if len(names) >= _SIDEWAYS or max(map(len, names)) > 12 else ""
    head = "".join(f'<th scope="col"{down} title="{text(name)}"><span>{text(name)}</span></th>' for name in names)
    rows = []
    for true, name in enumerate(names):
        cells = "".join(
            f'<td class="{"hit" if true == column else "miss"} w{level(shares[true, column])}">'
            f"{whole(int(counts[true, column]))}</td>"
            for column in range(len(names))
        )
        rows.append(f'<tr><th scope="row">{text(name)}</th>{cells}</tr>')
    return (
        '<p class="faint">Down: what it was. Across: what it was taken for. The diagonal, framed, is right; the darker '
        "a cell, the larger its share of its row.</p>"
        '<div class="wide" tabindex="0" role="region" aria-label="What was taken for what">'
        f'<table class="heat"><thead><tr><th scope="col">was</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _list(counts: np.ndarray, names: Sequence[str]) -> str:
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    places = [(int(place) // len(names), int(place) % len(names)) for place in order if wrong.flat[place]]
    if not places:
        return "<p>No example was taken for one of another class.</p>"
    rows = {
        f"{names[true]} → {names[taken]}": {
            "count": float(wrong[true, taken]),
            "share": 100 * float(wrong[true, taken] / counts[true].sum()),
        }
        for true, taken in places
    }
    columns = {"count": "how often", "share": "per cent of what it was"}
    caption = f"The most frequent of {whole(int(wrong.sum()))} mistakes: what it was → what it was taken for."
    return figure_table(rows, columns, caption, head="Mistake")
