"""Programs for torch, read from their files, beside the models that they come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import tidegate as tg
from tidegate.errors import NotFittedError, StateError, UnsupportedError
from tidegate.export import export_torch, torch_program

SERIES = [np.random.default_rng(row).normal(size=(5 + row, 2)) for row in range(8)]
TRAINING = tg.Training(max_steps=2, batch_size=4)


@pytest.fixture(scope="module")
def model() -> tg.SequenceRegressor:
    network = tg.Recurrent(cell="gru", hidden_size=4, layer_norm=True)
    return tg.SequenceRegressor(network=network, training=TRAINING, device="cpu").fit(SERIES, np.arange(8.0))


def test_a_program_keeps_the_fused_operators_and_the_numbers(model: tg.SequenceRegressor, tmp_path: Path) -> None:
    exported = export_torch(model, tmp_path / "model.pt2")
    assert exported.nodes["tidegate.gru.default"] == 1
    assert exported.worst < 1e-7
    assert len({trial.time for trial in exported.trials}) == 3
    assert any(trial.ragged for trial in exported.trials)
    assert [(port["name"], port["dtype"], port["axes"]) for port in (*exported.inputs, *exported.outputs)] == [
        ("values", "float64", ["batch", "time", 2]),
        ("lengths", "int64", ["batch"]),
        ("number", "float64", ["batch"]),
    ]
    said = {"tidegate.kind": "", "tidegate.notes": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=said)
    assert said["tidegate.kind"] == "sequence_regressor"
    assert "import tidegate" in json.loads(said["tidegate.notes"])[0]
    for count in (1, 5):  # the batch is open, and so is time
        lengths = torch.tensor([len(series) for series in SERIES[:count]])
        values = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(series) for series in SERIES[:count]], True)
        with torch.no_grad():
            found = program.module()(values, lengths)
        np.testing.assert_allclose(found.numpy(), model.predict(SERIES[:count]), rtol=1e-6)


def test_no_file_of_this_machine_is_named(model: tg.SequenceRegressor) -> None:
    assert str(Path(tg.__file__).parent).encode() not in export_torch(model).content


def test_what_differs_or_cannot_be_written_leaves_no_file(
    model: tg.SequenceRegressor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = torch_program._Loaded.run
    with monkeypatch.context() as patched:
        patched.setattr(torch_program._Loaded, "run", lambda self, given: [part * 1.001 for part in run(self, given)])
        with pytest.raises(StateError, match=r"'number' differs by 0\.001 relative with 1 rows of 1 steps"):
            export_torch(model, tmp_path / "model.pt2")

    def refusing(*_: object, **__: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(torch.export, "save", refusing)
    with pytest.raises(UnsupportedError, match="torch cannot write a part of this model down: no such thing"):
        export_torch(model, tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFittedError, match=r"this Tagger is not fitted; call fit\(…\) before export_torch"):
        export_torch(tg.Tagger())
