from __future__ import annotations

import re

import pytest

from tidegate.classify.defaults import NETWORK, with_recurrent
from tidegate.errors import SpecError
from tidegate.specs import Recurrent


def test_only_the_recurrent_branch_changes() -> None:
    assert with_recurrent() == NETWORK
    changed = with_recurrent(cell="gru", hidden_size=5)
    recurrent = changed.branches[0]
    assert isinstance(recurrent, Recurrent)
    assert (recurrent.cell, recurrent.hidden_size, recurrent.bidirectional) == ("gru", 5, True)
    assert changed.branches[1:] == NETWORK.branches[1:]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match=f"^{re.escape('hidden_size must be a whole number of at least 1; got 0')}$"):
        with_recurrent(hidden_size=0)
