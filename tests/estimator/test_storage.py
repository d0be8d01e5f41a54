"""Weights in fewer bits, against plain loops."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tidegate.errors import ModelFileError, SpecError
from tidegate.estimator.modelfile import inspect_model, read_model, write_model
from tidegate.estimator.storage import Stored, as_stored, restored_arrays, scale_axis, still_stored


def weights(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def lossy(array: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    return restored_arrays(*as_stored({"weight": array}, kind))["weight"]


def test_int8_is_the_nearest_of_255_multiples_of_each_rows_scale() -> None:
    table = weights(3, 40)
    table[1] = 0
    found = lossy(table, "int8")
    for row, near in zip(table, found, strict=True):
        step = float(np.abs(row).max()) / 127
        for value, other in zip(row.tolist(), near.tolist(), strict=True):
            wanted = round(value / step) * step if step else 0.0
            assert other == pytest.approx(wanted, rel=1e-4, abs=1e-9)
    assert np.abs(found - table).max() <= np.abs(table).max() / 254 * 1.001


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 7), None), ((4, 8), 0), ((1024, 31), 1), ((1024, 32), 0), ((8, 2, 4), 0), ((5000, 1), 1)]
)
def test_scales_run_along_rows_or_the_columns_of_a_long_table(shape: tuple[int, ...], axis: int | None) -> None:
    table = weights(*shape)
    assert scale_axis(table) == axis
    written, stored = as_stored({"a.weight": table}, "int8")
    if axis is None:
        assert written["a.weight"] is table
        assert stored.arrays == ()
        return
    columns = table.size // len(table)
    assert written["a.weight#scale"].shape == ((len(table), 1) if axis == 0 else (1, columns))
    assert np.abs(restored_arrays(written, stored)["a.weight"] - table).max() < np.abs(table).max() / 250


@pytest.mark.parametrize("kind", ["int8", "float16", "bfloat16"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 3e4])
def test_what_was_stored_once_loses_nothing_more(kind: str, scale: float) -> None:
    arrays = {
        "layer.weight_hh_l0": weights(64, 33, seed=1) * np.float32(scale),
        "table.weight": weights(2000, 3, seed=2),
        "bias": weights(64),
    }
    if kind == "float16" and scale == 3e4:
        arrays["layer.weight_hh_l0"] /= 4
    once = restored_arrays(*as_stored(arrays, kind))
    assert still_stored(arrays, kind) == "float32"
    assert still_stored(once, kind) == kind
    assert np.array_equal(once["bias"], arrays["bias"])
    assert set(once) == set(arrays)


def test_bfloat16_rounds_to_the_nearest_ties_to_even() -> None:
    # 1 + 2**-8 lies midway between 1 and 1 + 2**-7; 1 + 3 * 2**-8 between 1 + 2**-7 and 1 + 2**-6
    table = np.array([[1, 1 + 2**-8, 1 + 2**-8 + 2**-20, 1 + 3 * 2**-8, -1 - 2**-8, 3e38, 0, 1e-30]], np.float32)
    found = lossy(table, "bfloat16")
    assert found[0, :5].tolist() == [1, 1, 1 + 2**-7, 1 + 2**-6, -1]
    for value in found[0].tolist():
        assert struct.pack(">f", value)[2:] == b"\x00\x00"
    assert found[0, 5:] == pytest.approx(table[0, 5:], rel=2**-8)


def test_float16_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(SpecError, match=r"'weight' has a weight of 1e\+05, more than float16 can hold; use bfloat16"):
        as_stored({"weight": np.full((2, 8), 1e5, np.float32)}, "float16")


def test_only_matrices_that_are_weights_change() -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "crf.transitions": weights(40, 40),
        "norm.weight": weights(40),
        "counts.weight": np.arange(80, dtype=np.int64).reshape(2, 40),
        "wide.ratios": weights(2000, 1),
    }
    written, stored = as_stored(arrays, "int8")
    assert stored.arrays == ("wide.ratios",)
    assert written["crf.transitions"] is arrays["crf.transitions"]
    assert written["norm.weight"] is arrays["norm.weight"]
    assert written["counts.weight"] is arrays["counts.weight"]


@pytest.mark.parametrize(
    ("ends", "dtype"),
    [
        ([1, 4, 4, 259], "uint8"),
        ([0, 300], "uint16"),
        ([7, 70_000], "uint32"),
        ([0, 2**40], "int64"),
        ([3, 2], "int64"),
    ],
)
def test_ascending_numbers_lie_there_as_gaps(ends: list[int], dtype: str) -> None:
    written, stored = as_stored({"ends": np.array(ends)}, "int8")
    assert written["ends"].dtype == dtype
    assert restored_arrays(written, stored)["ends"].tolist() == ends
    assert restored_arrays(written, stored)["ends"].dtype == np.int64


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"weight": np.zeros((2, 9), np.float32)}, r"expected 'weight' as int8 with a float32 scale a row or a column"),
        ({"weight#scale": np.zeros((3, 1), np.float32)}, r"got int8 \[2, 9\] with float32 \[3, 1\]"),
        ({"weight#scale": None}, "a tensor 'weight#scale' is described, which is absent"),
        ({"weight": None}, "a tensor 'weight' is described, which is absent"),
        ({"ends": np.zeros(3, np.int64)}, "expected gaps of 'ends' as whole numbers without sign; got int64"),
    ],
)
def test_a_file_that_is_not_as_it_says(spoil: dict[str, npt.NDArray[Any] | None], words: str) -> None:
    written, stored = as_stored({"weight": weights(2, 9), "ends": np.arange(3)}, "int8")
    spoilt = {name: array for name, array in {**written, **spoil}.items() if array is not None}
    with pytest.raises(ModelFileError, match=words):
        restored_arrays(spoilt, stored)


def test_a_model_file_of_int8(tmp_path: Path) -> None:
    arrays = {"weight": weights(300, 300), "bias": weights(300)}
    common: dict[str, Any] = {"kind": "made-up", "params": {}, "learned": {}, "arrays": arrays}
    write_model(tmp_path / "whole.safetensors", **common)
    write_model(tmp_path / "small.safetensors", **common, weights="int8")
    whole, small = (inspect_model(tmp_path / f"{name}.safetensors") for name in ("whole", "small"))
    assert (whole.stored, whole.format_version) == (Stored(), 1)
    assert (small.stored.weights, small.stored.arrays, small.format_version) == ("int8", ("weight",), 2)
    assert small.size < 0.27 * whole.size
    read = read_model(tmp_path / "small.safetensors").arrays
    assert np.array_equal(read["weight"], lossy(arrays["weight"], "int8"))
    assert np.array_equal(read["bias"], arrays["bias"])


@pytest.mark.parametrize("stored", [{"weights": "int4", "arrays": [], "gaps": []}, {"weights": "int8"}, 7])
def test_a_file_that_says_it_otherwise(tmp_path: Path, stored: Any) -> None:
    from tidegate._core import tensorfile

    path = tmp_path / "model.safetensors"
    description = {"kind": "made-up", "params": {}, "learned": {}, "tidegate": "0", "stored": stored}
    tensorfile.write(path, format="tidegate.model", version=2, description=description, arrays={})
    with pytest.raises(ModelFileError, match="is no usable model file: it does not say how weights are stored"):
        read_model(path)


def test_stored_is_described_as_it_is() -> None:
    stored = Stored(weights="int8", arrays=("a", "b"), gaps=("c",))
    assert Stored.from_dict(stored.to_dict()) == stored
    with pytest.raises(SpecError):
        dataclasses.replace(stored, arrays=["a"])  # type: ignore[arg-type]
