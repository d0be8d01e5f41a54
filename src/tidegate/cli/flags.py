"""A command's options as a dataclass: one field an option, so that a command takes one argument."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

__all__ = ["Debug", "Json", "Quiet", "command"]

O = TypeVar("O")  # noqa: E741 - the type of the options

Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks on standard error.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def command(run: Callable[[O], None], options: type[O]) -> Callable[..., None]:
    """Make of ``run(options)`` a function with an argument for each field of ``options``, as typer wants it.

    Parameters
    ----------
    run
        The command; its docstring is its help.
    options
        A keyword-only dataclass whose fields are annotated with `typer.Option` or `typer.Argument`.
    """

    def call(**values: Any) -> None:
        run(options(**values))

    hints = typing.get_type_hints(options, include_extras=True)
    fields = dataclasses.fields(options)  # type: ignore[arg-type]
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {field.name: hints[field.name] for field in fields}
    call.__doc__ = run.__doc__
    return call
