"""Files that are either written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tidegate.errors import MissingFileError, OutputError

__all__ = ["atomic_path", "existing_file", "output_folder", "write_bytes", "write_text"]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it over ``path`` when the block ends well.

    The file is flushed to the disk before it takes the name, so that a crash leaves either the old file or the
    new one. When the block raises, the temporary file is removed and ``path`` stays as it was.

    Raises
    ------
    OutputError
        If the folder does not exist, or the file cannot be written there (permission, space).
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _output_error(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise _output_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all. Raises `OutputError`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Write ``content`` as UTF-8 to ``path``, whole or not at all. Raises `OutputError`."""
    write_bytes(path, content.encode("utf-8"))


def output_folder(path: str | os.PathLike[str]) -> Path:
    """Make the folder ``path`` if it is not there, and check that files can be written in it. Raises `OutputError`."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _output_error(folder, error) from error
    return folder


def existing_file(path: str | os.PathLike[str], *, what: str = "file") -> Path:
    """Return ``path`` as a path to a regular file. Raises `MissingFileError` if there is none."""
    file = Path(path)
    if not file.exists():
        raise MissingFileError(f"no {what} at {str(file)!r}")
    if not file.is_file():
        raise MissingFileError(f"expected a {what} at {str(file)!r}, found a folder or a special file")
    return file


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    # There is no way to read the mask without setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _output_error(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {str(path)!r}: {reason}; choose a folder that exists, is yours and has room")
