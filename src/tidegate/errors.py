"""Everything that Tidegate raises on purpose.

::

    TidegateError
    ├── SpecError          (ValueError)                  an option, or options that cannot go together
    ├── ShapeError         (ValueError)                  an array or tensor of another shape or dtype
    ├── DataError          (ValueError)                  values that cannot be used
    │   ├── ColumnError                                  a column is absent, doubled or of another kind
    │   ├── TimeStampError                               time stamps: unreadable, doubled, out of order, irregular
    │   └── ShortSeriesError                             a series with too few rows
    ├── FileFormatError    (ValueError)                  a file that is not what it should be
    │   └── ModelFileError                               a model file: truncated, altered, foreign, another version
    ├── MissingFileError   (FileNotFoundError)           no file there
    ├── OutputError        (OSError)                     a place that cannot be written
    ├── NotFittedError     (ValueError, AttributeError)  an estimator that has not been fitted
    ├── StateError         (RuntimeError)                a call that the object's present state does not allow
    ├── TrainingError      (RuntimeError)                a training that cannot go on
    ├── UnsupportedError   (NotImplementedError)         meaningful, but not to be had here
    └── MissingExtraError  (ImportError)                 an optional dependency that is not installed

Each class is also the builtin that a caller would expect, so ``except ValueError`` works as well as
``except TidegateError``. A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

__all__ = [
    "ColumnError",
    "CompressionError",
    "DataError",
    "FileFormatError",
    "MissingExtraError",
    "MissingFileError",
    "ModelFileError",
    "NotFittedError",
    "OutputError",
    "ShapeError",
    "ShortSeriesError",
    "SpecError",
    "StateError",
    "TidegateError",
    "TimeStampError",
    "TrainingError",
    "UnsupportedError",
]


class TidegateError(Exception):
    """The root: whatever Tidegate raises on purpose is one of these."""


class SpecError(TidegateError, ValueError):
    """An option has a value that it cannot have, or options cannot go together."""


class ShapeError(TidegateError, ValueError):
    """An array or a tensor has another shape or dtype than the call needs."""


class DataError(TidegateError, ValueError):
    """The values of a table, a series or an array cannot be used."""


class ColumnError(DataError):
    """A column is absent, doubled or of another kind than expected."""


class TimeStampError(DataError):
    """Time stamps are unreadable, doubled, out of order or irregular."""


class ShortSeriesError(DataError):
    """A series has fewer rows than the context and the horizon need."""


class FileFormatError(TidegateError, ValueError):
    """A file is not of the format that it should have."""


class ModelFileError(FileFormatError):
    """A model file is truncated, altered, of another version, or not a model file."""


class MissingFileError(TidegateError, FileNotFoundError):
    """There is no file at the path given."""


class OutputError(TidegateError, OSError):
    """A file or a folder cannot be written."""


class CompressionError(TidegateError, ValueError):
    """A compressed model loses more than was allowed."""


class NotFittedError(TidegateError, ValueError, AttributeError):
    """An estimator was asked for something that only ``fit`` can give it."""


class StateError(TidegateError, RuntimeError):
    """The object's present state does not allow the call."""


class TrainingError(TidegateError, RuntimeError):
    """A training cannot go on; the message says at which step and why."""


class UnsupportedError(TidegateError, NotImplementedError):
    """The request makes sense but cannot be met by this version or on this machine."""


class MissingExtraError(TidegateError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""
