"""Files of arrays: whole, checked, and harmless."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate._core import tensorfile
from tidegate.errors import FileFormatError, MissingFileError, OutputError

ARRAYS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(7), "empty": np.zeros((0, 4), np.uint8)}
DESCRIPTION = {"kind": "test", "nested": {"x": [1, 2.5, None, "é"]}}


def write(path: Path) -> Path:
    tensorfile.write(path, format="tidegate.test", version=2, description=DESCRIPTION, arrays=ARRAYS)
    return path


def read(path: Path) -> tensorfile.TensorFile:
    return tensorfile.read(path, format="tidegate.test", version=2)


def with_header(path: Path, header: dict[str, Any], body: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def metadata(**changes: str) -> dict[str, str]:
    given = {"format": "tidegate.test", "version": "2", "description": "{}"}
    return {**given, "sha256": hashlib.sha256(b"{}").hexdigest(), **changes}


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    found = read(write(tmp_path / "f.safetensors"))
    assert found.header.description == DESCRIPTION
    assert found.header.shapes == {"a": ("I64", ()), "b": ("F32", (2, 3)), "empty": ("U8", (0, 4))}
    assert sorted(found.arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype


def test_a_file_without_arrays(tmp_path: Path) -> None:
    tensorfile.write(tmp_path / "f", format="x", version=1, description={}, arrays={})
    assert tensorfile.read(tmp_path / "f", format="x", version=1).arrays == {}


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = write(tmp_path / "f").read_bytes()
    for length in range(len(whole)):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:length])
        with pytest.raises(FileFormatError):
            read(cut)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    whole = write(tmp_path / "f").read_bytes()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 0x20
        (tmp_path / "g").write_bytes(altered)
        try:
            found = read(tmp_path / "g")
        except FileFormatError:
            continue
        # Blank padding of the header may change without a change of what it says.
        assert found.header.description == DESCRIPTION
        assert all(np.array_equal(found.arrays[name], array) for name, array in ARRAYS.items())


@given(st.binary(max_size=200))
def test_noise_is_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(noise)
    with pytest.raises(FileFormatError):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes without a header"),
        (pickle.dumps({"a": 1}, protocol=4), "is a Python pickle, not a Tidegate file; Tidegate never loads pickles"),
        (b"PK\x03\x04" + b"0" * 40, "is a zip archive"),
        (b"unique_id,ds,y\n1,2,3\n", "no header at its start"),
        ((10**6).to_bytes(8, "little") + b"{}", "its header takes 1000000 bytes, the file has 10"),
        ((2**63).to_bytes(8, "little") + b"{}", "no header at its start"),
        ((5).to_bytes(8, "little") + b"[1,2]", "no table of tensors"),
        ((5).to_bytes(8, "little") + b"{,,,}", "its header is no JSON"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path / "f")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}, "is truncated: its tensors take 4000"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "not as large as its shape says"),
        ({"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]}, "not as large as its shape says"),
        ({"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}, "is not described"),
        ({"shape": [2]}, "is not described"),
    ],
)
def test_declared_sizes_are_held_against_the_file(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    path = with_header(tmp_path / "f", {"__metadata__": metadata(), "w": entry}, b"\0" * 8)
    with pytest.raises(FileFormatError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "is not a tidegate.test file: format 'other'"),
        ({"version": "3"}, "is of version 3 of tidegate.test; this Tidegate reads up to 2: install a newer one"),
        ({"version": "two"}, "names no version"),
        ({"description": "["}, "has a broken description"),
        ({"description": "[]"}, "expected an object"),
        ({"sha256": "0"}, "does not match its SHA-256"),
    ],
)
def test_what_the_metadata_says_is_checked(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(with_header(tmp_path / "f", {"__metadata__": metadata(**changes)}))


def test_a_header_as_long_as_a_pickles_first_bytes_is_read(tmp_path: Path) -> None:
    for extra in range(200, 2000):
        tensorfile.write(tmp_path / "f", format="x", version=1, description={"pad": "x" * extra}, arrays={})
        if (tmp_path / "f").read_bytes().startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04")):
            assert tensorfile.read_header(tmp_path / "f", format="x", version=1).description["pad"] == "x" * extra
            return
    pytest.fail("no header of that length was written; widen the range")


def test_a_plain_safetensors_file_is_foreign(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="without Tidegate's description"):
        read(with_header(tmp_path / "f", {}))


def test_absent_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no tidegate\.test file at"):
        read(tmp_path / "absent")
    with pytest.raises(MissingFileError, match="found a folder"):
        read(tmp_path)
    with pytest.raises(OutputError, match="choose a folder that exists"):
        write(tmp_path / "absent" / "f")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "f")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    arrays = {name: np.full(3, place, np.float32) for place, name in enumerate("hgfedcba")}
    for name in ("one", "two"):
        tensorfile.write(tmp_path / name, format="x", version=1, description={"b": 1, "a": 2}, arrays=arrays)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read = tensorfile.read(tmp_path / "one", format="x", version=1).arrays
    assert {name: array.tolist() for name, array in read.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
