from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from tidegate.training import Progress
from tidegate.training.state import TrainingState


@pytest.mark.parametrize("terminal", [True, False])
def test_it_shows_itself_on_terminals_alone(run_logs: Callable[..., TrainingState], terminal: bool) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120, _environ={})
    run_logs([Progress(console)], [{"loss": 0.125}, {"loss": 0.0625}])
    assert ("epoch 2" in stream.getvalue()) == terminal
    assert ("loss 0.0625" in stream.getvalue()) == terminal
