"""Draws cases from hypothesis for as long as one likes: rounds of examples, each with a seed of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

__all__ = ["run"]

_ROUND = 200


def run(strategy: st.SearchStrategy[Any], test: Callable[[Any], None], *, seconds: float, first: int) -> int:
    """Try cases until the time is over; give the seed that would come next."""
    until, number = time.monotonic() + seconds, first

    def once(case: Any) -> None:
        if time.monotonic() < until:
            test(case)

    quiet = settings(
        max_examples=_ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    while time.monotonic() < until:
        seed(number)(quiet(given(strategy)(once)))()
        number += 1
    return number
