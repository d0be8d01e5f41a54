"""``tidegate bench``, on small shapes: the figures are not what is tested."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

import tidegate
from tidegate.kernels import bench as measuring
from tidegate.kernels import explain, native
from tidegate.kernels.bench import Contender, Shape, Timing
from tidegate.nn import LSTM

SMALL = (
    Shape(name="small", features=2, units=(4,), steps=3, batch=2),
    Shape(name="stacked", features=2, units=(4, 3), steps=3, batch=2),
    Shape(name="large", features=2, units=(6,), steps=3, batch=2),
    Shape(name="long", features=2, units=(4,), steps=5, batch=2),
    Shape(name="words", features=2, units=(4,), steps=3, batch=2, bidirectional=True, vocabulary=7),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SHAPES", SMALL)


@pytest.fixture(autouse=True)
def paces(monkeypatch: pytest.MonkeyPatch) -> list[tuple[measuring.Pace, int]]:
    """Run each contender once, and let ours take 2 ms and torch's 3 ms; give the paces and threads asked for."""
    seen: list[tuple[measuring.Pace, int]] = []

    def once(contenders: dict[str, Contender], pace: measuring.Pace) -> Timing:
        seen.append((pace, torch.get_num_threads()))
        assert all(contender(1) > 0 for contender in contenders.values())
        return Timing({"ours": (0.002,) * 3, "torch": (0.003, 0.003, 0.004)})

    monkeypatch.setattr(measuring, "interleaved", once)
    return seen


def test_json(cli: Any) -> None:
    result = cli("bench", "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert list(found) == [
        "tidegate",
        "torch",
        "instruction_set",
        "compiled_kernels_missing",
        "threads",
        "openmp_wait_policy",
        "runs",
        "results",
        "geometric_means",
    ]
    missing = native.missing_because()
    assert (found["tidegate"], found["torch"]) == (tidegate.__version__, torch.__version__)
    assert (found["threads"], found["runs"]) == (torch.get_num_threads(), 5)
    assert found["compiled_kernels_missing"] == missing
    assert found["instruction_set"] == (native.instruction_set() if missing is None else None)
    assert found["geometric_means"] == {
        f"{cell}, {work}": pytest.approx(1.5) for cell in ("LSTM", "GRU") for work in ("training step", "inference")
    }


def test_every_shape_is_measured_in_training_and_at_both_batches(cli: Any) -> None:
    results = json.loads(cli("bench", "--json", "--quiet").out)["results"]
    assert [(r["cell"], r["shape"], r["work"], r["batch"]) for r in results] == [
        (cell, shape.name, work, batch)
        for cell in ("LSTM", "GRU")
        for shape in SMALL
        for work, batch in (("training step", 2), ("inference", 2), ("inference", 1))
    ]
    explained = explain(LSTM(2, 4, batch_first=True), SMALL[0].values())
    first = results[0]
    assert (first["implementation"], first["reason"]) == (explained.implementation, explained.reason)
    assert (first["ours_seconds"], first["torch_seconds"]) == (0.002, 0.003)
    assert first["ratio"] == {"median": 1.5, "lowest": 1.5, "highest": 2.0}


def test_table(cli: Any) -> None:
    result = cli("bench")
    assert result.code == 0
    assert result.err == ("tidegate: 5 interleaved runs of 5 shapes; another program at work makes them worthless\n")
    lines = result.out.splitlines()
    kernels = native.instruction_set() if native.missing_because() is None else "missing"
    assert lines[0].startswith(f"torch {torch.__version__}, ")
    assert f"compiled kernels: {kernels}" in lines[0]
    headers = [line.split() for line in lines if "runs on" in line]
    assert [header[:-2] for header in headers] == [
        [*work.split(), "batch", "ours,", "ms", "torch,", "ms", "ratio", "lowest", "highest"]
        for work in ("training step", "inference")
    ]
    rows = [line.split() for line in lines if line.startswith((" LSTM small", " GRU small"))]
    ran = explain(LSTM(2, 4, batch_first=True), SMALL[0].values()).implementation
    assert [row[:1] + row[2:] for row in rows] == [
        [cell, batch, "2.000", "3.000", "1.50", "1.50", "2.00", ran]
        for cell, batch in (("LSTM", "2"), ("GRU", "2"), ("LSTM", "2"), ("LSTM", "1"), ("GRU", "2"), ("GRU", "1"))
    ]
    assert lines[-1] == "GRU, inference: 1.50 times as fast as torch (geometric mean)"


def test_quick_measures_less(cli: Any, paces: list[tuple[measuring.Pace, int]]) -> None:
    results = json.loads(cli("bench", "--quick", "--json").out)["results"]
    assert {result["shape"] for result in results} == {"small", "long"}
    assert {(pace.runs, pace.least_seconds) for pace, _ in paces} == {(3, 0.01)}


def test_threads_are_set_for_the_measurement_only(
    cli: Any, paces: list[tuple[measuring.Pace, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "cpu_count", lambda: before + 1)
    wanted = before + 1
    assert json.loads(cli("bench", "--quick", "--json", "--threads", wanted).out)["threads"] == wanted
    assert {threads for _, threads in paces} == {wanted}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("threads", "said"),
    [
        ("0", "--threads must be a whole number of at least 1; got 0"),
        ("5", "--threads must be at most 4, the processors of this machine; got 5"),
        (
            "two",
            "Invalid value for '--threads': Input should be a valid integer, unable to parse string as an integer; "
            "see tidegate bench --help",
        ),
    ],
)
def test_threads_must_be_a_number_of_threads(
    cli: Any, threads: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    result = cli("bench", "--threads", threads)
    assert (result.code, result.out, result.err) == (2, "", f"tidegate: error: {said}\n")


def test_without_compiled_kernels_it_says_so() -> None:
    program = (
        "import sys\n"
        "from tidegate.cli.app import main\n"
        "from tidegate.kernels import bench\n"
        "bench.SHAPES = [bench.Shape(name='small', features=2, units=(4,), steps=3, batch=2)] * 4\n"
        "sys.exit(main(['bench', '--quick', '--json']))"
    )
    environment = {**os.environ, "TIDEGATE_NATIVE": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["instruction_set"] is None
    assert found["compiled_kernels_missing"] == "switched off by TIDEGATE_NATIVE=0"
    assert {result["implementation"] for result in found["results"]} == {"torch"}
    assert all(result["ours_seconds"] > 0 for result in found["results"])


def test_wrong_results_are_not_timed(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            self.layers[0].weight_hh_l0.fill_(math.nan)  # type: ignore[index, union-attr]

    monkeypatch.setattr(measuring.Network, "load_state_dict", wrong)
    result = cli("bench", "--quick", "--quiet")
    assert (result.code, result.out) == (1, "")
    assert "LSTM, small: outputs differ by nan, more than 1e-04; speed is moot" in result.err
