"""A small model that learns from a large one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tidegate.anomaly import AnomalyDetector
from tidegate.errors import SpecError, UnsupportedError
from tidegate.estimator import Estimator
from tidegate.estimator.teaching import Teacher
from tidegate.specs import Recurrent, checks
from tidegate.specs.parts import (
    Convolution,
    Dilated,
    Network,
    Parallel,
    Part,
    SelfAttention,
    branch_parts,
    flat_parts,
    network_parts,
)

if TYPE_CHECKING:
    from tidegate.training import Callback

__all__ = ["distill", "narrowed"]

E = TypeVar("E", bound=Estimator)


def distill(
    teacher: E,
    student: E | Network | int,
    *data: Any,
    share: float = 0.5,
    temperature: float | None = None,
    callbacks: Sequence[Callback] = (),
) -> E:
    """Train a smaller model on data and on what a fitted one says of them (Hinton et al., 2015).

    A teacher's answer says more of an example than its label does: how sure one can be, and which of the other classes
    it resembles. The loss is the mean of that of the truth and that of the teacher's answer, weighted by ``share``;
    masks and weights apply to both alike. A validation judges by the truth alone.

    ==================== ===============================================================================================
    task                 what is compared with the teacher's answer
    ==================== ===============================================================================================
    classes, labels      probabilities softened by a temperature T, the loss multiplied by T² (Hinton et al., 2015); of
                         texts the teacher's linear model counts in its answer, and the student's own learns from labels
    tags in sentences    the distribution of whole taggings, exactly, softened likewise (Wang et al., 2021)
    numbers              the number, by the student's loss (Saputra et al., 2019)
    forecasts            the student's loss at the teacher's forecast: its mean over nine quantiles, or at the point
    ==================== ===============================================================================================

    Several members answer as they do elsewhere, by their mean or median, so that an ensemble teaches one network. Where
    series are changed at random, the teacher sees the changed ones (Beyer et al., 2022).

    Parameters
    ----------
    teacher
        A fitted estimator. It stays as it is.
    student
        An estimator of the same class, which is fitted; or a network, or the units of one: then the student has the
        teacher's other parameters and one member. Of a network of several parts, a number stands for the units of the
        first recurrent layer, and all other layers shrink, or grow, in the same proportion.
    *data
        As ``fit`` takes them by place: a table; series, texts or sentences, and what they are. What ``fit`` takes
        beside these, such as ``sample_weight``, is given to ``student.fit(…, teacher=Teacher(model=…))``, which this
        function calls.
    share
        How much the teacher's answers count, from 0 to 1; the truth counts for the rest.
    temperature
        Of classes and tags: what the scores of both are divided by, above 0; ``None`` takes 2.
    callbacks
        For the student's training.

    Returns
    -------
    Estimator
        The student, fitted. Nothing of the teacher is in it, nor in its file.

    Raises
    ------
    SpecError
        If an option cannot be; if teacher and student are of different kinds, or differ in their horizon, in whether
        they are recursive, or in the scheme of their tags.
    NotFittedError
        If the teacher is not fitted.
    DataError
        If the data cannot be used, or are of other classes, columns or categories than the teacher's.
    UnsupportedError
        If the teacher is an `AnomalyDetector`.

    Examples
    --------
    >>> import numpy as np
    >>> import tidegate as tg
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 12, 1)) + np.repeat([0, 2], 20)[:, None, None]
    >>> y = np.repeat(["low", "high"], 20)
    >>> training = tg.Training(max_steps=100, learning_rate=0.01, validation=0)
    >>> teacher = tg.SequenceClassifier(network=tg.Recurrent(hidden_size=16), training=training, members=3).fit(X, y)
    >>> student = distill(teacher, 4, X, y)
    >>> student.network.hidden_size, student.members, student.score(X, y)
    (4, 1, 1.0)
    """
    if isinstance(teacher, AnomalyDetector):
        raise UnsupportedError(
            "an AnomalyDetector judges by the errors of its own network, and learns from them what is usual; the "
            "forecasts of another network would not give a student the errors of that network. Fit a smaller detector "
            "on the data alone, or prune this one"
        )
    lesson = Teacher(model=teacher, share=share, temperature=temperature)
    pupil: Any = _student(teacher, student)
    fitted: E = pupil.fit(*data, teacher=lesson, callbacks=callbacks)
    return fitted


def narrowed(network: Network, units: int) -> Network:
    """Give a network whose first recurrent layer has so many units, and all other layers as many in proportion.

    >>> narrowed((Convolution(channels=24), Recurrent(hidden_size=(64, 32))), 16)[1].hidden_size
    (16, 8)
    """
    checks.whole("student", units)
    parts = network_parts(network)
    first = next(part for part in flat_parts(parts) if isinstance(part, Recurrent | Dilated))
    size = first.sizes[0] if isinstance(first, Recurrent) else first.hidden_size
    found = tuple(_scaled(part, units / size) for part in parts)
    return found if isinstance(network, tuple) else found[0]  # type: ignore[return-value]


def _scaled(part: Part, ratio: float) -> Part:
    match part:
        case Recurrent():
            sizes = tuple(_times(size, ratio) for size in part.sizes)
            several = isinstance(part.hidden_size, tuple)
            return dataclasses.replace(part, hidden_size=sizes if several else sizes[0])
        case Dilated():
            return dataclasses.replace(part, hidden_size=_times(part.hidden_size, ratio))
        case Convolution():
            return dataclasses.replace(part, channels=_times(part.channels, ratio))
        case SelfAttention():
            width = part.feed_forward
            return dataclasses.replace(part, feed_forward=None if width is None else _times(width, ratio))
        case Parallel():
            return Parallel(branches=tuple(_branch(branch, ratio) for branch in part.branches))


def _branch(branch: Part | tuple[Part, ...], ratio: float) -> Part | tuple[Part, ...]:
    found = tuple(_scaled(part, ratio) for part in branch_parts(branch))
    return found if isinstance(branch, tuple) else found[0]


def _times(size: int, ratio: float) -> int:
    return max(1, round(size * ratio))


def _student(teacher: E, student: E | Network | int) -> E:
    """Give the estimator that is to learn."""
    if isinstance(student, Estimator):
        if type(student) is not type(teacher):
            raise SpecError(
                f"a student is of its teacher's kind, a {type(teacher).__name__}; got a {type(student).__name__}"
            )
        if student is teacher:
            raise SpecError("the student is the teacher itself; give another estimator")
        return student
    params = teacher.get_params(deep=False)
    network: Any = student
    if hasattr(student, "__index__"):
        network = narrowed(params["network"], network)
    network_parts(network)
    return type(teacher)(**{**params, "network": network, "members": 1})
