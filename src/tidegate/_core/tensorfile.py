"""One file of named arrays with a description, checked before anything is built from it.

The container is safetensors: a length, a JSON header, raw bytes. No pickle, so a file from a stranger cannot run code.
The header's metadata holds the description and a SHA-256 over description and arrays. Everything that the header
declares is held against the size of the file before memory is taken for it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tidegate._core.files import atomic_path, existing_file
from tidegate.errors import FileFormatError

__all__ = ["Header", "TensorFile", "read", "read_header", "write"]

_MAX_HEADER = 64 * 2**20
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
_MAGICS = {
    b"PK\x03\x04": "a zip archive (perhaps made by torch.save, Keras or numpy)",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of itself, without its arrays."""

    format: str  # who wrote it and what for, e.g. "tidegate.model"
    version: int  # of the format
    description: dict[str, Any]
    shapes: dict[str, tuple[str, tuple[int, ...]]]  # name -> dtype, shape
    digest: str
    size: int  # bytes of the file


@dataclasses.dataclass(frozen=True, kw_only=True)
class TensorFile:
    """A file's header and its arrays."""

    header: Header
    arrays: dict[str, np.ndarray[Any, Any]]


def write(
    path: str | os.PathLike[str],
    *,
    format: str,  # noqa: A002 - the format's name is what it is
    version: int,
    description: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray[Any, Any]],
) -> None:
    """Write ``arrays`` and ``description`` (what JSON knows) to ``path``, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    text = _text(description)
    metadata = {
        "format": format,
        "version": str(version),
        "description": text,
        "sha256": _digest(text, contiguous),
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(_ordered(save(contiguous, metadata)))


def read(path: str | os.PathLike[str], *, format: str, version: int) -> TensorFile:  # noqa: A002
    """Read a file that `write` made, after checking all that can be checked.

    Raises
    ------
    MissingFileError
        If there is no file.
    FileFormatError
        If it is truncated, altered, of another format or of a newer version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    header = read_header(path, format=format, version=version)
    try:
        arrays = load(Path(path).read_bytes())
    except SafetensorError as error:
        raise FileFormatError(f"{str(path)!r} is damaged: {error}") from error
    if _digest(_text(header.description), arrays) != header.digest:
        raise FileFormatError(
            f"{str(path)!r} was altered or damaged after it was written: its content does not match its SHA-256; "
            "take a fresh copy"
        )
    return TensorFile(header=header, arrays=arrays)


def read_header(path: str | os.PathLike[str], *, format: str, version: int) -> Header:  # noqa: A002
    """Read what a file says of itself, without its arrays; the digest is not checked. Raises as `read`."""
    file = existing_file(path, what=f"{format} file")
    raw, size = _raw_header(file)
    metadata = raw.pop("__metadata__", {})
    _check_origin(file, metadata, format=format, version=version)
    shapes = _check_layout(file, raw, size - _prefix(file))
    try:
        description = json.loads(metadata["description"])
        _text(description)  # what cannot be written, such as 1e999 or what is nested too deeply, was never written
        digest = metadata["sha256"]
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{str(file)!r} has a broken description: {error}") from error
    if not isinstance(description, dict):
        raise FileFormatError(f"{str(file)!r} has a broken description: expected an object")
    return Header(
        format=format,
        version=int(metadata["version"]),
        description=description,
        shapes=shapes,
        digest=str(digest),
        size=size,
    )


def _ordered(content: bytes) -> bytes:
    """Put the names in the header of a safetensors file in order, which safetensors leaves to chance.

    So the same content gives the same bytes. Offsets count from the end of the header and stay right.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of eight
    return len(header).to_bytes(8, "little") + header + content[start:]


def _text(description: Mapping[str, Any]) -> str:
    return json.dumps(description, sort_keys=True, allow_nan=False)


def _digest(description: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
    sha = hashlib.sha256(description.encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"\x00{name}\x00{array.dtype.name}\x00{array.shape}\x00".encode())
        sha.update(np.ascontiguousarray(array).data if array.size else b"")
    return sha.hexdigest()


def _prefix(file: Path) -> int:
    with file.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _raw_header(file: Path) -> tuple[dict[str, Any], int]:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if length > size - 8:  # else these bytes are a length like any other
            _check_magic(file, start)
        if len(start) < 8 or length < 2:
            raise FileFormatError(f"{str(file)!r} is not a Tidegate file: {size} bytes without a header")
        if length > _MAX_HEADER:
            raise FileFormatError(f"{str(file)!r} is not a Tidegate file: no header at its start")
        if length > size - 8:
            raise FileFormatError(
                f"{str(file)!r} is truncated: its header takes {length} bytes, the file has {size}; take a fresh copy"
            )
        text = stream.read(length)
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{str(file)!r} is not a Tidegate file: its header is no JSON") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("__metadata__", {}), dict):
        raise FileFormatError(f"{str(file)!r} is not a Tidegate file: its header is no table of tensors")
    return raw, size


def _check_magic(file: Path, start: bytes) -> None:
    for magic, name in _MAGICS.items():
        if start.startswith(magic):
            raise FileFormatError(f"{str(file)!r} is {name}, not a Tidegate file; Tidegate never loads pickles")


def _check_origin(file: Path, metadata: Mapping[str, Any], *, format: str, version: int) -> None:  # noqa: A002
    found = metadata.get("format")
    if found != format:
        came = f"format {found!r}" if found else "a safetensors file without Tidegate's description"
        raise FileFormatError(f"{str(file)!r} is not a {format} file: {came}")
    number = str(metadata.get("version"))
    if not number.isdecimal() or len(number) > 9:
        raise FileFormatError(f"{str(file)!r} names no version of its format; got {number[:20]!r}")
    if int(number) > version:
        raise FileFormatError(
            f"{str(file)!r} is of version {number} of {format}; this Tidegate reads up to {version}: "
            "install a newer one"
        )


def _check_layout(file: Path, raw: Mapping[str, Any], room: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Hold what the header declares against the ``room`` bytes that follow it."""
    shapes, end = {}, 0
    for name, entry in raw.items():
        try:
            dtype, shape, (start, stop) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            fits = all(isinstance(n, int) and n >= 0 for n in (*shape, start, stop))
            fits = fits and stop - start == math.prod(shape) * _BYTES[dtype]
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(f"{str(file)!r} is damaged: tensor {name[:80]!r} is not described") from error
        if not fits:
            raise FileFormatError(f"{str(file)!r} is damaged: tensor {name[:80]!r} is not as large as its shape says")
        shapes[name] = (dtype, shape)
        end = max(end, stop)
    if end != room:
        state = "truncated" if end > room else "damaged"
        raise FileFormatError(
            f"{str(file)!r} is {state}: its tensors take {end} bytes, the file has {room} for them; take a fresh copy"
        )
    return shapes
