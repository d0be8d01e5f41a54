"""Tensors out of bytes and lists: what is declared is checked before memory is taken."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.serve.faults import RequestError, Status
from tidegate.serve.tensors import DATATYPES, TensorSpec, datatype_of, elements_of, from_list, from_raw, to_raw

NUMBERS = [name for name in DATATYPES if name != "BYTES"]


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_come_back_from_their_bytes(datatype: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]], DATATYPES[datatype])
    again = from_raw("x", datatype, [2, 3], to_raw(array))
    assert again.dtype == array.dtype
    assert datatype_of(again) == datatype
    np.testing.assert_array_equal(again, array)


def test_numbers_are_not_copied() -> None:
    raw = np.arange(4.0).tobytes()
    assert np.shares_memory(from_raw("x", "FP64", [4], raw), np.frombuffer(raw, np.uint8))


@given(st.lists(st.binary(max_size=5), max_size=6))
def test_text_comes_back_from_its_bytes(items: list[bytes]) -> None:
    array = np.empty(len(items), object)
    array[:] = items
    assert from_raw("x", "BYTES", [len(items)], to_raw(array)).tolist() == items


@given(
    st.binary(max_size=64), st.lists(st.integers(-2, 2**63 - 1), max_size=9), st.sampled_from([*DATATYPES, "FP8", ""])
)
def test_any_bytes_are_read_or_refused(raw: bytes, shape: list[int], datatype: str) -> None:
    with contextlib.suppress(RequestError):
        assert list(from_raw("x", datatype, shape, raw).shape) == shape


@pytest.mark.parametrize(
    ("datatype", "shape", "raw", "status", "message"),
    [
        ("FP64", [2, 2], b"\0" * 31, Status.INVALID, "input 'x' of FP64 [2, 2] takes 32 bytes; got 31"),
        ("FP32", [], b"", Status.INVALID, "input 'x' of FP32 [] takes 4 bytes; got 0"),
        ("FP64", [2, -1], b"", Status.INVALID, "input 'x' has a negative dimension: [2, -1]"),
        ("FP64", [2**62, 8], b"", Status.LARGE, f"input 'x' has a shape of too many elements: [{2**62}, 8]"),
        ("INT8", [2**16, 2**16], b"", Status.LARGE, "input 'x' has a shape of too many elements: [65536, 65536]"),
        ("FP64", [1] * 9, b"", Status.INVALID, "input 'x' has 9 dimensions; at most 8 are taken"),
        ("BYTES", [2**30], b"", Status.INVALID, f"input 'x' of {2**30} BYTES takes {2**32} bytes at least; got 0"),
        ("BYTES", [1], b"\x05\0\0\0ab", Status.INVALID, "input 'x' element 0 of BYTES ends beyond its 6 bytes"),
        ("BYTES", [1], b"\x01\0\0\0abc", Status.INVALID, "input 'x' 2 bytes are left after its 1 elements of BYTES"),
        (
            "float",
            [1],
            b"",
            Status.INVALID,
            "input 'x' has the datatype 'float', which is not one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, "
            "INT32, INT64, FP16, FP32, FP64, BYTES",
        ),
    ],
)
def test_bytes_that_do_not_fit_are_refused(
    datatype: str, shape: Sequence[int], raw: bytes, status: Status, message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        from_raw("x", datatype, shape, raw)
    assert (caught.value.status, caught.value.message) == (status, message)


@pytest.mark.parametrize(
    ("datatype", "values", "dtype"),
    [
        ("FP64", [1, 2.5], np.float64),
        ("FP32", [1, 2.5], np.float32),
        ("INT8", [-128, 127], np.int8),
        ("UINT64", [0, 2**63], np.uint64),
        ("BOOL", [True, False], np.bool_),
    ],
)
def test_lists_become_arrays(datatype: str, values: list[Any], dtype: type) -> None:
    array = from_list("x", datatype, [2, 1], values)
    assert array.dtype == dtype
    assert array.tolist() == [[values[0]], [values[1]]]
    assert from_list("x", "BYTES", [1], ["ä"]).tolist() == ["ä".encode()]


@pytest.mark.parametrize(
    ("datatype", "values", "message"),
    [
        ("FP64", [1.0], "input 'x' of shape [2] takes 2 elements; got 1"),
        ("FP64", [1.0, "a"], "input 'x' must hold 2 elements of FP64, and holds others"),
        ("FP64", [1.0, [2.0]], "input 'x' must hold 2 elements of FP64, and holds others"),
        ("INT64", [1, 2.5], "input 'x' must hold 2 elements of INT64, and holds others"),
        ("INT64", [1, 10**30], "input 'x' must hold 2 elements of INT64, and holds others"),
        ("INT8", [1, 128], "input 'x' must hold 2 elements of INT8, and holds others"),
        ("UINT8", [1, -1], "input 'x' must hold 2 elements of UINT8, and holds others"),
        ("BOOL", [1, 0], "input 'x' must hold 2 elements of BOOL, and holds others"),
        ("INT64", [True, False], "input 'x' must hold 2 elements of INT64, and holds others"),
        ("FP64", [1.0, "2"], "input 'x' must hold 2 elements of FP64, and holds others"),
        ("FP64", [1.0, True], "input 'x' must hold 2 elements of FP64, and holds others"),
        ("FP64", [1.0, 10**400], "input 'x' must hold 2 elements of FP64, and holds others"),
        ("BYTES", ["a", 1], "input 'x' must hold text; element 1 is 1"),
        ("BYTES", ["a", "\ud800"], "input 'x' holds text that is no Unicode: surrogates not allowed"),
    ],
)
def test_lists_that_do_not_fit_are_refused(datatype: str, values: list[Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        from_list("x", datatype, [2], values)
    assert (caught.value.status, caught.value.message) == (Status.INVALID, message)


def test_counting_ends_before_it_overflows() -> None:
    assert elements_of("x", [2**31 - 1]) == 2**31 - 1
    assert elements_of("x", [0, 2**31 - 1]) == 0
    with pytest.raises(RequestError):
        elements_of("x", [0, 2**31])


def test_a_fixed_dimension_may_be_nothing_else() -> None:
    spec = TensorSpec(name="x", datatypes=("FP64",), shape=(-1, 2))
    spec.check(np.zeros((3, 2)))
    with pytest.raises(RequestError, match=r"^input 'x' must have the shape \[-1, 2\]"):
        spec.check(np.zeros((3, 1)))
