"""Places that cannot be written: refused before the training where that can be known, and never half written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli import job

Lines = Callable[..., list[str]]
COLUMNS = ("--time", "date", "--target", "units", "--id", "store")


@pytest.fixture
def arguments(lines: Lines, write: Any, tiny: tuple[str, ...]) -> list[str]:
    return ["forecast", str(write(lines(30))), *COLUMNS, "--horizon", "3", *tiny, "--quiet"]


@pytest.mark.usefixtures("untrained")
def test_a_file_in_the_place_of_the_folder(cli: Any, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    for out in (tmp_path / "run", tmp_path / "run" / "deeper"):
        result = cli(*arguments, "--out", out)
        assert result.code == 2
        assert result.err.startswith(f"tidegate: error: cannot write {str(out)!r}: ")
        assert result.err.count("\n") == 1
    assert (tmp_path / "run").read_text() == "a file"


@pytest.mark.usefixtures("untrained")
def test_a_folder_in_the_place_of_a_file(cli: Any, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "run" / "report.html").mkdir(parents=True)
    result = cli(*arguments, "--out", tmp_path / "run")
    assert result.code == 2
    assert "report.html': a folder stands there" in result.err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["report.html"]


@pytest.mark.usefixtures("untrained")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(cli: Any, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o500)
    result = cli(*arguments, "--out", tmp_path / "run")
    assert result.code == 2
    assert "Permission denied" in result.err


@pytest.mark.usefixtures("untrained")
def test_a_disk_that_is_full_from_the_start(
    cli: Any, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    result = cli(*arguments, "--out", tmp_path / "run")
    assert result.code == 2
    assert result.err.startswith(f"tidegate: error: cannot write {str(tmp_path / 'run')!r}: No space left on device")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("when", ["write_text", "write_frame"])
def test_a_disk_that_fills_up_at_the_end(
    when: str, cli: Any, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(job, when, full)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "scores.json").write_text("old")
    result = cli(*arguments, "--out", tmp_path / "run")
    assert result.code == 2
    assert result.err == "tidegate: error: No space left on device\n"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["scores.json"]
    assert (tmp_path / "run" / "scores.json").read_text() == "old"


@pytest.mark.parametrize(("limit", "file"), [(1_000, "model.safetensors"), (1_000_000, "report.html")])
def test_a_limit_on_the_size_of_files(limit: int, file: str, arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from tidegate.cli.app import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("tidegate: error: cannot write ")
    assert f"{file}': File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
