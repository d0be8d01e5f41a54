"""Single examples in the report of a classifier: texts with their weights on the words, or series as small charts."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.errors import ShapeError
from tidegate.report import charts
from tidegate.report.charts import View
from tidegate.report.confusion import level
from tidegate.report.markup import figures, number, text
from tidegate.report.page import chart

__all__ = ["Example", "drawn_examples", "notable", "shown_examples"]

_MOST_LETTERS = 600  # of a text
_MOST_CHANNELS = 3  # of a series: as many as there are kinds of line
_MOST_POINTS = 200  # of a channel
_PARTS = ("truth", "model", "baseline")
_LINES = ("solid", "dashed", "dotted")
# What HTML cannot hold: control characters and halves of surrogate pairs.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One example that a classifier was asked about.

    Parameters
    ----------
    true, predicted
        Names of the classes; of several labels, joined by commas.
    probability
        That the model gave to what it predicted.
    pieces
        Of a text: its parts in order, blanks included, so that they add up to it, each with its weight; 0 for what
        has none. Shades are relative to the largest weight of the text.
    series
        Of a series: ``[time]`` or ``[time, channel]``; NaN where nothing was observed.
    channels
        Names of the channels.
    """

    true: str
    predicted: str
    probability: float
    pieces: Sequence[tuple[str, float]] = ()
    series: np.ndarray | None = None
    channels: Sequence[str] = ()

    @property
    def right(self) -> bool:
        """Whether the model was right."""
        return self.true == self.predicted


def notable(
    right: npt.ArrayLike, confidence: npt.ArrayLike, *, wrong: int = 8, unsure: int = 4, sure: int = 4
) -> list[int]:
    """Choose examples worth a look: the surest mistakes, then of the right ones the least and the most sure.

    Parameters
    ----------
    right
        Whether the model was, bool ``[example]``.
    confidence
        How sure it was, ``[example]``.
    wrong, unsure, sure
        How many of each at most.

    Returns
    -------
    list of int
        Places, none twice; of equally sure ones the first.

    Raises
    ------
    ShapeError
        If the two are not ``[example]``, both of one length.

    Examples
    --------
    >>> notable([True, False, True, False], [0.9, 0.6, 0.7, 0.8], wrong=1, unsure=1, sure=1)
    [3, 2, 0]
    """
    good, sureness = np.asarray(right, dtype=bool), np.asarray(confidence, dtype=np.float64)
    if good.ndim != 1 or good.shape != sureness.shape:
        raise ShapeError(f"right and confidence must be [example], of one length; got {good.shape}, {sureness.shape}")
    descending = np.argsort(-sureness, kind="stable")
    mistakes, hits = descending[~good[descending]], descending[good[descending]]
    least = hits[::-1][:unsure]
    most = hits[: max(len(hits) - len(least), 0)][:sure]
    return [int(place) for place in (*mistakes[:wrong], *least, *most)]


def shown_examples(examples: Sequence[Example]) -> str:
    """Show all, the mistakes first."""
    groups = {
        "Mistaken": [place for place, one in enumerate(examples) if not one.right],
        "Right": [place for place, one in enumerate(examples) if one.right],
    }
    return "".join(
        f'<h3>{heading}</h3><div class="columns drawn">'
        f"{''.join(_shown(place, examples[place]) for place in places)}</div>"
        for heading, places in groups.items()
        if places
    )


def drawn_examples(examples: Sequence[Example]) -> dict[str, Any]:
    """Draw those that are series, under the names by which `shown_examples` places them."""
    return {_name(place): _drawn(one.series) for place, one in enumerate(examples) if one.series is not None}


def _shown(place: int, one: Example) -> str:
    heading = f"{one.true}" if one.right else f"{one.true}, taken for {one.predicted}"
    sure = f"probability {number(one.probability)}"
    if one.series is not None:
        names = _channel_names(one)
        said = f"{sure}{f'; {names}' if names else ''}"
        return chart(_name(place), label=f"A series of the class {one.true}", caption=said, small=heading)
    return (
        f'<figure class="example"><figcaption><strong>{text(heading)}</strong><br>{text(sure)}</figcaption>'
        f'<p class="words" dir="auto">{_shaded(one.pieces)}</p></figure>'
    )


def _shaded(pieces: Sequence[tuple[str, float]]) -> str:
    largest = max((weight for _, weight in pieces if math.isfinite(weight)), default=0.0)
    shown, left = [], _MOST_LETTERS
    for piece, weight in pieces:
        if left <= 0:
            break
        share = weight / largest if largest > 0 and math.isfinite(weight) else 0.0
        shown.append(_piece(piece[:left], weight, level(share)))
        left -= len(piece)
    if sum(len(piece) for piece, _ in pieces) > _MOST_LETTERS:
        shown.append("…")
    return "".join(shown) or '<span class="faint">(empty)</span>'


def _piece(piece: str, weight: float, shade: int) -> str:
    """Shade a piece, but not the blanks around it."""
    written = _UNWRITABLE.sub("\ufffd", piece)
    inner = written.strip()
    if not shade or not inner:
        return text(written)
    before, _, after = written.partition(inner)
    return f'{text(before)}<mark class="w{shade}" title="weight {number(weight)}">{text(inner)}</mark>{text(after)}'


def _drawn(series: np.ndarray) -> dict[str, Any]:
    whole = series[:, np.newaxis] if series.ndim == 1 else series
    lines = []
    for channel in range(min(whole.shape[1], _MOST_CHANNELS)):
        steps = _kept(whole[:, channel])
        lines.append(([int(step) + 1 for step in steps], figures(whole[steps, channel])))
    parts = [(part, "") for part in _PARTS[: len(lines)]]
    return charts.lines(parts, [View(lines=lines)], x="", small=True)


def _kept(values: np.ndarray) -> np.ndarray:
    """Give the steps to draw: all, or of a long series the lowest and the highest of each stretch."""
    if len(values) <= _MOST_POINTS:
        return np.arange(len(values))
    kept: list[int] = []
    for stretch in np.array_split(np.arange(len(values)), _MOST_POINTS // 2):
        inside = values[stretch]
        low, high = np.where(np.isfinite(inside), inside, np.inf), np.where(np.isfinite(inside), inside, -np.inf)
        kept += sorted({int(stretch[low.argmin()]), int(stretch[high.argmax()])})
    return np.array(kept)


def _channel_names(one: Example) -> str:
    count = one.series.shape[1] if one.series is not None and one.series.ndim == 2 else 1
    if count == 1:
        return ""
    names = [*one.channels, *(f"channel {place + 1}" for place in range(len(one.channels), count))]
    said = ", ".join(f"{line}: {name}" for line, name in zip(_LINES, names, strict=False))
    return said if count <= _MOST_CHANNELS else f"{said}; {count - _MOST_CHANNELS} more are not drawn"


def _name(place: int) -> str:
    return f"example-{place}"
