"""Weights in fewer bits in a model file: what is written for an array, and what is read from that again.

A matrix of weights becomes whole numbers of 8 bits with a scale for each row (a channel of the output, or the
embedding of a word), symmetric about zero: ``w ≈ q s``, ``|q| ≤ 127``, ``s = max |w| / 127`` (Jacob et al., 2018,
without their offsets). Long tables of short rows have a scale for each column. Other weights (biases, norms, small
matrices) stay as they are. Whatever is read again is float32, so that nothing else has to know of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidegate.errors import ModelFileError, SpecError
from tidegate.specs import checks

__all__ = ["FLOAT32", "STORAGES", "Stored", "as_stored", "restored_arrays", "scale_axis", "still_stored"]

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

FLOAT32 = "float32"
#: How weights may lie in a file.
STORAGES = (FLOAT32, "bfloat16", "float16", "int8")

_SCALE = "#scale"  # follows the name of a matrix; no parameter of a module can be called so
_SHORT = 32  # columns under which a long table has scales of its columns
_LONG = 1024  # rows from which a table is long
_LEAST = 8  # columns under which nothing is won by a scale a row
_GAPS = (np.uint8, np.uint16, np.uint32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stored:
    """What a file says of arrays that it holds in another form.

    Parameters
    ----------
    weights
        One of `STORAGES`.
    arrays
        The names of the weights that lie there so.
    gaps
        The names of ascending whole numbers of 64 bits that lie there as the differences between neighbours.
    """

    weights: str = FLOAT32
    arrays: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.one_of("weights", self.weights, STORAGES)
        for name in ("arrays", "gaps"):
            names = getattr(self, name)
            if not isinstance(names, tuple) or not all(isinstance(each, str) for each in names):
                raise SpecError(f"{name} must be names; got {names!r}")

    def to_dict(self) -> dict[str, Any]:
        """Give it in types that JSON knows."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Stored:
        """Take back what `to_dict` gave. Raises `SpecError`, `KeyError` or `TypeError` for anything else."""
        return cls(weights=described["weights"], arrays=tuple(described["arrays"]), gaps=tuple(described["gaps"]))


def as_stored(arrays: Arrays, weights: str) -> tuple[dict[str, npt.NDArray[Any]], Stored]:
    """Bring arrays into the form of a file.

    Parameters
    ----------
    arrays
        By their names; weights are those whose last name begins with ``weight``, float32.
    weights
        One of `STORAGES`.

    Returns
    -------
    arrays, stored
        What is written, and what has to be known to read it again.

    Raises
    ------
    SpecError
        If ``weights`` is none of them, or a weight is too large for float16.

    Examples
    --------
    >>> table = {"weight": np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)}
    >>> written, stored = as_stored(table, "int8")
    >>> {name: (array.dtype.name, array.shape) for name, array in written.items()}
    {'weight': ('int8', (2, 32)), 'weight#scale': ('float32', (2, 1))}
    >>> bool(np.abs(restored_arrays(written, stored)["weight"] - table["weight"]).max() < 0.5 / 127)
    True
    """
    checks.one_of("weights", weights, STORAGES)
    if weights == FLOAT32:
        return dict(arrays), Stored()
    written: dict[str, npt.NDArray[Any]] = {}
    changed, gaps = [], []
    for name, array in arrays.items():
        if _is_weight(name, array) and (weights != "int8" or scale_axis(array) is not None):
            written |= _ENCODERS[weights](name, array)
            changed.append(name)
        elif (differences := _differences(array)) is not None:
            written[name] = differences
            gaps.append(name)
        else:
            written[name] = array
    return written, Stored(weights=weights, arrays=tuple(changed), gaps=tuple(gaps))


def restored_arrays(written: Arrays, stored: Stored) -> dict[str, npt.NDArray[Any]]:
    """Bring the arrays of a file back into the form in which they are computed with.

    Raises
    ------
    ModelFileError
        If they are not as ``stored`` says.
    """
    arrays = dict(written)
    for name in stored.arrays:
        arrays[name] = _DECODERS[stored.weights](name, arrays)
    for name in stored.gaps:
        array = _taken(name, arrays)
        if array.dtype not in _GAPS or array.ndim != 1:
            raise ModelFileError(f"expected gaps of {name!r} as whole numbers without sign; got {array.dtype}")
        arrays[name] = np.cumsum(array, dtype=np.int64)
    return arrays


