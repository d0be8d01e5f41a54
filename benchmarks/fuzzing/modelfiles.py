"""Model files as strangers write them: their bytes, their header, what they describe, and their tensors changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzzing.trees import Draw, mutated, paths, text_of, weird

__all__ = ["Sample", "changed_files", "file_of", "read_sample"]

Arrays = dict[str, np.ndarray[Any, Any]]
_DTYPES = {"float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "uint8": "U8", "bool": "BOOL",
           "float16": "F16", "int8": "I8", "int16": "I16", "uint16": "U16", "uint32": "U32",
           "uint64": "U64"}  # fmt: skip
_RIGHT = (True,) * 29 + (False,)
_SIZES = (0, -1, 1, 2, 3, 1_000, 2**31, 2**40, 2**63, 10**30, 1.5, "2", None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """A model file that is as it should be, and its parts."""

    name: str
    content: bytes
    header: dict[str, Any]
    description: dict[str, Any]
    payload: bytes
    arrays: Arrays
    places: list[tuple[str | int, ...]]  # of the description

    @property
    def version(self) -> str:
        """The version of the format that it is of."""
        return str(self.header["__metadata__"]["version"])


def read_sample(path: Path) -> Sample:
    """Take a file that `Estimator.save` wrote apart."""
    from safetensors.numpy import load

    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    description = json.loads(header["__metadata__"]["description"])
    # The curve of a training is most of the values, and little is done with it: a few of its places will do.
    every = list(paths(description))
    curve = [place for place in every if "history" in place]
    told = [place for place in every if "history" not in place and len(place) > 1]
    return Sample(
        name=path.stem,
        content=content,
        header=header,
        description=description,
        payload=content[start:],
        arrays={name: np.array(array) for name, array in load(content).items()},
        places=told + curve[:6] + every[:3],
    )


def file_of(description: Any, arrays: Arrays, *, version: str, right: bool = True) -> bytes:
    """Put a model file together, with the SHA-256 that it should have if ``right``."""
    text = text_of(description)
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"\x00{name}\x00{array.dtype.name}\x00{array.shape}\x00".encode("utf-8", "replace"))
        sha.update(np.ascontiguousarray(array).tobytes())
    digest = sha.hexdigest() if right else "0" * 64
    metadata = {"format": "tidegate.model", "version": version, "description": text, "sha256": digest}
    header: dict[str, Any] = {"__metadata__": metadata}
    parts, place = [], 0
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):  # aligned, as safetensors wants it
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [place, place + len(raw)]
        }  # fmt: skip
        parts.append(raw)
        place += len(raw)
    return _joined(header, b"".join(parts))


def _joined(header: Any, payload: bytes) -> bytes:
    written = text_of(header).encode()
    written += b" " * (-len(written) % 8)
    return len(written).to_bytes(8, "little") + written + payload


def changed_files(samples: list[Sample]) -> st.SearchStrategy[bytes]:
    """Give contents of files, most of them with a SHA-256 that fits."""

    @st.composite
    def content(draw: Draw) -> bytes:
        sample = draw(st.sampled_from(samples))
        level = draw(st.sampled_from(("description",) * 10 + ("tensors",) * 4 + ("both", "header", "header", "bytes")))
        if level == "bytes":
            return changed_bytes(draw, sample.content)
        if level == "header":
            return _changed_header(draw, sample)
        description, arrays = sample.description, sample.arrays
        if level != "tensors":
            description = mutated(draw, description, sample.places)
        if level != "description":
            arrays = _changed_arrays(draw, arrays)
        return file_of(description, arrays, version=sample.version, right=draw(st.sampled_from(_RIGHT)))

    made: st.SearchStrategy[bytes] = content()
    return made


def changed_bytes(draw: Draw, content: bytes) -> bytes:
    """Flip, cut, insert and repeat bytes."""
    made = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(made) - 1, 0)))
        if draw(st.booleans()):
            place = min(place, 200)  # about the start there is more to break
        action = draw(st.sampled_from(("flip", "cut", "insert", "repeat", "drop")))
        if action == "flip" and made:
            made[place] ^= draw(st.integers(1, 255))
        elif action == "cut":
            del made[place:]
        elif action == "insert":
            made[place:place] = draw(st.binary(max_size=16))
        elif action == "repeat":
            made[place:place] = made[place : place + draw(st.integers(1, 64))]
        else:
            del made[place : place + draw(st.integers(1, 64))]
    return bytes(made)


def _changed_header(draw: Draw, sample: Sample) -> bytes:
    header = json.loads(json.dumps(sample.header))
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(header)))
        entry = header[name]
        action = draw(st.sampled_from(("field", "field", "item", "entry", "drop", "rename")))
        if action == "field" and isinstance(entry, dict):
            entry[draw(st.sampled_from(sorted(entry) or ["shape"]))] = draw(weird())
        elif action == "item" and isinstance(entry, dict) and isinstance(entry.get("shape"), list):
            listed = draw(st.sampled_from([entry["shape"], entry.get("data_offsets")]))
            if isinstance(listed, list) and listed:
                listed[draw(st.integers(0, len(listed) - 1))] = draw(st.sampled_from(_SIZES))
        elif action == "entry":
            header[name] = draw(weird())
        elif action == "rename":
            header[draw(st.text(max_size=6))] = header.pop(name)
        elif len(header) > 1:
            del header[name]
    made = _joined(header, sample.payload)
    if draw(st.integers(0, 5)) == 0:
        made = draw(st.sampled_from((0, 1, 2, 2**16, 2**31, 2**63, 2**64 - 1))).to_bytes(8, "little") + made[8:]
    return made


def _changed_arrays(draw: Draw, arrays: Arrays) -> Arrays:
    made = dict(arrays)
    for _ in range(draw(st.integers(1, 3))):
        if not made:
            break
        name = draw(st.sampled_from(sorted(made)))
        action = draw(st.sampled_from(("drop", "rename", "swap", "add", "shape", "type", "fill", "item", "cut")))
        if action == "drop":
            del made[name]
        elif action == "rename":
            made[draw(st.one_of(st.sampled_from(sorted(made)), st.text(max_size=6)))] = made.pop(name)
        elif action == "swap":
            other = draw(st.sampled_from(sorted(made)))
            made[name], made[other] = made[other], made[name]
        elif action == "add":
            made[draw(st.text(max_size=6))] = np.zeros(draw(st.sampled_from(((), (0,), (3, 4)))), np.float32)
        else:
            made[name] = _changed_array(draw, action, made[name])
    return made


def _changed_array(draw: Draw, action: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if action == "shape":
        shapes = [(array.size,), (1, *array.shape), (*array.shape, 1), array.shape[::-1]]
        return array.reshape(draw(st.sampled_from(shapes)))
    if action == "type":
        with np.errstate(all="ignore"):
            return array.astype(draw(st.sampled_from(sorted(_DTYPES))))
    if action == "cut":
        return array[: draw(st.integers(0, 3))] if array.ndim else array.reshape(1)[:0]
    made = array.copy()
    number = draw(st.sampled_from((0, 1, -1, 2, 127, 2**31, 2**62, 1e30, -1e30, 3e38, 1e300, float("nan"))))
    try:
        with np.errstate(all="ignore"):
            if action == "item" and made.size:
                made.flat[draw(st.integers(0, made.size - 1))] = number
            else:
                made[...] = number
    except (OverflowError, ValueError):  # the type has no such number
        made[...] = 0
    return made
