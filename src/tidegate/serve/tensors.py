"""Tensors on the wire: their types, their shapes, and arrays out of them and into them.

What a client declares is checked before memory is taken for it: names of types, ranks, dimensions, and that type and
shape make up the bytes that came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tidegate.serve.faults import RequestError, Status

__all__ = ["DATATYPES", "TensorSpec", "datatype_of", "elements_of", "from_list", "from_raw", "shown", "to_raw"]

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"), "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_KINDS: Mapping[str, frozenset[type]] = {
    "b": frozenset({bool}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "f": frozenset({int, float}),
}
_MOST_DIMENSIONS = 8
_LARGEST_DIMENSION = 2**31 - 1
_PREFIX = 4  # bytes of the length before each element of BYTES


@dataclasses.dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """An input or an output of a model.

    Parameters
    ----------
    name
        Its name.
    datatypes
        What it may come in; the first is what metadata says, and what an output has.
    shape
        With −1 for any size.
    optional
        Whether an input may be absent.
    """

    name: str
    datatypes: tuple[str, ...]
    shape: tuple[int, ...]
    optional: bool = False

    def check(self, array: np.ndarray) -> None:
        """Hold an input against this. Raises `RequestError`."""
        datatype = datatype_of(array)
        if datatype not in self.datatypes:
            wanted = " or ".join(self.datatypes)
            raise RequestError(Status.INVALID, f"input {self.name!r} must be {wanted}; got {datatype}")
        shape = array.shape
        if len(shape) != len(self.shape):
            raise RequestError(
                Status.INVALID,
                f"input {self.name!r} must have {len(self.shape)} dimensions, {list(self.shape)} (-1 is any size); "
                f"got {list(shape)}",
            )
        for expected, found in zip(self.shape, shape, strict=True):
            if found != expected and (expected != -1 or not found):
                raise RequestError(
                    Status.INVALID,
                    f"input {self.name!r} must have the shape {list(self.shape)} (-1 is any size of at least 1); "
                    f"got {list(shape)}",
                )


def elements_of(name: str, shape: Sequence[int]) -> int:
    """Count the elements of a shape that a client declares.

    Raises
    ------
    RequestError
        If there are too many dimensions, or one is negative or beyond 2³¹ − 1, or their product is.
    """
    if len(shape) > _MOST_DIMENSIONS:
        raise _invalid(name, f"has {len(shape)} dimensions; at most {_MOST_DIMENSIONS} are taken")
    count = 1
    for size in shape:
        if size < 0:
            raise _invalid(name, f"has a negative dimension: {shown(shape)}")
        count *= size
        if size > _LARGEST_DIMENSION or count > _LARGEST_DIMENSION:
            raise RequestError(Status.LARGE, f"input {name!r} has a shape of too many elements: {shown(shape)}")
    return count


def shown(shape: Sequence[int]) -> str:
    """Write a shape for a message, however long it is."""
    return str(list(shape[:_MOST_DIMENSIONS])) if len(shape) <= _MOST_DIMENSIONS else f"{len(shape)} dimensions"


def from_raw(name: str, datatype: str, shape: Sequence[int], raw: bytes | memoryview) -> np.ndarray:
    """Read a tensor out of its bytes, little-endian and row by row; numbers are not copied.

    Raises
    ------
    RequestError
        If the type is unknown, the shape cannot be, or the two do not make up the bytes.
    """
    dtype = _dtype(name, datatype)
    count = elements_of(name, shape)
    if dtype.hasobject:
        return _strings(name, count, raw).reshape(shape)
    if count * dtype.itemsize != len(raw):
        raise _invalid(name, f"of {datatype} {shown(shape)} takes {count * dtype.itemsize} bytes; got {len(raw)}")
    return np.frombuffer(raw, dtype).reshape(shape)


def from_list(name: str, datatype: str, shape: Sequence[int], values: Sequence[Any]) -> np.ndarray:
    """Read a tensor out of its elements, row by row.

    Raises
    ------
    RequestError
        As `from_raw`, or if an element is no number of that type.
    """
    dtype = _dtype(name, datatype)
    count = elements_of(name, shape)
    if count != len(values):
        raise _invalid(name, f"of shape {shown(shape)} takes {count} elements; got {len(values)}")
    if dtype.hasobject:
        return _encoded(name, values).reshape(shape)
    try:
        if not _KINDS[dtype.kind].issuperset(map(type, values)):
            raise TypeError
        with np.errstate(over="ignore"):  # what a float32 cannot hold becomes infinite, and is refused as such
            return np.array(values, np.float64 if dtype.kind == "f" else dtype).astype(dtype).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise _invalid(name, f"must hold {count} elements of {datatype}, and holds others") from error


def to_raw(array: np.ndarray) -> bytes:
    """Write a tensor, little-endian and row by row; of BYTES each element after its length."""
    if array.dtype.hasobject:
        return b"".join(len(item).to_bytes(_PREFIX, "little") + item for item in array.ravel().tolist())
    return array.tobytes()


def datatype_of(array: np.ndarray) -> str:
    """Give the protocol's name of an array's type."""
    return _NAMES[array.dtype]


def _dtype(name: str, datatype: str) -> np.dtype[Any]:
    if datatype not in DATATYPES:
        known = ", ".join(DATATYPES)
        raise _invalid(name, f"has the datatype {datatype[:40]!r}, which is not one of {known}")
    return DATATYPES[datatype]


def _strings(name: str, count: int, raw: bytes | memoryview) -> np.ndarray:
    if count * _PREFIX > len(raw):
        raise _invalid(name, f"of {count} BYTES takes {count * _PREFIX} bytes at least; got {len(raw)}")
    items: list[bytes] = []
    place = 0
    for _ in range(count):
        start = place + _PREFIX
        place = start + int.from_bytes(raw[place:start], "little")
        if place > len(raw) or start > len(raw):
            raise _invalid(name, f"element {len(items)} of BYTES ends beyond its {len(raw)} bytes")
        items.append(bytes(raw[start:place]))
    if place != len(raw):
        raise _invalid(name, f"{len(raw) - place} bytes are left after its {count} elements of BYTES")
    return _objects(items)


def _encoded(name: str, values: Sequence[Any]) -> np.ndarray:
    for place, value in enumerate(values):
        if not isinstance(value, str | bytes):
            raise _invalid(name, f"must hold text; element {place} is {str(value)[:40]}")
    try:
        return _objects([value.encode() if isinstance(value, str) else value for value in values])
    except UnicodeEncodeError as error:
        raise _invalid(name, f"holds text that is no Unicode: {error.reason}") from error


def _objects(items: list[bytes]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _invalid(name: str, what: str) -> RequestError:
    return RequestError(Status.INVALID, f"input {name[:80]!r} {what}")
