"""How every report ends: the training, what was noticed in the data, the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.report import tables
from tidegate.report.page import Section, chart

__all__ = ["closing_sections"]


def closing_sections(
    losses: Mapping[str, Sequence[float]],
    notes: Sequence[str],
    settings: Mapping[str, Mapping[str, object]],
    *,
    of: str,
    nothing: str,
) -> list[Section]:
    """Give the last sections of a report.

    Parameters
    ----------
    losses
        Of each epoch: ``loss``, and ``val_loss`` where there was a validation. Where there are any, the report has a
        chart ``"training"``, which `tidegate.report.charts.training_curve` draws.
    notes
        What was noticed in the data and mended.
    settings
        Groups of settings: name of the group, then names and values.
    of
        What a loss is the mean of, in the plural.
    nothing
        Said where there are no notes.
    """
    return [
        Section("training", "Training", _training(losses, of)),
        Section("data", "What was noticed in the data", tables.notes_list(notes, nothing=nothing)),
        Section("settings", "Settings", tables.settings_tables(settings)),
    ]


def _training(losses: Mapping[str, Sequence[float]], of: str) -> str:
    if not any(losses.values()):
        return "<p>This model came from a file; its training is not recorded in it.</p>"
    return chart(
        "training",
        label="Loss of each epoch",
        caption=f"Both lines should fall and flatten. Where the dotted one ({of} kept aside) rises while the "
        f"dashed one falls, the model begins to learn the training {of} by heart; the best epoch is kept.",
    )
