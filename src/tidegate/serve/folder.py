"""The models in a folder: which files they are, under which names and versions.

============================================  ==========================
file                                          name, version
============================================  ==========================
``NAME.safetensors``                          ``NAME``, 1
``NAME/model.safetensors``                    ``NAME``, 1
``NAME/VERSION/model.safetensors``            ``NAME``, ``VERSION``
============================================  ==========================

A folder that ``tidegate forecast --out run/`` wrote holds ``run/model.safetensors``: the model ``model``. A version
is a whole number; the highest is the one that is served to those who name none.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tidegate.errors import MissingFileError

__all__ = ["Found", "is_name", "is_version", "look"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SUFFIX = ".safetensors"
_FILE = f"model{_SUFFIX}"
_MOST = 1000  # files: beyond it the folder is not one of models


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """A model file in the folder.

    Parameters
    ----------
    name, version
        Of the model.
    path
        Of the file.
    mark
        Changes whenever the file is replaced or written to.
    """

    name: str
    version: str
    path: Path
    mark: tuple[int, int, int]


def is_name(text: str) -> bool:
    """Say whether a model may be called so. A path may not.

    >>> is_name("hourly-load.v2"), is_name("../secrets"), is_name("")
    (True, False, False)
    """
    return _NAME.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Say whether a version may be called so: a whole number from 1 on."""
    return _VERSION.fullmatch(text) is not None


def look(folder: str | os.PathLike[str]) -> tuple[dict[tuple[str, str], Found], list[str]]:
    """List the models of a folder.

    Symbolic links are followed only to files within the folder.

    Returns
    -------
    models, remarks
        By name and version; and why a file that looks like a model is none.

    Raises
    ------
    MissingFileError
        If there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise MissingFileError(f"no folder of models at {str(root)!r}")
    real = Path(os.path.realpath(root))
    models: dict[tuple[str, str], Found] = {}
    remarks: list[str] = []
    for number, (name, version, path) in enumerate(_candidates(root)):
        if number >= _MOST:
            remarks.append(f"{str(root)!r} holds more than {_MOST} models; the rest is not served")
            break
        found = _checked(name, version, path, real)
        if isinstance(found, str):
            remarks.append(found)
        elif (name, version) in models:
            remarks.append(f"{str(path)!r} is not served: {str(models[name, version].path)!r} has its name and version")
        else:
            models[name, version] = found
    return models, remarks


def _candidates(root: Path) -> Iterator[tuple[str, str, Path]]:
    for entry in _entries(root):
        if entry.name.startswith("."):  # hidden, and files that are being written
            continue
        if entry.name.endswith(_SUFFIX):
            yield entry.name.removesuffix(_SUFFIX), "1", entry
        elif entry.is_dir() and not Path(os.path.realpath(entry)).is_relative_to(os.path.realpath(root)):
            yield entry.name, "1", entry  # is refused by its name, without a look into it
        elif entry.is_dir():
            if os.path.lexists(entry / _FILE):
                yield entry.name, "1", entry / _FILE
            for inner in _entries(entry):
                if is_version(inner.name) and os.path.lexists(inner / _FILE):
                    yield entry.name, inner.name, inner / _FILE


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # removed, or closed to us: what is in it is not served
        return []


def _checked(name: str, version: str, path: Path, root: Path) -> Found | str:
    """Give a model, or why it is none."""
    if not is_name(name):
        return (
            f"{str(path)!r} is not served: a model's name has letters, digits, '.', '_' and '-', up to 100; rename it"
        )
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(root):
        return f"{str(path)!r} is not served: it is a symbolic link out of the folder"
    try:
        status = real.stat()
    except OSError as error:
        return f"{str(path)!r} is not served: {error.strerror}"
    if not real.is_file():
        return f"{str(path)!r} is not served: it is no regular file"
    return Found(name=name, version=version, path=real, mark=(status.st_mtime_ns, status.st_size, status.st_ino))
