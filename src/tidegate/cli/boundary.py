"""The boundary that no exception crosses: each becomes one line and an exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable

import typer

from tidegate import errors

__all__ = ["FAILED", "INTERRUPTED", "REFUSED", "UNREAD", "guarded"]

FAILED = 1
REFUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
UNREAD = 141  # 128 + SIGPIPE

# Raised on purpose, but not because of what the user gave.
_OWN = (errors.StateError, errors.NotFittedError, errors.ShapeError, errors.TrainingError)

# Messages name arguments as Python has them; what stands in quotes is the user's own and stays.
_FLAGS = {
    "Uncertainty(calibration=0.1)": "--calibration 0.1",
    "uncertainty=Uncertainty(head='quantiles')": "--head quantiles",
    "TagSchemes(given=…)": "--scheme",
    "TagSchemes(repair=True)": "--repair",
    "batch_size": "--batch-size",
    "calibration": "--calibration",
    "class_weight": "--class-weight",
    "epochs must": "--epochs must",
    "future=": "--future",
    "hidden_size": "--hidden-size",
    "learning_rate": "--learning-rate",
    "max_length": "--max-length",
    "max_steps": "--max-steps",
    "members must": "--members must",
    "num_layers": "--layers",
    "skip_short": "--skip-short",
    "sort=True": "--sort",
    "strategy='recursive'": "--strategy recursive",
}
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory")  # torch's words
_ARGUMENT = re.compile(rf"""(?<!['"\w-])({"|".join(map(re.escape, _FLAGS))})(?!['"\w])""")


def guarded(run: Callable[[], int], *, debug: bool = False) -> int:
    """Run ``run`` and return its exit code, or, if it raises, say why in one line and return what stands for that.

    Parameters
    ----------
    run
        Prints to standard output; what is still buffered is written here, so that a full disk is noticed.
    debug
        Show the traceback before the line.
    """
    try:
        code = run()
        if sys.stdout is not None:  # None where the shell closed it: >&-
            sys.stdout.flush()
    except BrokenPipeError:
        _close_output()
        return UNREAD
    except KeyboardInterrupt:
        return _report("interrupted", INTERRUPTED, debug=False)
    except Exception as error:
        if isinstance(error, OSError):
            _close_output()
        message, code = _explained(error)
        return _report(f"error: {message}", code, debug=debug)
    return code


def _explained(error: Exception) -> tuple[str, int]:
    if hasattr(error, "format_message"):  # typer's usage errors; their class moved between its versions
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "tidegate"
        return f"{error.format_message().rstrip('.')}; see {where} --help", REFUSED
    if isinstance(error, errors.TidegateError) and not isinstance(error, _OWN):
        return _ARGUMENT.sub(lambda match: _FLAGS[match.group()], str(error)), REFUSED
    if isinstance(error, OSError):
        place = f" ({error.filename!r})" if error.filename else ""
        return f"{error.strerror or error}{place}", REFUSED
    hint = "; --debug shows where"
    if isinstance(error, errors.TidegateError):
        return f"{error}{hint}", FAILED
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return f"not enough memory; take a smaller --batch-size, a smaller network or fewer rows{hint}", FAILED
    return f"Tidegate failed, which it should not: {type(error).__name__}: {error}{hint}", FAILED


def _report(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    # Messages quote what stood in the input, which may hold line breaks and control characters.
    line = "".join(character if character.isprintable() else " " for character in message)
    typer.echo(f"tidegate: {' '.join(line.split())}", err=True)
    return code


def _close_output() -> None:
    """Let the interpreter end without trying to write what nobody takes."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):  # no file: closed, or captured in a test
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
