from __future__ import annotations

import pytest

from tidegate.specs import Training
from tidegate.training.plan import Plan


def test_without_any_limit_there_is_one_pass() -> None:
    plan = Plan.make(Training(), 7)
    assert (plan.passes, plan.max_steps, plan.total_steps, plan.ends_with_pass) == (1, None, 7, True)


@pytest.mark.parametrize(
    ("spec", "batches", "total"),
    [
        (Training(epochs=3), 7, 21),
        (Training(epochs=3, accumulate=2), 7, 12),
        (Training(epochs=3, max_steps=10), 7, 10),
        (Training(epochs=1, max_steps=10), 7, 7),
        (Training(max_steps=10), None, 10),
        (Training(epochs=3), None, None),
        (Training(epochs=3, max_steps=10), None, None),
    ],
)
def test_total_steps(spec: Training, batches: int | None, total: int | None) -> None:
    assert Plan.make(spec, batches).total_steps == total


@pytest.mark.parametrize(
    ("max_steps", "batches", "epoch_steps"), [(100, 4, None), (100, 5, None), (100, 6, 5), (101, 7, 6), (3, 2, 1)]
)
def test_an_epoch_is_a_pass_or_a_twentieth(max_steps: int, batches: int, epoch_steps: int | None) -> None:
    plan = Plan.make(Training(max_steps=max_steps), batches)
    assert plan.epoch_steps == epoch_steps
    assert plan.ends_with_pass == (epoch_steps is None)


def test_without_a_length_an_epoch_ends_with_whichever_comes_first() -> None:
    plan = Plan.make(Training(max_steps=100), None)
    assert (plan.epoch_steps, plan.ends_with_pass) == (5, True)
