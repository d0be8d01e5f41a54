"""A way to show that a check can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refuses = Callable[..., None]


@pytest.fixture
def refuses() -> Refuses:
    """Give an asserter that a check refuses its subject with `AssertionError` and a message that holds ``words``."""

    def assert_refused(check: Callable[..., None], *subject: Any, words: str) -> None:
        with pytest.raises(AssertionError, match=words):
            check(*subject)

    return assert_refused
