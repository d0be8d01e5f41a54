"""``predict`` and ``evaluate`` ask the room that answers for a kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate.cli.answering import answering
from tidegate.errors import ModelFileError
from tidegate.estimator.modelfile import write_model
from tidegate.estimator.registry import kinds
from tidegate.testing import all_estimators


def _file(folder: Path, kind: str) -> Path:
    path = folder / "model.safetensors"
    write_model(path, kind=kind, params={}, learned={}, arrays={"x": np.zeros(1)})
    return path


def test_there_is_a_room_for_every_kind(tmp_path: Path) -> None:
    all_estimators()  # registers them
    for kind in kinds():
        if kind != "forecaster" and not kind.startswith("toy"):
            room = answering(kind, tmp_path)
            assert callable(room.predicted)
            assert callable(room.evaluated)


def test_an_unknown_kind_is_named(cli: Any, tmp_path: Path) -> None:
    path = _file(tmp_path, "oracle")
    with pytest.raises(ModelFileError, match="holds a 'oracle', which is not known here; known: forecaster, anomaly"):
        answering("oracle", path)
    for command in ("predict", "evaluate"):
        result = cli(command, path, tmp_path / "data.csv")
        assert (result.code, result.out) == (2, "")
        assert "holds a 'oracle', which is not known here" in result.err


@pytest.mark.parametrize(
    ("command", "flags", "named"),
    [
        ("predict", ("--levels", "80"), "--levels"),
        ("predict", ("--sort",), "--sort"),
        ("predict", ("--future", "a.csv"), "--future"),
        ("evaluate", ("--stride", "3"), "--stride"),
    ],
)
def test_options_of_forecasters_are_refused(
    cli: Any, tmp_path: Path, command: str, flags: tuple[str, ...], named: str
) -> None:
    result = cli(command, _file(tmp_path, "tagger"), tmp_path / "data.conll", *flags)
    assert result.code == 2
    assert result.err.endswith(f"{named} is an option for forecasters; the model is a tagger: leave it out\n")
