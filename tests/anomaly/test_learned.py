import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tidegate as tg
from tidegate.errors import ModelFileError
from tidegate.estimator.modelfile import read_model, write_model


def rewritten(detector: Any, path: Path, change: Any) -> None:
    """Write a file of the detector with a change in its description or its arrays."""
    detector.save(path)
    file = read_model(path)
    params, learned = json.loads(json.dumps(file.info.params)), json.loads(json.dumps(file.info.learned))
    arrays = dict(file.arrays)
    change(params, learned, arrays)
    write_model(path, kind="anomaly_detector", params=params, learned=learned, arrays=arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, _l, _a: p.update(context=None), "context must be a whole number"),
        (lambda p, _l, _a: p["network"].update(hidden_size=10**6), "expected 'members.0.encoder"),
        (lambda p, _l, _a: p["network"].update(num_layers=10**9), "layers are described"),
        (lambda p, _l, _a: p.update(members=90), "layers are described, the file has"),
        (lambda p, _l, _a: p.update(members=10**12), "members must be at most 100"),
        (lambda p, _l, _a: p.update(method={"kind": "forest"}), "kind must be one of 'autoencoder', 'prediction'"),
        (
            lambda p, _l, _a: (
                p["method"].update(bottleneck=10**9)
                if isinstance(p["method"], dict)
                else p.update(method={"kind": "autoencoder", "bottleneck": 10**9})
            ),
            "expected 'members.0.bottleneck.weight' of shape",
        ),
        (lambda p, _l, _a: p.update(threshold={"kind": "spot"}), "numbers"),
        (lambda _p, s, _a: s["settled"].update(ids=list(range(10**5))), "expected 'series_scaling.loc' of shape"),
        (lambda _p, s, _a: s["settled"]["columns"].update(targets=["a", "b", "c"]), "expected 'series_scaling.loc'"),
        (lambda _p, s, _a: s["settled"].update(ids=[]), "a detector has at least one variable and one series"),
        (lambda _p, s, _a: s.pop("history"), "history"),
        (lambda _p, _l, a: a.pop("batch.scale"), "scale"),
        (lambda _p, _l, a: a.update({"causal.scale": np.array([-1.0, 1.0])}), "expected 2 scales of errors above 0"),
        (lambda _p, _l, a: a.update({"batch.least": np.zeros(2)}), "unpack"),
    ],
)
def test_files_that_do_not_fit(autoencoder: Any, tmp_path: Path, change: Any, message: str) -> None:
    rewritten(autoencoder, tmp_path / "m", change)
    with pytest.raises(ModelFileError) as caught:
        tg.AnomalyDetector.load(tmp_path / "m")
    assert "m' does not describe a usable anomaly_detector: " in str(caught.value)
    assert message in str(caught.value)


def test_no_row_and_no_score_of_training_is_in_the_file(autoencoder: Any, tmp_path: Path) -> None:
    autoencoder.save(tmp_path / "m")
    assert max(array.size for array in read_model(tmp_path / "m").arrays.values()) < 300
    assert "decision_scores" not in str(read_model(tmp_path / "m").info.learned)
