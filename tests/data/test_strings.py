from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import pack_strings, unpack_strings
from tidegate.errors import DataError


@given(st.lists(st.text()))
def test_strings_come_back(strings: list[str]) -> None:
    assert unpack_strings(pack_strings(strings, "words."), "words.") == strings


def test_what_was_altered_is_refused() -> None:
    arrays = pack_strings(["ab", "ç"])
    with pytest.raises(DataError, match=r"expected the ends of strings in order, up to 4; got \[3\] at last"):
        unpack_strings({**arrays, "ends": arrays["ends"] - 1})
    with pytest.raises(DataError, match="expected strings in UTF-8"):
        unpack_strings({**arrays, "ends": np.array([3, 4])})
    with pytest.raises(DataError, match="got float64 and int64"):
        unpack_strings({**arrays, "text": arrays["text"].astype(float)})
    with pytest.raises(DataError, match="in order"):
        unpack_strings({**arrays, "ends": np.array([3, 2, 4])})
