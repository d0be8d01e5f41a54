"""``pip install .`` where there is no compiler: it succeeds, says so once, and what it installs runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tidegate import nn
from tidegate.kernels.dispatch import REFERENCE, forced

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys, torch, tidegate
from tidegate import nn
from tidegate.kernels import explain, native
torch.manual_seed(0)
layer, x = nn.LSTM(3, 5, peephole=True), torch.linspace(-1, 1, 42).reshape(7, 2, 3)
print(tidegate.__file__)
print(native.missing_because())
print(explain(layer, x))
print(layer(x)[0].double().sum().item())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a copy of what an installation reads, without anything that was built."""
    pytest.importorskip("setuptools", minversion="77", reason="needs the build backend in this environment")
    if shutil.which("false") is None:
        pytest.skip("needs the program `false`, as a compiler that fails")
    folder = tmp_path / "project"
    unwanted = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=unwanted)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(*arguments: str, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "TIDEGATE_NATIVE"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=where, env=kept | environment, capture_output=True, text=True, check=False
    )


def test_pip_installs_without_a_compiler(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    # pip shows what a build says only when asked to; --no-index and --no-build-isolation keep it off the network
    options = ("--verbose", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target))
    done = run("-m", "pip", "install", *options, ".", where=project, CC="false", CXX="false", PIP_CONSTRAINT="")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]  # pip lets builds speak on stderr
    [warning] = [line for line in lines if "kernels" in line and "warn" in line.lower()]
    assert warning.startswith("warning: build_ext: the compiled CPU kernels were not built (")
    assert "'false'" in warning  # the reason: which command failed
    assert warning.endswith("install a C++20 compiler and install Tidegate again")
    assert not list(target.rglob("_cpu*"))

    used = run("-W", "error", "-c", PROGRAM, where=tmp_path, PYTHONPATH=str(target))
    assert used.returncode == 0, used.stderr
    place, reason, explanation, total = used.stdout.splitlines()
    assert Path(place).is_relative_to(target)
    assert reason == "they were not built when Tidegate was installed (a C++20 compiler was missing or failed)"
    assert explanation.startswith("LSTM runs on reference (torch.float32, cpu): torch's own kernels lack peephole")
    assert explanation.endswith("the compiled kernels are missing")
    assert float(total) == pytest.approx(reference_total(), rel=1e-6)
    [logged] = used.stderr.splitlines()
    assert logged.startswith("Tidegate runs on its slower reference kernels, for the compiled ones are missing: they")


def reference_total() -> float:
    """Give what the program above adds up, by this installation's `reference`."""
    with torch.random.fork_rng(), forced(REFERENCE):
        torch.manual_seed(0)
        layer, x = nn.LSTM(3, 5, peephole=True), torch.linspace(-1, 1, 42).reshape(7, 2, 3)
        return float(layer(x)[0].double().sum().item())
