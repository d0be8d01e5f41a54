"""A command's options as a dataclass: one field an option, so that a command takes one argument."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
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
        A keyword-only dataclass whose fields are annotated with `typer.Option` or `typer.Argument`. A field may also
        be a group that several commands share: such a dataclass itself, whose fields stand in its place.
    """

    def call(**values: Any) -> None:
        run(_filled(options, values))

    flags = list(_flags(options))
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hint,
        )
        for field, hint in flags
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {field.name: hint for field, hint in flags}
    call.__doc__ = run.__doc__
    return call


def _flags(options: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Give the fields that are options, with their annotations, in order; those of groups among them."""
    hints = typing.get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        if _is_group(hint):
            yield from _flags(hint)
        else:
            yield field, hint


def _filled(options: type[O], values: Mapping[str, Any]) -> O:
    """Build the options, and the groups in them, from the values of all."""
    hints = typing.get_type_hints(options)
    given = {
        field.name: _filled(hint, values) if _is_group(hint := hints[field.name]) else values[field.name]
        for field in dataclasses.fields(options)  # type: ignore[arg-type]
    }
    return options(**given)


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)
