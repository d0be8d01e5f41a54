"""The model file: what it says of itself, and what is no model file."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tidegate._core import tensorfile
from tidegate._core.version import __version__
from tidegate.errors import MissingFileError, ModelFileError
from tidegate.estimator import inspect_model
from tidegate.estimator.modelfile import ModelInfo, read_model, write_model

ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "ids": np.frombuffer(b"abc", np.uint8),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_model(tmp_path / "m", kind="test", params={"horizon": 3}, learned={"season": 12}, arrays=ARRAYS)
    return tmp_path / "m"


def test_what_is_written_comes_back(path: Path) -> None:
    file = read_model(path)
    assert set(file.arrays) == {"ids", "weight"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(file.arrays[name], array)
        assert file.arrays[name].dtype == array.dtype
    assert file.info == inspect_model(path)


def test_what_it_says_of_itself(path: Path) -> None:
    info = inspect_model(path)
    assert info == ModelInfo(
        kind="test",
        params={"horizon": 3},
        learned={"season": 12},
        tidegate=__version__,
        format_version=1,
        shapes={"ids": ("U8", (3,)), "weight": ("F32", (2, 3))},
        digest=info.digest,
        size=path.stat().st_size,
    )
    assert len(info.digest) == 64


def test_nan_at_any_depth_becomes_none(tmp_path: Path) -> None:
    learned = {"a": [1.0, float("nan"), {"b": float("-inf")}], "c": 2}
    write_model(tmp_path / "m", kind="test", params={}, learned=learned, arrays={})
    assert inspect_model(tmp_path / "m").learned == {"a": [1.0, None, {"b": None}], "c": 2}


def replace_content(content: bytes) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter_description(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"season", b"saeson"))


def alter_tensor(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def foreign(path: Path) -> None:
    save_file({"weight": np.ones(3)}, path)


def of_a_training(path: Path) -> None:
    tensorfile.write(path, format="tidegate.checkpoint", version=1, description={}, arrays={})


def newer(path: Path) -> None:
    tensorfile.write(path, format="tidegate.model", version=3, description={}, arrays={})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, "is truncated: its tensors take 27 bytes, the file has 26"),
        (alter_description, "does not match its SHA-256; take a fresh copy"),
        (alter_tensor, "does not match its SHA-256; take a fresh copy"),
        (foreign, "is not a tidegate.model file: a safetensors file without Tidegate's description"),
        (of_a_training, "is not a tidegate.model file: format 'tidegate.checkpoint'"),
        (newer, "is of version 3 of tidegate.model; this Tidegate reads up to 2: install a newer one"),
        (replace_content(b""), "is not a Tidegate file: 0 bytes without a header"),
        (
            replace_content(pickle.dumps([1] * 99)),
            "is a Python pickle, not a Tidegate file; Tidegate never loads pickles",
        ),
        (replace_content(b"PK\x03\x04" + bytes(99)), "is a zip archive"),
    ],
)
def test_what_is_no_model_file(path: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(path)
    with pytest.raises(ModelFileError, match=words):
        read_model(path)


@pytest.mark.parametrize("spoil", [truncate, foreign, of_a_training, newer, replace_content(b"")])
def test_inspection_refuses_what_it_can_see(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    with pytest.raises(ModelFileError):
        inspect_model(path)


@pytest.mark.parametrize("read", [inspect_model, read_model])
def test_no_file(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    with pytest.raises(MissingFileError, match=r"no tidegate.model file at '.*m'"):
        read(tmp_path / "m")


@pytest.mark.parametrize("field", ["kind", "params", "learned", "tidegate"])
@pytest.mark.parametrize("value", [None, 3])
def test_a_description_that_lacks_a_field(tmp_path: Path, field: str, value: Any) -> None:
    description = {"kind": "test", "params": {}, "learned": {}, "tidegate": "1", field: value}
    tensorfile.write(tmp_path / "m", format="tidegate.model", version=1, description=description, arrays={})
    with pytest.raises(ModelFileError, match=f"is no usable model file: its description has no '{field}'"):
        inspect_model(tmp_path / "m")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path: Path, value: float) -> None:
    write_model(tmp_path / "m", kind="test", params={}, learned={}, arrays={"w": np.array([1.0, value])})
    with pytest.raises(ModelFileError, match="m' cannot be used: tensor 'w' holds NaN or infinite values"):
        read_model(tmp_path / "m")
