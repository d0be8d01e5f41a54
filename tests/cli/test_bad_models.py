"""Model files that are none: each ends in one line and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tidegate._core import tensorfile

Lines = Callable[..., list[str]]


def _header(content: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def _joined(header: dict[str, Any], rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def truncated(content: bytes) -> bytes:
    return content[:-10]


def cut_in_the_header(content: bytes) -> bytes:
    return content[:100]


def flipped_weight(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 0x01]) + content[-4:]


def flipped_description(content: bytes) -> bytes:
    return content.replace(rb"\"horizon\": 3", rb"\"horizon\": 4", 1)


def newer(content: bytes) -> bytes:
    header, rest = _header(content)
    header["__metadata__"]["version"] = "99"
    return _joined(header, rest)


def declares_more(content: bytes) -> bytes:
    header, rest = _header(content)
    name = next(key for key in header if key != "__metadata__")
    header[name]["shape"] = [10**9, 10**3]
    start = header[name]["data_offsets"][0]
    header[name]["data_offsets"] = [start, start + 4 * 10**12]
    return _joined(header, rest)


def huge_header(content: bytes) -> bytes:
    return (2**62).to_bytes(8, "little") + content[8:]


def pickled(_: bytes) -> bytes:
    return pickle.dumps({"weights": [1, 2, 3]})


def nothing(_: bytes) -> bytes:
    return b""


def text(_: bytes) -> bytes:
    return b"store,date,units\nnorth,2024-01-01,1\n" * 20


@pytest.mark.parametrize("command", ["predict", "evaluate", "info"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (truncated, "is truncated: its tensors take"),
        (cut_in_the_header, "is truncated: its header takes"),
        (flipped_weight, "was altered or damaged after it was written"),
        (flipped_description, "was altered or damaged after it was written"),
        (newer, "is of version 99 of tidegate.model; this Tidegate reads up to 2"),
        (declares_more, "is truncated: its tensors take"),
        (huge_header, "is not a Tidegate file"),
        (pickled, "is a Python pickle, not a Tidegate file; Tidegate never loads pickles"),
        (nothing, "is not a Tidegate file: 0 bytes without a header"),
        (text, "is not a Tidegate file"),
    ],
)
def test_a_spoilt_model_file(
    command: str, spoil: Any, said: str, cli: Any, model_file: Path, lines: Lines, write: Any, tmp_path: Path
) -> None:
    path = tmp_path / "spoilt.safetensors"
    path.write_bytes(spoil(model_file.read_bytes()))
    _refused(cli, command, path, write(lines(30)), said, tmp_path)


def test_a_foreign_model_file(cli: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    csv = write(lines(30))
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "foreign.safetensors")
    said = "is not a tidegate.model file: a safetensors file without Tidegate's description"
    _refused(cli, "predict", tmp_path / "foreign.safetensors", csv, said, tmp_path)
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1]))
    _refused(cli, "predict", tmp_path / "model.pt", csv, "is a zip archive (perhaps made by torch.save", tmp_path)


def test_a_model_of_another_kind(cli: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    description = {"kind": "oracle", "params": {}, "learned": {}, "tidegate": "0.1.0"}
    path = tmp_path / "oracle.safetensors"
    tensorfile.write(path, format="tidegate.model", version=1, description=description, arrays={"w": np.zeros(1)})
    _refused(cli, "predict", path, write(lines(30)), "holds a 'oracle', which is not known here", tmp_path)


def test_a_model_file_with_weights_that_are_no_numbers(
    cli: Any, model_file: Path, lines: Lines, write: Any, tmp_path: Path
) -> None:
    content = tensorfile.read(model_file, format="tidegate.model", version=1)
    arrays = {name: np.full_like(array, np.nan) for name, array in content.arrays.items() if array.dtype.kind == "f"}
    path = tmp_path / "nan.safetensors"
    description = content.header.description
    tensorfile.write(path, format="tidegate.model", version=1, description=description, arrays=arrays)
    _refused(cli, "predict", path, write(lines(30)), "holds NaN or infinite values", tmp_path)


def test_no_model_file(cli: Any, lines: Lines, write: Any, tmp_path: Path) -> None:
    _refused(cli, "predict", tmp_path / "absent", write(lines(30)), "no tidegate.model file at", tmp_path)
    _refused(cli, "info", tmp_path, write(lines(30)), "found a folder", tmp_path)


def _refused(cli: Any, command: str, model: Path, csv: Path, said: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    more: list[object] = [] if command == "info" else [csv]
    more += ["--out", tmp_path / "forecast.csv"] if command == "predict" else []
    result = cli(command, model, *more)
    assert result.code == 2
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert result.err.startswith("tidegate: error: ")
    assert said in result.err
    assert sorted(tmp_path.iterdir()) == before
