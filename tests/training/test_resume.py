from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed_trainings.py")


@pytest.mark.parametrize("scenario", ["arrays", "loader", "continuous"])
def test_killed_ten_times_and_resumed_it_ends_with_the_same_bits(scenario: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), scenario, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["killed"] == 10
    assert report["left"]
    assert report["gone"]
    assert report["undisturbed"]["history"]["epochs"] >= 8
    assert report["resumed"] == report["undisturbed"]
