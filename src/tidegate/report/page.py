"""The page around a report: one HTML file with everything inside and nothing fetched."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.report.markup import embedded_json, text

__all__ = ["Section", "chart", "page"]

_BEYOND_ASCII = re.compile("[^\x00-\x7f]")


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, its heading, and its content as HTML."""

    anchor: str
    heading: str
    content: str


def chart(name: str, *, label: str, caption: str, small: str = "") -> str:
    """Give the place of a chart: ``label`` is for those who cannot see it, ``caption`` says how to read it.

    A small one has a title, ``small``, and the caption below that, both above the chart.
    """
    kind = "chart small" if small else "chart"
    place = f'<div class="{kind}" data-chart="{text(name)}" role="img" aria-label="{text(label)}"></div>'
    if small:
        return f"<figure><figcaption><strong>{text(small)}</strong><br>{text(caption)}</figcaption>{place}</figure>"
    return f"<figure>{place}<figcaption>{text(caption)}</figcaption></figure>"


def page(title: str, lead: str, sections: Sequence[Section], charts: Mapping[str, Any], *, first: int) -> str:
    """Put a page together.

    Parameters
    ----------
    title
        Plain text; it is escaped here.
    lead
        What stands before the first section, as HTML.
    sections
        In order; a list of links to them stands under ``lead``. Those without content are left out.
    charts
        The plotly specification of each chart by the name under which `chart` placed it.
    first
        The view that charts with several views show first.
    """
    filled = [part for part in sections if part.content]
    links = "".join(f'<li><a href="#{part.anchor}">{text(part.heading)}</a></li>' for part in filled)
    body = "".join(
        f'<section id="{part.anchor}"><h2>{text(part.heading)}</h2>{part.content}</section>\n' for part in filled
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(title)}</title>
<link rel="icon" href="data:,">
<style>
{_asset("report.css")}</style>
</head>
<body data-first="{first}">
<header><h1>{text(title)}</h1>
{lead}
<nav aria-label="Sections"><ul>{links}</ul></nav></header>
<noscript><p>The charts need JavaScript; all scores and settings are readable without.</p></noscript>
<main>
{body}</main>
<footer><p>Made by Tidegate. This file is complete in itself: it fetches nothing.</p></footer>
<script type="application/json" id="charts">{embedded_json(charts)}</script>
<script type="text/plain" id="library">{_library()}</script>
<script>
{_asset("report.js")}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return importlib.resources.files("tidegate.report").joinpath("assets", name).read_text(encoding="utf-8")


@functools.cache
def _library() -> str:
    # Plotly's basic bundle as it is published (lines, bars, pies): a quarter of the whole library, which is what the
    # plotly package brings, and drawn three times as soon. Neither of these two may stand in a script element; inside
    # the strings of a program the backslash changes nothing.
    program = _asset("plotly-basic.min.js").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    # A few letters beyond ASCII would make the browser hold, and parse, a million characters at two bytes each.
    return _BEYOND_ASCII.sub(_escaped, program)


def _escaped(match: re.Match[str]) -> str:
    """Write a character as JavaScript's strings and patterns can: in one or two UTF-16 units."""
    units = match.group().encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
