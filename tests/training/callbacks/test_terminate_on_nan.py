from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from tidegate.training import TerminateOnNaN
from tidegate.training.state import TrainingState


@pytest.mark.parametrize(
    ("loss", "reason"),
    [(1.0, None), (math.nan, "the loss is nan at step 0"), (-math.inf, "the loss is -inf at step 0")],
)
def test_it_stops_for_what_is_no_number(
    make_state: Callable[..., TrainingState], loss: float, reason: str | None
) -> None:
    state = make_state()
    state.loss = torch.tensor(loss)
    TerminateOnNaN().on_batch_end(state)
    assert state.stopped == reason
