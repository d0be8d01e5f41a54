"""The door to training: any module, on arrays, datasets or batches."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tidegate._core.seeds import derive_seed, seeded
from tidegate.errors import SpecError
from tidegate.specs import Training
from tidegate.training.averages import Metric
from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.progress import Progress
from tidegate.training.history import History
from tidegate.training.inputs import as_batches, hold_out
from tidegate.training.loop import fit
from tidegate.training.losses import Loss
from tidegate.training.objective import Supervised
from tidegate.training.optimizers import OptimizerLike
from tidegate.training.stateful import stateful_layers

__all__ = ["train"]

_DEFAULT = Training()


def train(
    module: nn.Module,
    data: Any,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    loss: str | Loss = "mse",
    metrics: Sequence[str | Metric] = (),
    callbacks: Sequence[Callback] = (),
    optimizer: OptimizerLike | None = None,
    training: Training = _DEFAULT,
    seed: int | None = None,
) -> History:
    """Train a module, in place, where its parameters lie.

    Parameters
    ----------
    module
        Called with a batch's values (and ``lengths=`` where the batch has them and ``forward`` takes them); returns
        one tensor. It is left in evaluation mode.
    data
        ``(X, y)`` or ``(X, y, weight)`` of arrays or tensors, the examples along the first axis; a `Source` such as
        `Arrays`; a torch Dataset; or batches: `Batches`, `ContinuousBatches`, a DataLoader, a list. Examples are
        shuffled anew each pass; batches come as they are.
    epochs
        Passes over the data; wins over ``training.epochs``. With neither it nor ``training.max_steps``: one.
    batch_size
        Examples a batch; wins over ``training.batch_size``. Only for data that is not in batches yet.
    validation_split
        Share of the examples, the last ones in the order given, that is scored after each epoch and never trained
        on. It is cut off before anything is shuffled.
    validation_data
        Examples or batches to score instead, in any form that ``data`` may have.
    loss
        ``"mse"``, ``"mae"``, ``"huber"``, ``"cross_entropy"`` (logits, the classes last), or a callable
        ``(output, target) -> Tensor`` that gives one number an element, or a single number.
    metrics
        Names (the losses', ``"rmse"``, ``"accuracy"``) or callables ``(output, target)``.
    callbacks
        Called in this order. A progress bar is added where standard error is a terminal.
    optimizer
        A name, an `Optimizer`, one of `torch.optim`, or a callable that makes one from the parameters; wins over
        ``training.optimizer``.
    training
        Everything else. Its ``validation`` and ``patience`` belong to the estimators: here `EarlyStopping` among
        the callbacks says when to stop, and watches ``val_loss`` unless told otherwise.
    seed
        Of the shuffling and of torch's generator, which is given back untouched. With one seed, on one machine, the
        same training gives the same bits. Without, torch's present generator is used.

    Returns
    -------
    History
        ``history["loss"]``, ``history["val_loss"]``, … with one number an epoch.

    Raises
    ------
    SpecError
        If options do not go together.
    ShapeError, DataError
        If the data cannot be used. Output and target are never broadcast against each other.
    TrainingError
        If the loss is no longer finite, unless `TerminateOnNaN` is among the callbacks.

    Examples
    --------
    >>> import numpy as np, torch
    >>> X = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> net = torch.nn.Linear(1, 1)
    >>> history = train(net, (X, 3 * X + 1), epochs=100, training=Training(learning_rate=0.1), seed=0)
    >>> round(net.weight.item(), 2), round(net.bias.item(), 2)
    (3.0, 1.0)
    """
    training = _settle(training, epochs, batch_size)
    if not training.sampling.uniform:
        raise SpecError("training.sampling chooses among the windows of a table's series; arrays have none to tell")
    if validation_split and validation_data is not None:
        raise SpecError("validation_split and validation_data are two ways to say the same; give one")
    if validation_split:
        data, validation_data = hold_out(data, validation_split)
    with contextlib.nullcontext() if seed is None else seeded(seed):
        dealt = int(torch.randint(2**62, ())) if seed is None else derive_seed(seed, "batches")
        batches = as_batches(data, batch_size=training.batch_size, shuffle=True, seed=dealt)
        _check_batches(module, data, batches, batch_size)
        validation = (
            None
            if validation_data is None
            else as_batches(validation_data, batch_size=training.batch_size, shuffle=False, seed=0)
        )
        return fit(
            module,
            batches,
            Supervised(loss),
            training=training,
            validation=validation,
            metrics=metrics,
            callbacks=_with_progress(callbacks),
            optimizer=optimizer,
        )


def _settle(training: Training, epochs: int | None, batch_size: int | None) -> Training:
    given = {name: value for name, value in (("epochs", epochs), ("batch_size", batch_size)) if value is not None}
    return dataclasses.replace(training, patience=None, **given)  # type: ignore[arg-type]


def _check_batches(module: nn.Module, data: Any, batches: Any, batch_size: int | None) -> None:
    if batches is data:
        if batch_size is not None:
            raise SpecError(f"batch_size={batch_size} cannot change a {type(data).__name__}: it has batches already")
    elif stateful_layers(module):
        raise SpecError(
            "the module carries a state from batch to batch, which shuffled examples would mix up; "
            "give ContinuousBatches, or Batches(…, shuffle=False)"
        )


def _with_progress(callbacks: Sequence[Callback]) -> Sequence[Callback]:
    if not sys.stderr.isatty() or any(isinstance(callback, Progress) for callback in callbacks):
        return callbacks
    return [*callbacks, Progress()]
