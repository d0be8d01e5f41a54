"""Several files that come into place together, or not at all."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate._core.files import output_folder
from tidegate.errors import OutputError

__all__ = ["placed_together"]


@contextlib.contextmanager
def placed_together(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Check that ``folder`` can be written, give a place to write to, and move the files over when all is done.

    When the block raises, ``folder`` is as it was before, and gone if it was not there.

    Parameters
    ----------
    folder
        Where the files shall lie; made if it is not there.
    names
        The files that the block writes.

    Yields
    ------
    pathlib.Path
        A folder on the same disk, to write the files into.

    Raises
    ------
    OutputError
        If the folder cannot be made or written, or a folder stands where a file shall lie.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        output_folder(folder)
        for name in names:
            if (folder / name).is_dir():
                raise OutputError(f"cannot write {str(folder / name)!r}: a folder stands there; choose another --out")
        with _staging(folder) as place:
            yield place
            _move(place, folder, names)
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    try:
        place = tempfile.TemporaryDirectory(prefix=".tidegate-", suffix=".part", dir=folder)
    except OSError as error:
        raise OutputError(f"cannot write {str(folder)!r}: {error.strerror}; choose another --out") from error
    with place as name:
        yield Path(name)


def _move(place: Path, folder: Path, names: Sequence[str]) -> None:
    for name in names:
        try:
            (place / name).replace(folder / name)
        except OSError as error:
            raise OutputError(f"cannot write {str(folder / name)!r}: {error.strerror}; choose another --out") from error
