"""The command ``tidegate``: its subcommands put together, and what happens when one fails.

Nothing here imports torch, pandas or plotly: ``tidegate --help`` must answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from tidegate import __version__
from tidegate.cli import bench, classify, compress, demo, detect, evaluate, export, forecast, info, predict, serve, tag
from tidegate.cli.boundary import guarded
from tidegate.cli.flags import command

__all__ = ["app", "main"]

app = typer.Typer(
    name="tidegate",
    help="Gated recurrent networks for time: from a CSV to a forecast, a report and a model file.",
    add_completion=False,
    rich_markup_mode=None,
)
for name, module in {
    "forecast": forecast,
    "classify": classify,
    "detect": detect,
    "tag": tag,
    "predict": predict,
    "evaluate": evaluate,
    "compress": compress,
    "export": export,
    "serve": serve,
    "info": info,
    "demo": demo,
    "bench": bench,
}.items():
    app.command(name)(command(module.run, module.Options))


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        typer.echo(f"tidegate {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        What stands after ``tidegate``; by default those of the process.

    Returns
    -------
    int
        0 when all went well, 2 for bad input, 1 for a failure of Tidegate's own, 130 after Ctrl-C, 141 when the
        reader of the output has gone.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # torch's OpenMP threads spin while they wait for each other; where other programs want the cores as well, that
    # made a demo of ten seconds last minutes. OpenMP reads this when torch is loaded, which has not happened yet.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return guarded(lambda: _invoke(given), debug="--debug" in given)


def _invoke(arguments: list[str]) -> int:
    # Not app(): it would end the process, and turn Ctrl-C and closed pipes into exceptions of its own.
    root = typer.main.get_command(app)
    try:
        with root.make_context("tidegate", arguments) as context:
            root.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    return 0
