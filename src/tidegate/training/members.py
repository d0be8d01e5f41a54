"""Several networks trained on the same examples, and what each of them answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tidegate._core.seeds import derive_seed, seeded
from tidegate.data.batches import Batch, Batches, IntArray, Source
from tidegate.data.bucketing import BucketedBatches, in_length_order
from tidegate.data.ragged import RaggedSource
from tidegate.kernels.packing import packed
from tidegate.specs import Training, checks
from tidegate.training.averages import Metric
from tidegate.training.callbacks.base import Callback
from tidegate.training.feed import to_batch
from tidegate.training.history import History
from tidegate.training.loop import fit
from tidegate.training.objective import Objective

__all__ = ["member_outputs", "train_members"]

_LARGE = 256  # examples a batch where no gradient is needed


def train_members(
    make: Callable[[], nn.Module],
    source: RaggedSource,
    objective: Objective,
    *,
    validation: RaggedSource | None = None,
    training: Training,
    members: int = 1,
    seed: int,
    device: torch.device,
    metrics: Sequence[str | Metric] = (),
    callbacks: Callable[[], Sequence[Callback]] = tuple,
) -> tuple[nn.ModuleList, History]:
    """Train networks that differ in their first weights and in the order of their batches.

    Parameters
    ----------
    make
        Builds a network; its weights are drawn under a seed of the member's own.
    source
        The examples; those of like lengths are dealt together.
    objective
        From network and batch to a loss.
    validation
        Examples that are scored after each epoch, for early stopping.
    training
        How; ``validation`` and ``sampling`` are the caller's business.
    members
        How many networks.
    seed
        From which those of the members follow.
    device
        Where.
    metrics
        As `fit` takes them.
    callbacks
        Makes the callbacks of one training, which have states of their own.

    Returns
    -------
    networks : ModuleList
        In evaluation mode, on ``device``.
    history : History
        Of the first member.

    Raises
    ------
    TrainingError
        If a loss is not finite.
    """
    checks.whole("members", members)
    networks: list[nn.Module] = []
    histories: list[History] = []
    for member in range(members):
        with seeded(derive_seed(seed, "weights", member)):
            network = make().to(device)
        batches = BucketedBatches(
            source, training.batch_size, lengths=source.lengths, seed=derive_seed(seed, "batches", member)
        )
        held = None if validation is None else _in_length_order(validation, max(training.batch_size, _LARGE))
        with seeded(derive_seed(seed, "training", member)):
            history = fit(
                network,
                batches,
                objective,
                training=training,
                validation=held,
                metrics=metrics,
                callbacks=tuple(callbacks()),
            )
        networks.append(network)
        histories.append(history)
    return nn.ModuleList(networks).eval(), histories[0]


def member_outputs(
    networks: nn.ModuleList,
    source: RaggedSource,
    *,
    batch_size: int = _LARGE,
    call: Callable[[nn.Module, Batch[Tensor]], Tensor] | None = None,
) -> npt.NDArray[Any]:
    """Ask every network about every example, in batches of like lengths.

    Parameters
    ----------
    networks
        From `train_members`, in evaluation mode.
    source
        The examples, one at least.
    batch_size
        Examples at once.
    call
        From network and batch to one row an example ``[batch, …]``; by default the network is called with the values
        and their ``lengths=``.

    Returns
    -------
    ndarray
        ``[member, example, …]``, examples in the source's order.
    """
    device = next(networks.parameters()).device
    ask = _plain if call is None else call
    order = in_length_order(source.lengths, batch_size)
    answers: list[list[Tensor]] = [[] for _ in networks]
    with torch.inference_mode(), packed(networks):
        for indices in order:
            batch = to_batch(source.batch(indices), device)
            for answer, network in zip(answers, networks, strict=True):
                answer.append(ask(network, batch))
    rows = np.argsort(np.concatenate(order), kind="stable")  # back in the source's order
    return np.stack([torch.cat(answer).cpu().numpy()[rows] for answer in answers])


def _plain(network: nn.Module, batch: Batch[Tensor]) -> Tensor:
    output: Tensor = network(batch.values, lengths=batch.lengths)
    return output


def _in_length_order(source: RaggedSource, batch_size: int) -> Batches:
    order = np.concatenate(in_length_order(source.lengths, batch_size))
    return Batches(_Ordered(source, order), batch_size)


class _Ordered:
    """A source in another order."""

    def __init__(self, source: Source, order: IntArray) -> None:
        self._source, self._order = source, order

    def __len__(self) -> int:
        return len(self._order)

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        return self._source.batch(self._order[indices])
