"""The parts of a report that are text and tables, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.report.choice import Shown
from tidegate.report.markup import number, text
from tidegate.report.words import METRICS, OWN, best_models, model_name

__all__ = ["facts", "figure_table", "menu", "notes_list", "score_table", "settings_tables", "terms"]


def facts(pairs: Mapping[str, object]) -> str:
    """Show a few facts as tiles."""
    tiles = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs.items())
    return f'<dl class="facts">{tiles}</dl>'


def score_table(scores: Mapping[str, Mapping[str, float]], caption: str, *, known: Mapping[str, str] = METRICS) -> str:
    """Show the scores, a row a model and a column each that is ``known``; the best is bold and starred."""
    metrics = [name for name in known if any(name in values for values in scores.values())]
    best = {metric: best_models(scores, metric) for metric in metrics}
    head = "".join(f'<th scope="col">{text(metric)}</th>' for metric in metrics)
    rows = []
    for model, values in scores.items():
        cells = "".join(
            f'<td data-metric="{text(metric)}">{_value(values.get(metric), model in best[metric])}</td>'
            for metric in metrics
        )
        own = ' class="own"' if model == OWN else ""
        rows.append(f'<tr{own}><th scope="row">{text(model_name(model))}</th>{cells}</tr>')
    return (
        f'<table class="scores"><caption>{text(caption)}</caption>'
        f'<thead><tr><th scope="col">Model</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def figure_table(
    rows: Mapping[str, Mapping[str, float | None]], columns: Mapping[str, str], caption: str, *, head: str
) -> str:
    """Show named rows of numbers.

    Parameters
    ----------
    rows
        The numbers of each row, under the names of the columns.
    columns
        Of each column, its name in ``rows`` and its heading.
    caption
        What it shows.
    head
        The heading above the names of the rows.
    """
    headings = "".join(f'<th scope="col">{text(heading)}</th>' for heading in columns.values())
    lines = []
    for name, values in rows.items():
        cells = "".join(
            f'<td data-metric="{text(heading)}">{text(number(values.get(column)))}</td>'
            for column, heading in columns.items()
        )
        lines.append(f'<tr><th scope="row">{text(name)}</th>{cells}</tr>')
    return (
        f'<table class="scores"><caption>{text(caption)}</caption>'
        f'<thead><tr><th scope="col">{text(head)}</th>{headings}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    )


def terms(metrics: Mapping[str, str]) -> str:
    """Explain the metrics."""
    entries = "".join(f"<dt>{text(name)}</dt><dd>{text(meaning)}</dd>" for name, meaning in metrics.items())
    return f'<details><summary>What the scores mean</summary><dl class="terms">{entries}</dl></details>'


def settings_tables(settings: Mapping[str, Mapping[str, object]]) -> str:
    """Show groups of settings, a small table each."""
    tables = []
    for group, pairs in settings.items():
        rows = "".join(
            f'<tr><th scope="row">{text(name)}</th><td>{text(_plain(value))}</td></tr>' for name, value in pairs.items()
        )
        tables.append(f'<section><h3>{text(group)}</h3><table class="pairs"><tbody>{rows}</tbody></table></section>')
    return f'<div class="columns">{"".join(tables)}</div>'


def notes_list(notes: Sequence[str], *, nothing: str) -> str:
    """Show what was noticed in the data; ``nothing`` is said where that is nothing."""
    if not notes:
        return f"<p>{text(nothing)}</p>"
    return f"<ul>{''.join(f'<li>{text(note)}</li>' for note in notes)}</ul>"


def menu(shown: Sequence[Shown], labels: Sequence[str], selected: int, identity: str) -> str:
    """Show the chooser of the series; nothing where there is no choice."""
    if len(shown) < 2:
        return ""
    groups: dict[str, list[str]] = {}
    for index, (one, label) in enumerate(zip(shown, labels, strict=True)):
        chosen = " selected" if index == selected else ""
        score = f" (MASE {number(one.mase)})"
        option = f'<option value="{index}"{chosen}>{text(label)}{text(score)}</option>'
        groups.setdefault(one.group, []).append(option)
    options = "".join(
        f'<optgroup label="{text(name)}">{"".join(entries)}</optgroup>' if name else "".join(entries)
        for name, entries in groups.items()
    )
    return f'<label for="{identity}">Series <select class="series" id="{identity}">{options}</select></label>'


def _value(value: float | None, best: bool) -> str:
    shown = text(number(value))
    return f'<span class="best">{shown}</span>' if best else shown


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else value
