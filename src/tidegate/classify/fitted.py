"""Networks trained on whole series: what both estimators share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tidegate._core.seeds import derive_seed
from tidegate.classify.examples import require_channels
from tidegate.classify.network import Design, SeriesNetwork, SeriesObjective
from tidegate.classify.recipe import Recipe
from tidegate.classify.teaching import Lesson
from tidegate.data.batches import IntArray
from tidegate.data.ragged import Ragged, RaggedExamples
from tidegate.data.strata import stratified_holdout
from tidegate.estimator.restoring import layers_of, restored_history, restored_module
from tidegate.specs import Columns, Training, from_dict, to_dict
from tidegate.training import Callback, History
from tidegate.training.members import member_outputs, train_members
from tidegate.training.tuning import tune_members

__all__ = ["FittedSeries", "fine_tuned", "fit_series"]

_LEAST_STEPS, _MOST_STEPS = 800, 2_000  # by default
_PASSES = 60


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FittedSeries:
    """Trained networks and what they are built from.

    Parameters
    ----------
    design
        Of all of them.
    networks
        The members, in evaluation mode.
    history
        The curve of the first one's training.
    columns
        Of the table that was trained on, if it was one.
    """

    design: Design
    networks: nn.ModuleList
    history: History
    columns: Columns | None = None

    def outputs(self, sequences: Ragged) -> npt.NDArray[np.float32]:
        """Ask every member about every series: ``[member, series, output]``."""
        return member_outputs(self.networks, RaggedExamples(sequences))

    def described(self) -> dict[str, Any]:
        """Give what a file must keep beside arrays and parameters, in types of JSON."""
        design = self.design
        return {
            "channels": design.channels,
            "outputs": design.outputs,
            "missing": design.missing,
            "columns": None if self.columns is None else to_dict(self.columns),
            "history": self.history.to_dict(),
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give weights and scales by the names of the ``state_dict``."""
        return {name: tensor.cpu().numpy() for name, tensor in self.networks.state_dict().items()}

    @classmethod
    def restored(
        cls, recipe: Recipe, learned: Mapping[str, Any], arrays: Mapping[str, Any], device: torch.device
    ) -> FittedSeries:
        """Build the networks again; whatever does not fit raises."""
        names = ("channels", "outputs", "missing")
        design = recipe.design(**{name: learned[name] for name in names})
        networks = restored_module(
            lambda: nn.ModuleList(SeriesNetwork(design) for _ in range(recipe.members)),
            arrays,
            layers=recipe.members * layers_of(recipe.network),
            device=device,
        )
        columns = learned["columns"]
        return cls(
            design=design,
            networks=networks,
            history=restored_history(learned["history"]),
            columns=None if columns is None else from_dict(Columns, columns),
        )


def fit_series(
    recipe: Recipe,
    examples: RaggedExamples,
    *,
    outputs: int,
    loss: str,
    strata: IntArray,
    columns: Columns | None,
    device: torch.device,
    metrics: Sequence[str] = (),
    lesson: Lesson | None = None,
    callbacks: Sequence[Callback] = (),
) -> FittedSeries:
    """Train the networks of a recipe.

    Parameters
    ----------
    recipe
        What was asked for.
    examples
        Series with targets.
    outputs
        Numbers for each.
    loss, metrics
        As `SeriesObjective` and `fit` take them.
    strata
        The class of each example; each gives its share to the validation.
    columns
        Of the table that the series come from.
    lesson
        What a teacher says of them.
    device, callbacks
        Of the training.

    Raises
    ------
    DataError
        If a channel has no value at all, or no example can be held out.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    sequences = examples.sequences
    require_channels(sequences)
    missing = bool(np.isnan(sequences.flat).any())
    design = recipe.design(channels=sequences.flat.shape[1], outputs=outputs, missing=missing)
    examples, held = _held_out(examples, strata, recipe.training.validation, recipe.seed)
    steps = examples.sequences.flat

    def make() -> SeriesNetwork:
        network = SeriesNetwork(design)
        network.scaling.fit(steps)
        return network

    objective = SeriesObjective(loss)
    networks, history = train_members(
        make,
        examples if lesson is None else lesson.answered(examples, recipe.augmentation),
        objective if lesson is None else lesson.objective(objective, recipe.augmentation),
        validation=held,
        training=_with_steps(recipe.training, len(examples)),
        members=recipe.members,
        seed=recipe.seed,
        device=device,
        metrics=metrics,
        callbacks=lambda: callbacks,
    )
    return FittedSeries(design=design, networks=networks, history=history, columns=columns)


def fine_tuned(
    fitted: FittedSeries,
    examples: RaggedExamples,
    *,
    loss: str,
    strata: IntArray,
    training: Training,
    seed: int,
    metrics: Sequence[str] = (),
    callbacks: Sequence[Callback] = (),
) -> FittedSeries:
    """Train copies of the networks further; scales stay. Parameters and errors are those of `fit_series`."""
    examples, held = _held_out(examples, strata, training.validation, seed)
    networks, history = tune_members(
        fitted.networks,
        examples,
        SeriesObjective(loss),
        validation=held,
        training=training,
        seed=seed,
        metrics=metrics,
        callbacks=lambda: callbacks,
    )
    return dataclasses.replace(fitted, networks=networks, history=history)


def _held_out(
    examples: RaggedExamples, strata: IntArray, share: float, seed: int
) -> tuple[RaggedExamples, RaggedExamples | None]:
    """Give what trains, and what stops the training, a share of each class."""
    if not share:
        return examples, None
    kept, apart = stratified_holdout(strata, share, derive_seed(seed, "validation"))
    return examples.subset(kept), examples.subset(apart)


def _with_steps(training: Training, examples: int) -> Training:
    """Leave nobody without a number of steps: some passes over the data, within bounds."""
    if training.epochs is not None or training.max_steps is not None:
        return training
    steps = _PASSES * -(-examples // training.batch_size)
    return dataclasses.replace(training, max_steps=min(max(steps, _LEAST_STEPS), _MOST_STEPS))
