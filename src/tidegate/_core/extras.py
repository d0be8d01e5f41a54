"""Optional dependencies: asked for when needed, with a remedy when absent."""

from __future__ import annotations

import importlib
from types import ModuleType

from tidegate.errors import MissingExtraError

__all__ = ["require"]


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency.

    Parameters
    ----------
    module
        What to import, for example ``"polars"``.
    extra
        The name of Tidegate's extra that brings it.
    purpose
        What the caller needs it for; it stands in the message.

    Raises
    ------
    MissingExtraError
        If the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the module is there; something that it needs is not
        msg = f"{purpose} needs {module!r}, which is not installed: pip install 'tidegate[{extra}]'"
        raise MissingExtraError(msg) from error
