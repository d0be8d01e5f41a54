"""The compiled CPU kernels: whether they are here, and what they run on.

The C++ library (``kernels/cpu/``) is optional. It is loaded at most once, when first asked for; loading it registers
its operators under ``torch.ops.tidegate``. The environment variable ``TIDEGATE_NATIVE`` rules over it, as it stands
at that moment:

=========  ==========================================================================
unset      use the library if it is there
``0``      do without, silently
``1``      it must be there: `available` raises, and an installation that cannot build
           it fails (for continuous integration, where falling back would go unseen)
=========  ==========================================================================

Its absence is logged (logger ``tidegate.kernels``) and not a Python warning: it tells of the machine, not of a line
of the caller's code, and a program that turns warnings into errors should still run on the reference kernels.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import threading
from collections.abc import Iterator

from tidegate.errors import SpecError, UnsupportedError

__all__ = ["INSTRUCTION_SETS", "available", "instruction_set", "limited_to", "missing_because"]

INSTRUCTION_SETS = (
    "baseline",
    "avx2",
    "avx512",
    "avx512_vnni",
)  # by the level that the library answers, see cpu/capability.h

_VARIABLE = "TIDEGATE_NATIVE"
_log = logging.getLogger("tidegate.kernels")
_lock = threading.Lock()


def available() -> bool:
    """Tell whether the compiled kernels can be used; when they are wanted and missing, log so once.

    Raises
    ------
    UnsupportedError
        If ``TIDEGATE_NATIVE=1`` and they are missing.
    SpecError
        If ``TIDEGATE_NATIVE`` is neither ``0`` nor ``1``.
    """
    with _lock:  # so that two threads do not both load and log
        return _available()


def missing_because() -> str | None:
    """Say why the compiled kernels cannot be used, in half a sentence; ``None`` if they can. Logs nothing."""
    with _lock:
        return _load()


def instruction_set() -> str:
    """Name the instruction set that the compiled kernels use on this CPU.

    Returns
    -------
    str
        One of `INSTRUCTION_SETS`: ``"avx512_vnni"`` (what follows, and VNNI, which int8 weights use), ``"avx512"`` (F,
        BW, DQ and VL), ``"avx2"`` (with FMA), ``"baseline"`` (whatever every CPU of this architecture has). The CPU is
        asked at run time; the build does not decide it.

    Raises
    ------
    UnsupportedError
        If the compiled kernels are missing (`available` tells).
    """
    import torch

    reason = missing_because()
    if reason is not None:
        raise UnsupportedError(f"there is no instruction set to name: the compiled CPU kernels are missing ({reason})")
    return INSTRUCTION_SETS[torch.ops.tidegate.cpu_capability()]


@contextlib.contextmanager
def limited_to(name: str) -> Iterator[None]:
    """Let the compiled kernels use no instruction set above ``name``, for tests and measurements.

    The limit holds for the whole process, for every thread, until the block ends.

    Parameters
    ----------
    name
        One of `INSTRUCTION_SETS`.

    Raises
    ------
    SpecError
        If there is no such instruction set.
    UnsupportedError
        If this CPU lacks it, or the compiled kernels are missing.
    """
    import torch

    if name not in INSTRUCTION_SETS:
        raise SpecError(f"expected an instruction set, one of {', '.join(INSTRUCTION_SETS)}; got {name!r}")
    best = instruction_set()
    if INSTRUCTION_SETS.index(name) > INSTRUCTION_SETS.index(best):
        raise UnsupportedError(
            f"the compiled kernels cannot be limited to {name} here: the best they may use is {best}"
        )
    former = torch.ops.tidegate.cpu_limit(INSTRUCTION_SETS.index(name))
    try:
        yield
    finally:
        torch.ops.tidegate.cpu_limit(former)


@functools.cache
def _available() -> bool:
    reason = _load()
    if reason is None:
        return True
    setting = os.environ.get(_VARIABLE)
    if setting == "1":
        raise UnsupportedError(f"{_VARIABLE}=1 demands the compiled CPU kernels, which are missing: {reason}")
    if setting != "0":
        _log.warning("Tidegate runs on its slower reference kernels, for the compiled ones are missing: %s", reason)
    return False


@functools.cache
def _load() -> str | None:
    setting = os.environ.get(_VARIABLE)
    if setting not in (None, "", "0", "1"):
        raise SpecError(f"{_VARIABLE} must be 0 (without compiled kernels), 1 (demand them) or unset; got {setting!r}")
    if setting == "0":
        return f"switched off by {_VARIABLE}=0"
    import torch  # noqa: F401 - the library is linked against torch's, which must be in the process first

    try:
        importlib.import_module("tidegate.kernels._cpu")
    except ModuleNotFoundError:
        return "they were not built when Tidegate was installed (a C++20 compiler was missing or failed)"
    except ImportError as error:  # built, but for another torch or another machine
        return f"the library cannot be loaded ({error})"
    return None
