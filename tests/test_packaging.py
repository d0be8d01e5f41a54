"""Building the package where there is no compiler, or no torch: it must succeed, and say once what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "tidegate"
SOURCES = sorted(path.name for path in (PACKAGE / "kernels" / "cpu").iterdir())
WARNING = "warning: build_ext: the compiled CPU kernels were not built ("


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a copy of the project without anything that was built."""
    pytest.importorskip("setuptools", minversion="77", reason="needs the build backend in this environment")
    folder = tmp_path / "project"
    unwanted = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "*.egg-info")
    shutil.copytree(PACKAGE, folder / "src" / "tidegate", ignore=unwanted)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    return folder


def setup(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``setup.py`` where nothing can compile, unless the environment given says otherwise."""
    nowhere = str(project / "nowhere")
    compilers = {"PATH": nowhere, "CC": f"{nowhere}/cc", "CXX": f"{nowhere}/c++"}
    kept = {name: value for name, value in os.environ.items() if name != "TIDEGATE_NATIVE"}
    return subprocess.run(
        [sys.executable, "setup.py", *arguments],
        cwd=project,
        env=kept | compilers | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_a_wheel_is_built_without_a_compiler(project: Path) -> None:
    done = setup(project, "bdist_wheel")
    assert done.returncode == 0, done.stdout
    [warning] = [line for line in done.stdout.splitlines() if "warning: build_ext" in line]
    assert warning.startswith(WARNING)
    assert "nowhere/c" in warning  # the reason: which compiler was not found
    assert warning.endswith("install a C++20 compiler and install Tidegate again")

    [wheel] = (project / "dist").iterdir()
    assert "-cp311-abi3-" in wheel.name
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"tidegate/py.typed", "tidegate/kernels/native.py"} <= names
    bundled = PACKAGE / "data" / "bundled"
    assert {f"tidegate/data/bundled/{path.name}" for path in bundled.glob("*")} <= names
    assert not [name for name in names if name.endswith((".so", ".pyd"))]


def test_a_failed_build_in_place_leaves_no_older_library(project: Path) -> None:
    older = project / "src" / "tidegate" / "kernels" / "_cpu.abi3.so"
    older.write_bytes(b"of older sources")
    done = setup(project, "build_ext", "--inplace")
    assert done.returncode == 0, done.stdout
    assert not older.exists()


def test_torch_may_be_missing_from_the_build_environment(project: Path) -> None:
    (project / "absent").mkdir()
    (project / "absent" / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")\n")
    done = setup(project, "build_ext", PYTHONPATH=str(project / "absent"))
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(f"{WARNING}No module named 'torch')") == 1


def test_continuous_integration_can_demand_the_library(project: Path) -> None:
    done = setup(project, "build_ext", TIDEGATE_NATIVE="1")
    assert done.returncode == 1
    assert "nowhere/c" in done.stdout.splitlines()[-1]
    assert WARNING not in done.stdout


def test_the_source_distribution_holds_the_sources(project: Path) -> None:
    done = setup(project, "sdist")
    assert done.returncode == 0, done.stdout
    [archive] = (project / "dist").iterdir()
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {f"src/tidegate/kernels/cpu/{name}" for name in SOURCES} <= names
    assert {"setup.py", "pyproject.toml", "src/tidegate/py.typed"} <= names
