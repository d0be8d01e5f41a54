"""A command's options as a dataclass, and groups of them that commands share."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated

import pytest
import typer

from tidegate.cli.flags import command


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shared:
    colour: Annotated[str, typer.Option("--colour")] = "blue"
    size: Annotated[int, typer.Option("--size")] = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    name: Annotated[str, typer.Argument()]
    shared: Shared = dataclasses.field(default_factory=Shared)
    loud: Annotated[bool, typer.Option("--loud")] = False


def test_the_options_of_a_group_stand_in_its_place_and_come_back_in_it() -> None:
    seen: list[Options] = []
    call = command(seen.append, Options)
    parameters = inspect.signature(call).parameters
    assert list(parameters) == ["name", "colour", "size", "loud"]
    assert [parameter.default for parameter in parameters.values()] == [inspect.Parameter.empty, "blue", 3, False]
    call(name="x", colour="red", size=5, loud=True)
    assert seen == [Options(name="x", shared=Shared(colour="red", size=5), loud=True)]


def test_typer_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Options] = []
    app = typer.Typer()
    app.command()(command(seen.append, Options))
    app(["x", "--size", "7"], standalone_mode=False)
    assert seen == [Options(name="x", shared=Shared(size=7))]
    assert capsys.readouterr().out == ""
