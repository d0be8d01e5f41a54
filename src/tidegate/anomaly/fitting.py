"""From a table to a trained network and its judges."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from tidegate._core.seeds import derive_seed, seeded
from tidegate.anomaly.judge import Judge
from tidegate.anomaly.network import Design, Detection, DetectionObjective, Forecasting
from tidegate.anomaly.scorer import Scorer
from tidegate.data import Batches, IntArray, SeriesTable, Windows
from tidegate.data.batches import Source
from tidegate.data.numbering import NumberedWindows
from tidegate.errors import ShortSeriesError
from tidegate.specs import Training
from tidegate.specs.detection import Likelihood
from tidegate.specs.thresholds import Threshold
from tidegate.training import Callback, History, fit
from tidegate.training.feed import to_batch

__all__ = ["Fitted", "build", "fine_tuned", "fit_detector", "train"]

_MOST_STEPS = 600  # by default; few windows get fewer
_LEAST_STEPS = 100
_MOST_SOLVED = 20_000  # windows that a linear part is solved on
_PENALTY = 3.0  # of its ridge regression, in the units of squared deviations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a fit gives."""

    network: Detection  # in evaluation mode
    batch: Judge  # of errors from all windows
    causal: Judge  # of errors from windows that end at a row or before
    history: History


def fit_detector(
    design: Design,
    table: SeriesTable,
    *,
    training: Training,
    likelihood: Likelihood | None,
    threshold: Threshold,
    seed: int,
    device: torch.device,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Build, train, and learn from the errors of the training rows.

    Raises
    ------
    ShortSeriesError
        If there is no window to train on.
    DataError
        If there are too few scores for the threshold.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    network = build(design, table, seed, device)
    history = train(network, table, training, seed=seed, callbacks=callbacks)
    scorer = Scorer(network.eval())
    errors = [scorer.errors(table, index, index) for index in range(len(table))]
    judges = []
    for kind in ([each.batch for each in errors], [each.causal for each in errors]):
        judge = Judge(likelihood, threshold, design.targets)
        judge.fit(kind)
        judges.append(judge)
    return Fitted(network=network, batch=judges[0], causal=judges[1], history=history)


def build(design: Design, table: SeriesTable, seed: int, device: torch.device) -> Detection:
    """Build the module with weights drawn from ``seed``; the units of each series are measured on the table."""
    with seeded(derive_seed(seed, "weights")):
        network = Detection(design)
    network.series_scaling.fit(table.values, table.offsets)
    return network.to(device)


def train(
    network: Detection, table: SeriesTable, training: Training, *, seed: int, callbacks: Sequence[Callback] = ()
) -> History:
    """Train on all windows but the last of each series, which stop the training early, as ``validation`` has it."""
    windows, held = _windows(table, network.design, training.validation)
    solve_linear(network, windows)
    if training.epochs is None and training.max_steps is None:
        training = dataclasses.replace(training, max_steps=min(_MOST_STEPS, _LEAST_STEPS + len(windows)))
    return _run(network, windows, held, training, seed=seed, callbacks=callbacks)


def fine_tuned(
    network: Detection,
    table: SeriesTable,
    codes: IntArray,
    *,
    training: Training,
    seed: int,
    callbacks: Sequence[Callback] = (),
) -> tuple[Detection, History]:
    """Train a copy of a network further; the units of series, and a linear part, stay.

    Parameters
    ----------
    network, table
        The network, and rows that are normal.
    codes
        The number of each series in the first training, ``[series]``; −1 for one that was not there.
    training, seed, callbacks
        As of `fit_detector`.

    Raises
    ------
    ShortSeriesError
        If there is no window to train on.
    TrainingError
        If the loss becomes NaN or infinite.
    """
    windows, held = _windows(table, network.design, training.validation)
    tuned = copy.deepcopy(network)  # a training that fails leaves the model as it was
    history = _run(
        tuned,
        NumberedWindows(windows, codes),
        None if held is None else NumberedWindows(held, codes),
        training,
        seed=derive_seed(seed, "fine_tune"),
        callbacks=callbacks,
    )
    return tuned.eval(), history


def _run(
    network: Detection,
    windows: Source,
    held: Source | None,
    training: Training,
    *,
    seed: int,
    callbacks: Sequence[Callback],
) -> History:
    batches = Batches(windows, training.batch_size, shuffle=True, seed=derive_seed(seed, "batches"))
    validation = None if held is None else Batches(held, max(training.batch_size, 256))
    with seeded(derive_seed(seed, "training")):
        return fit(
            network, batches, DetectionObjective(), training=training, validation=validation, callbacks=callbacks
        )


def solve_linear(network: Detection, windows: Windows) -> None:
    """Solve the linear part of a prediction, if it has one, by ridge regression over the training windows.

    What it reads is in units of the series, so that one strength of the penalty serves all. Windows of which a step to
    predict is missing are left out; of very many, as many as memory and time allow are taken, evenly spread.
    """
    members = [each for each in network.networks if isinstance(each, Forecasting)]
    if not members or members[0].linear is None:
        return
    take = np.unique(np.linspace(0, len(windows) - 1, min(len(windows), _MOST_SOLVED)).astype(np.int64))
    device = next(network.parameters()).device
    read, made = members[0].linear.in_features + 1, members[0].linear.out_features
    square, cross = np.zeros((read, read)), np.zeros((read, made))
    for start in range(0, len(take), 1_024):
        batch = to_batch(windows.batch(take[start : start + 1_024]), device)
        with torch.no_grad():
            given, truth, observed = (part.cpu().numpy() for part in network.regression(batch))
        whole = observed.all(axis=(1, 2))
        x = np.column_stack([given[whole].astype(np.float64), np.ones(whole.sum())])
        square += x.T @ x
        cross += x.T @ truth[whole].reshape(len(x), -1)
    penalty = _PENALTY * np.eye(read)
    penalty[-1, -1] = 1e-6  # of the constant
    solved = torch.from_numpy(np.linalg.solve(square + penalty, cross))
    for member in members:
        assert member.linear is not None
        member.linear.weight.copy_(solved[:-1].T)
        member.linear.bias.copy_(solved[-1])


def _windows(table: SeriesTable, design: Design, share: float) -> tuple[Windows, Windows | None]:
    """Part the windows by their ends: the last ``share`` of each series' rows stop, those before them train."""
    ahead = design.steps if design.first else 0
    whole = design.context + ahead
    held = np.round(share * table.lengths).astype(np.int64)
    cut = table.lengths - held
    apart = bool(share) and bool((cut >= whole).any()) and bool(held.any())
    stops = np.where(cut >= whole, cut, 0) if apart else table.lengths
    train = _between(table, design.context, ahead, np.zeros_like(stops), stops)
    if not len(train):
        raise ShortSeriesError(
            f"no series has a window of {whole} rows with observed values; give longer series, or a shorter context"
        )
    if not apart:
        return train, None
    validation = _between(table, design.context, ahead, stops, table.lengths)
    return train, validation if len(validation) else None


def _between(table: SeriesTable, context: int, ahead: int, starts: IntArray, stops: IntArray) -> Windows:
    """Give the windows, with what follows them, whose last row lies in ``starts … stops − 1`` of their series."""
    first = np.maximum(starts - ahead + 1, context)  # ends of the contexts, counted from the series' first row
    counts = np.maximum(0, stops - ahead - first + 1)
    series = np.repeat(np.arange(len(table)), counts)
    rank = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ends = table.offsets[:-1][series] + first[series] + rank
    seen = np.concatenate([[0], np.cumsum(table.observed.any(axis=1))])
    judged = (ends, ends + ahead) if ahead else (ends - context, ends)
    useful = (seen[ends] > seen[ends - context]) & (seen[judged[1]] > seen[judged[0]])
    return Windows(table=table, context=context, horizon=ahead, series=series[useful], ends=ends[useful])
