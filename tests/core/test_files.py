"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate._core.files import atomic_path, existing_file, output_folder, write_bytes, write_text
from tidegate.errors import MissingFileError, OutputError


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_file_takes_its_name_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path  # beside it, so that the renaming cannot leave the file system
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_block_that_raises_leaves_all_as_it_was(
    tmp_path: Path, error: type[BaseException], before: str | None
) -> None:
    target = tmp_path / "a.txt"
    if before is not None:
        target.write_text(before)

    def half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of it")
            raise error

    with pytest.raises(error):
        half()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == ([("a.txt", before)] if before else [])


def test_the_result_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")]
    assert modes == [0o666 & ~umask] * 2


def test_the_umask_is_left_alone(tmp_path: Path, umask: int) -> None:
    write_bytes(tmp_path / "a", b"")
    found = os.umask(umask)
    assert found == umask


def test_bytes_and_text(tmp_path: Path) -> None:
    write_bytes(tmp_path / "b", b"\x00\xff\r\n")
    write_text(tmp_path / "t", "é\n")
    assert (tmp_path / "b").read_bytes() == b"\x00\xff\r\n"
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa9\n"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write '.*/no/a': No such file or directory; choose a folder that"):
        write_bytes(tmp_path / "no" / "a", b"")


def test_a_target_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_bytes(tmp_path / "a", b"content")
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_an_error_of_the_system_within_the_block(tmp_path: Path) -> None:
    def full() -> None:
        with atomic_path(tmp_path / "a"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"cannot write '.*/a': No space left on device"):
        full()
    assert list(tmp_path.iterdir()) == []


def test_an_output_error_within_the_block_is_not_wrapped(tmp_path: Path) -> None:
    def nested() -> None:
        with atomic_path(tmp_path / "a"):
            raise OutputError("as it is")

    with pytest.raises(OutputError, match=r"^as it is$"):
        nested()


def test_output_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    folder = output_folder(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert output_folder(folder) == folder
    assert list(folder.iterdir()) == []


def test_output_folder_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match=r"cannot write '.*/a': File exists"):
        output_folder(tmp_path / "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"Permission denied; choose a folder that exists, is yours and has room"):
            output_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_existing_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    assert existing_file(str(tmp_path / "a")) == tmp_path / "a"
    with pytest.raises(MissingFileError, match=r"no table at '.*/b'"):
        existing_file(tmp_path / "b", what="table")
    with pytest.raises(MissingFileError, match=r"expected a table at '.*', found a folder or a special file"):
        existing_file(tmp_path, what="table")
