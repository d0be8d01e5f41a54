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


@pytest.mark.parametrize("batches", [1, 4, 6, None])
@pytest.mark.parametrize(("max_steps", "epoch_steps"), [(100, 5), (101, 6), (3, 1)])
def test_an_epoch_of_steps_is_a_twentieth_however_long_a_pass_is(
    max_steps: int, epoch_steps: int, batches: int | None
) -> None:
    # Of a small table a pass is a step or two; epochs as short as that would stop a training at once.
    plan = Plan.make(Training(max_steps=max_steps), batches)
    assert (plan.epoch_steps, plan.ends_with_pass) == (epoch_steps, False)


def test_with_a_number_of_passes_an_epoch_is_a_pass() -> None:
    plan = Plan.make(Training(epochs=4, max_steps=100), 3)
    assert (plan.epoch_steps, plan.ends_with_pass) == (None, True)
