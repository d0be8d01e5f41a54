"""Logistic regression on n-grams that are scaled by naive Bayes (Wang & Manning, 2012)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from tidegate.data.ragged import Ragged

__all__ = ["Linear", "fit_linear", "log_count_ratios"]

Floats = npt.NDArray[np.float64]

_STEPS = 200  # of L-BFGS
_MEMORY = 10
_FLAT, _STILL = 1e-7, 1e-9  # the largest slope of the mean loss, and the smallest change, at which it ends


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """Scores of texts, linear in the log-count ratios of their n-grams, which are brought to length 1 a text.

    Parameters
    ----------
    ratios, weights
        float32 ``[n-gram, output]``: r of each n-gram, and what it is multiplied by.
    bias
        float32 ``[output]``.

    Notes
    -----
    The score of a text with n-grams F is ``b + Σ_F w r / √(Σ_F r²)``. Two classes have one output, the logit of the
    second.
    """

    ratios: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def logits(self, columns: Ragged, classes: int) -> Floats:
        """Give logits ``[text, class]`` of texts whose n-grams are ``columns``."""
        ratios = self.ratios.astype(np.float64)
        found = _Sums(columns)(ratios * self.weights) / _norms(columns, ratios) + self.bias
        if found.shape[1] == classes:
            return found
        return np.concatenate([np.zeros_like(found), found], axis=1)  # the first of two classes has the logit 0


def log_count_ratios(columns: Ragged, target: Floats, ngrams: int) -> npt.NDArray[np.float32]:
    """Tell how much more frequent each n-gram is in the texts of a class than in the others.

    r = log((p / |p|) / (q / |q|)), where p counts the texts of the class that have it, from 1 on, q the others.

    Parameters
    ----------
    columns
        The n-grams of each text.
    target
        1 where a text is of the class, else 0, ``[text, output]``.
    ngrams
        How many there are.

    Returns
    -------
    ndarray
        ``[n-gram, output]``.
    """
    owners = np.repeat(np.arange(len(columns)), columns.lengths)
    found = np.empty((ngrams, target.shape[1]), np.float32)
    for output in range(target.shape[1]):
        marks = target[:, output][owners]
        p = 1 + np.bincount(columns.flat, marks, minlength=ngrams)
        q = 1 + np.bincount(columns.flat, 1 - marks, minlength=ngrams)
        found[:, output] = np.log(p / p.sum()) - np.log(q / q.sum())
    return found


def fit_linear(
    columns: Ragged,
    target: Floats,
    ngrams: int,
    *,
    several: bool,
    penalties: Sequence[float],
    weight: Floats | None = None,
) -> Iterator[Linear]:
    """Fit the weights for each of some penalties, each going on from the one before, when it is asked for.

    Parameters
    ----------
    columns
        The n-grams of each text.
    target
        0 and 1, ``[text, output]``: one output for two classes, else one for each class or label.
    ngrams
        How many there are.
    several
        Whether outputs are independent labels, or one of two classes; otherwise one class excludes the others.
    penalties
        λ, from strong to weak, in ``Σ loss + ½ λ Σ w²``.
    weight
        How much a text, or each of its labels, counts, ``[text]`` or ``[text, output]``.
    """
    ratios = log_count_ratios(columns, target, ngrams)
    loss = _Loss(columns, ratios.astype(np.float64), target, several=several, weight=weight)
    weights = np.zeros((ngrams + 1, target.shape[1]))
    for penalty in penalties:
        weights = _minimised(functools.partial(loss, penalty=penalty), weights)
        rounded = weights.astype(np.float32)
        yield Linear(ratios=ratios, weights=rounded[:-1], bias=rounded[-1])


class _Loss:
    """The mean loss and its slope; weights come with the bias in the last row, ``[n-gram + 1, output]``."""

    def __init__(
        self, columns: Ragged, ratios: Floats, target: Floats, *, several: bool, weight: Floats | None
    ) -> None:
        self.ratios, self.target, self.several = ratios, target, several
        self.sums, self.back = _Sums(columns), _Sums(columns, len(ratios))
        self.norms = _norms(columns, ratios)
        self.weight = np.ones((1, 1)) if weight is None else weight.reshape(len(target), -1)

    def __call__(self, weights: Floats, penalty: float) -> tuple[float, Floats]:
        inner, examples = weights[:-1], len(self.target)
        logits = torch.from_numpy(self.sums(self.ratios * inner) / self.norms + weights[-1])
        target = torch.from_numpy(self.target)
        if self.several:
            losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").numpy()
            errors = torch.sigmoid(logits).numpy() - self.target
        else:
            losses = -torch.log_softmax(logits, dim=1).numpy() * self.target
            errors = torch.softmax(logits, dim=1).numpy() - self.target
        errors = errors * self.weight
        loss = float((losses * self.weight).sum() + penalty / 2 * np.square(inner).sum()) / examples
        slope = self.ratios * self.back(errors / self.norms) + penalty * inner
        return loss, np.concatenate([slope, errors.sum(axis=0, keepdims=True)]) / examples


def _minimised(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    weights = torch.from_numpy(start.copy()).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights],
        max_iter=_STEPS,
        history_size=_MEMORY,
        tolerance_grad=_FLAT,
        tolerance_change=_STILL,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        value, slope = loss(weights.detach().numpy())
        weights.grad = torch.from_numpy(slope)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().numpy()


class _Sums:
    """Adds up, for each text, what its n-grams have; or, ``back``, for each of so many n-grams what its texts have."""

    def __init__(self, columns: Ragged, back: int | None = None) -> None:
        self.source, offsets = columns.flat, columns.offsets
        if back is not None:
            order = np.argsort(columns.flat, kind="stable")
            self.source = np.repeat(np.arange(len(columns)), columns.lengths)[order]
            offsets = np.concatenate([[0], np.cumsum(np.bincount(columns.flat, minlength=back))])
        self.rows = len(offsets) - 1
        self.filled = np.flatnonzero(np.diff(offsets))  # reduceat knows no empty rows
        self.starts = offsets[self.filled]

    def __call__(self, values: Floats) -> Floats:
        # Each row by itself, in the order of the n-grams: the same sum whatever other texts stand beside.
        sums = np.zeros((self.rows, values.shape[1]))
        for output, column in enumerate(values.T):
            if self.filled.size:
                sums[self.filled, output] = np.add.reduceat(np.take(column, self.source), self.starts)
        return sums


def _norms(columns: Ragged, ratios: Floats) -> Floats:
    norms = np.sqrt(_Sums(columns)(np.square(ratios)))
    return np.where(norms > 0, norms, 1.0)