def still_stored(arrays: Arrays, weights: str) -> str:
    """Give ``weights`` if arrays lose nothing by being stored so, for they have been before; else float32."""
    written, stored = as_stored(arrays, weights)
    again = restored_arrays(written, stored)
    return weights if all(np.array_equal(again[name], arrays[name]) for name in arrays) else FLOAT32


def scale_axis(array: npt.NDArray[Any]) -> int | None:
    """Say along which axis of a matrix scales run: 0, one a row, or 1, one a column; None where none are of use."""
    rows, columns = array.shape[0], int(np.prod(array.shape[1:]))
    if columns < _SHORT and rows >= _LONG:
        return 1
    return 0 if columns >= _LEAST else None


def _is_weight(name: str, array: npt.NDArray[Any]) -> bool:
    last = name.rpartition(".")[2]
    return array.dtype == np.float32 and array.ndim >= 2 and array.size > 0 and last.startswith(("weight", "ratios"))


def _to_int8(name: str, array: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    matrix = array.reshape(array.shape[0], -1)
    largest = np.abs(matrix).max(axis=1 - (scale_axis(array) or 0), keepdims=True)
    scale = _short(np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32))
    codes = np.rint(matrix / scale).clip(-127, 127).astype(np.int8)
    return {name: codes.reshape(array.shape), name + _SCALE: scale}


def _short(scale: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Round scales up to 16 significant bits: then q s is exact for each q, and the same scales are found again."""
    return ((scale.view(np.uint32) + np.uint32(0xFF)) & np.uint32(0xFFFFFF00)).view(np.float32)


def _from_int8(name: str, arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    codes, scale = _taken(name, arrays), _taken(name + _SCALE, arrays)
    del arrays[name + _SCALE]
    rows = codes.shape[0] if codes.ndim else 0
    fitting = codes.ndim >= 2 and rows and scale.shape in ((rows, 1), (1, codes.size // rows))
    if codes.dtype != np.int8 or scale.dtype != np.float32 or not fitting:
        raise ModelFileError(
            f"expected {name!r} as int8 with a float32 scale a row or a column; got {codes.dtype} {list(codes.shape)} "
            f"with {scale.dtype} {list(scale.shape)}"
        )
    found: npt.NDArray[np.float32] = (codes.reshape(rows, -1) * scale).reshape(codes.shape)
    return found


def _to_float16(name: str, array: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    largest = float(np.abs(array).max())
    if largest > float(np.finfo(np.float16).max):
        raise SpecError(f"{name!r} has a weight of {largest:.4g}, more than float16 can hold; use bfloat16 or int8")
    return {name: array.astype(np.float16)}


def _from_float16(name: str, arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    array = _taken(name, arrays)
    if array.dtype != np.float16:
        raise ModelFileError(f"expected {name!r} as float16; got {array.dtype}")
    return array.astype(np.float32)


def _to_bfloat16(name: str, array: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Keep the upper half of the bits, rounded to the nearest, ties to even; numpy has no such type."""
    bits = np.ascontiguousarray(array).view(np.uint32).astype(np.uint64)
    rounded = bits + np.uint64(0x7FFF) + ((bits >> np.uint64(16)) & np.uint64(1))
    return {name: (rounded >> np.uint64(16)).astype(np.uint16)}


def _from_bfloat16(name: str, arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    array = _taken(name, arrays)
    if array.dtype != np.uint16:
        raise ModelFileError(f"expected {name!r} as the bits of bfloat16, uint16; got {array.dtype}")
    return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _differences(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Give the gaps between ascending whole numbers in as few bytes as they take; None where it is of no use."""
    if array.dtype != np.int64 or array.ndim != 1 or array.size == 0 or array[0] < 0:
        return None
    gaps = np.diff(array, prepend=0)
    if gaps.min() < 0 or gaps.max() > np.iinfo(np.uint32).max:
        return None
    return gaps.astype(next(kind for kind in _GAPS if gaps.max() <= np.iinfo(kind).max))


def _taken(name: str, arrays: Arrays) -> npt.NDArray[Any]:
    if name not in arrays:
        raise ModelFileError(f"a tensor {name!r} is described, which is absent")
    return arrays[name]


_ENCODERS: dict[str, Callable[[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]] = {
    "bfloat16": _to_bfloat16,
    "float16": _to_float16,
    "int8": _to_int8,
}
_DECODERS: dict[str, Callable[[str, dict[str, npt.NDArray[Any]]], npt.NDArray[Any]]] = {
    "bfloat16": _from_bfloat16,
    "float16": _from_float16,
    "int8": _from_int8,
}
