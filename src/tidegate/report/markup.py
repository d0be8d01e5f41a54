"""Text on its way into HTML, into JSON inside HTML, and into plotly: escaped, each in its own way."""

from __future__ import annotations

import html
import json
import math
from typing import Any

import numpy as np

__all__ = ["chart_text", "embedded_json", "figures", "number", "text", "whole"]

# Inside <script> only these can end the script or open a comment; as JSON escapes they mean the same.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
# A chart is drawn a few hundred pixels high: six digits are more than it can show, and a third of the bytes.
_DIGITS = 6


def text(value: object) -> str:
    """Escape anything for HTML text and attributes.

    >>> text('<b>"A&B"</b>')
    '&lt;b&gt;&quot;A&amp;B&quot;&lt;/b&gt;'
    """
    return html.escape(str(value), quote=True)


def chart_text(value: object) -> str:
    """Escape anything for plotly, which reads tags such as ``<b>`` in titles and labels.

    >>> chart_text("a<br>b")
    'a&lt;br&gt;b'
    """
    return html.escape(str(value), quote=False)


def embedded_json(value: Any) -> str:
    """Give strict JSON that is safe inside a ``<script>`` element.

    >>> print(embedded_json(["</script>"]).count("<"))
    0
    """
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        written = written.replace(character, escape)
    return written


def figures(values: np.ndarray) -> list[float | int | None]:
    """Give numbers to draw: rounded to six significant digits, ``None`` where not finite.

    >>> import numpy as np
    >>> figures(np.array([1.23456789, np.nan, 30.0]))
    [1.23457, None, 30]
    """
    return [_short(float(value)) if math.isfinite(value) else None for value in values]


def number(value: float | None) -> str:
    """Write a number for people: four significant digits, thousands apart, a dash where there is none.

    >>> number(12.3456), number(0.012345), number(float("nan"))
    ('12.35', '0.01235', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{value:.3e}"
    decimals = max(0, 3 - math.floor(math.log10(size))) if size else 0
    written = f"{value:,.{decimals}f}".replace(",", "\u202f")
    return written.rstrip("0").rstrip(".") if decimals else written


def whole(value: int) -> str:
    """Write a whole number for people, thousands apart.

    >>> whole(1234567).replace("\u202f", " ")
    '1 234 567'
    """
    return f"{value:,}".replace(",", "\u202f")


def _short(value: float) -> float | int:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
