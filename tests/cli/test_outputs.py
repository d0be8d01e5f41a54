from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.cli.outputs import placed_together
from tidegate.errors import OutputError

NAMES = ["a.txt", "b.txt"]


def _interrupted(folder: Path, error: BaseException) -> None:
    with placed_together(folder, NAMES) as place:
        (place / "a.txt").write_text("new")
        raise error


def test_files_come_into_place_together(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    with placed_together(folder, NAMES) as place:
        for name in NAMES:
            (place / name).write_text(name)
            assert not (folder / name).exists()
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert (folder / "b.txt").read_text() == "b.txt"


def test_a_failure_leaves_no_trace_of_new_folders(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _interrupted(tmp_path / "deep" / "run", ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path, KeyboardInterrupt())
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_old_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with placed_together(tmp_path, ["a.txt"]) as place:
        (place / "a.txt").write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with (
        pytest.raises(OutputError, match=r"cannot write .*run': File exists"),
        placed_together(tmp_path / "run", NAMES),
    ):
        pytest.fail("the block must not be entered")
    with pytest.raises(OutputError, match="Not a directory"), placed_together(tmp_path / "run" / "deep", NAMES):
        pytest.fail("the block must not be entered")


def test_a_folder_in_the_place_of_a_file_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputError, match=r"b\.txt': a folder stands there"), placed_together(tmp_path, NAMES):
        pytest.fail("the block must not be entered")


def test_a_file_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.txt': No such file"), placed_together(tmp_path / "run", NAMES):
        pass
    assert list(tmp_path.iterdir()) == []
