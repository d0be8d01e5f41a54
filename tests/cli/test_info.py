"""``tidegate info``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import tidegate
from tidegate.forecast import Forecaster


def test_json_holds_what_the_file_holds(cli: Any, model_file: Path) -> None:
    result = cli("info", model_file, "--json")
    assert (result.code, result.err) == (0, "")
    info = json.loads(result.out)
    model = Forecaster.load(model_file)
    weights = model.network_.state_dict()
    assert (info["kind"], info["tidegate"], info["format_version"]) == ("forecaster", tidegate.__version__, 1)
    assert (info["params"]["horizon"], info["params"]["network"]["hidden_size"]) == (3, 4)
    assert info["learned"]["settled"]["columns"]["targets"] == ["units"]
    assert info["bytes"] == model_file.stat().st_size
    assert info["numbers"] == sum(np.prod(tensor.shape, dtype=int) for tensor in weights.values())
    assert {name: entry["shape"] for name, entry in info["tensors"].items()} == {
        name: list(tensor.shape) for name, tensor in weights.items()
    }
    assert len(info["sha256"]) == 64


def test_for_people(cli: Any, model_file: Path) -> None:
    out = cli("info", model_file).out
    for said in ("forecaster", "network.hidden_size", "learned.settled.columns.time", "date", "(checked)"):
        assert said in out


def test_nothing_is_built(model_file: Path) -> None:
    program = (
        "import sys\nfrom tidegate.cli.app import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "assert not {'torch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, "info", str(model_file)], check=True, stdout=subprocess.DEVNULL)
