from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tidegate.data.batches import Arrays, Batches
from tidegate.errors import FileFormatError, MissingFileError
from tidegate.specs import Optimizer, Training
from tidegate.training import Callback, EarlyStopping, Supervised, checkpoint
from tidegate.training.loop import train_batch
from tidegate.training.state import TrainingState

SPEC = Training(epochs=4, schedule="one_cycle")


def state(
    *,
    training: Training = SPEC,
    sizes: tuple[int, int] = (3, 5),
    dtype: torch.dtype = torch.float32,
    callbacks: tuple[Callback, ...] = (),
    examples: int = 20,
    metrics: tuple[str, ...] = ("mae",),
) -> TrainingState:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(*sizes, dtype=dtype), nn.Dropout(0.2), nn.Linear(sizes[1], 1, dtype=dtype))
    X = np.random.default_rng(0).normal(size=(examples, sizes[0]))
    return TrainingState.make(
        net,
        Batches(Arrays(X, X[:, :1]), 8, shuffle=True),
        Supervised(),
        training,
        validation=None,
        metrics=metrics,
        callbacks=callbacks,
        optimizer=None,
    )


def frozen(value: Any) -> Any:
    """Turn a snapshot into something that can be compared bit by bit."""
    arrays: dict[str, np.ndarray] = {}
    packed = json.dumps(checkpoint._pack(value, "", arrays))
    return packed, {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_everything_comes_back_bit_by_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    first = state(dtype=dtype)
    for _ in range(2):
        train_batch(first)
    checkpoint.save(first, tmp_path / "c")
    kept = frozen(checkpoint.snapshot(first))
    train_batch(first)

    second = state(dtype=dtype)
    torch.manual_seed(77)
    checkpoint.restore(second, tmp_path / "c")
    assert frozen(checkpoint.snapshot(second)) == kept
    train_batch(second)
    assert frozen(checkpoint.snapshot(second)) == frozen(checkpoint.snapshot(first))


def test_it_holds_no_pickle_and_can_be_read_by_others(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    checkpoint.save(state(), tmp_path / "c")
    assert load_file(tmp_path / "c")["/module/0.weight"].shape == (5, 3)


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"sizes": (3, 6)}, r"module was \['0.weight', .*\[5, 3\]\], here it is \['0.weight', .*\[6, 3\]\]"),
    ({"training": dataclasses.replace(SPEC, epochs=5)}, "training was epochs=4, here it is epochs=5"),
    ({"training": dataclasses.replace(SPEC, optimizer=Optimizer("sgd"))}, "optimizer was Adam, here it is SGD"),
    ({"examples": 30}, "batches was 3, here it is 4"),
    ({"metrics": ()}, r"metrics was \['loss', 'mae'\], here it is \['loss'\]"),
    ({"callbacks": (EarlyStopping(),)}, r"callbacks was \[\], here it is \['EarlyStopping'\]"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_another_training_is_refused_and_stays_as_it_was(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    first = state()
    train_batch(first)
    checkpoint.save(first, tmp_path / "c")
    other = state(**change)
    before = frozen(checkpoint.snapshot(other))
    with pytest.raises(FileFormatError, match=f"is the checkpoint of another training: {message}; continue that"):
        checkpoint.restore(other, tmp_path / "c")
    assert frozen(checkpoint.snapshot(other)) == before


def _flip(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "truncated"),
        (_flip, "does not match its SHA-256"),
        (lambda content: b"\x80\x04" + content[2:], "pickle|not a Tidegate file"),
        (lambda content: b"", "0 bytes without a header"),
        (
            lambda content: content.replace(b"tidegate.checkpoint", b"tidegate.modelfiles"),
            "is not a tidegate.checkpoint",
        ),
    ],
)
def test_damaged_and_foreign_files_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    checkpoint.save(state(), tmp_path / "c")
    (tmp_path / "c").write_bytes(damage((tmp_path / "c").read_bytes()))
    other = state()
    before = frozen(checkpoint.snapshot(other))
    with pytest.raises(FileFormatError, match=message):
        checkpoint.restore(other, tmp_path / "c")
    assert frozen(checkpoint.snapshot(other)) == before


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        checkpoint.restore(state(), tmp_path / "c")


def test_what_callbacks_keep_may_be_nested(tmp_path: Path) -> None:
    class Keeping(Callback):
        def __init__(self) -> None:
            self.kept: dict[Any, Any] = {}

        def state_dict(self) -> dict[str, Any]:
            return {"kept": self.kept}

        def load_state_dict(self, state: Any) -> None:
            self.kept = state["kept"]

    first, second = Keeping(), Keeping()
    first.kept = {1: (math.inf, [math.nan, None]), "a": {"b": torch.tensor([1.5])}, "flag": True}
    checkpoint.save(state(callbacks=(first,)), tmp_path / "c")
    checkpoint.restore(state(callbacks=(second,)), tmp_path / "c")
    assert str(second.kept) == str(first.kept)


def test_what_cannot_be_kept_is_named(tmp_path: Path) -> None:
    class Keeping(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"file": object()}

    with pytest.raises(TypeError, match="cannot hold the object at '/callbacks/0/file'"):
        checkpoint.save(state(callbacks=(Keeping(),)), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []
