"""The part of a report about the training: the loss of each epoch, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.report.page import chart

__all__ = ["training_section"]


def training_section(losses: Mapping[str, Sequence[float]], *, of: str = "rows") -> str:
    """Place the chart ``"training"`` and say how to read it, or say that there is nothing to draw.

    Parameters
    ----------
    losses
        Of each epoch: ``loss``, and ``val_loss`` where there was a validation.
    of
        What a loss is the mean of.
    """
    if not any(losses.values()):
        return "<p>This model came from a file; its training is not recorded in it.</p>"
    return chart(
        "training",
        label="Loss of each epoch",
        caption=f"Both lines should fall and flatten. Where the dotted one ({of} kept aside) rises while the "
        f"dashed one falls, the model begins to learn the training {of} by heart; the best epoch is kept.",
    )
