"""The figures of the forecaster: accuracy on public data, intervals, speed and memory.

    .venv/bin/python benchmarks/forecasting.py m4-hourly|m4-weekly|tourism|etth1|exchange [--seeds 0 1 2] [--validate]
    .venv/bin/python benchmarks/forecasting.py baselines [SET …] [--validate]
    .venv/bin/python benchmarks/forecasting.py defaults [SET …] [--seeds 0 1 2] [--validate]
    .venv/bin/python benchmarks/forecasting.py speed --peer-python PATH
    .venv/bin/python benchmarks/forecasting.py many
    .venv/bin/python benchmarks/forecasting.py stream
    .venv/bin/python benchmarks/forecasting.py published [FILE …]

All print rows of Markdown tables. A data set is forecast by its recipe in `benchmarks/forecasts/recipes.py`, and scored
on its test part, once a seed; with ``--validate`` on the rows before it (M4 and tourism: the last horizon of each
training series, and the one before, with a fit each; ETTh1: rows 8,640 to 11,519; exchange rate: 70 to 80 %), and the
test part is not read. ``published`` shows the figures of others and what is wanted, beside what ``--save FILE`` kept.

The exchange rates have no time column: a day is made up for each row. The data are read from $TIDEGATE_DATA (default
../shared/data). Let nothing else run on the machine while times are taken.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from forecasts.sets import SETS


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = given.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--validate", action="store_true", help="score validation windows; the test part is not read")
    common.add_argument("--threads", type=int, default=2)
    trained = argparse.ArgumentParser(add_help=False)
    trained.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    trained.add_argument("--steps", type=int, help="train so few steps, to see that it works; only with --validate")
    for name, data in SETS.items():
        command = commands.add_parser(name, parents=[common, trained], help=f"{data.title} by its recipe")
        command.add_argument("--windows", type=int, default=2, help="validation windows of M4 and tourism")
        command.add_argument("--save", type=Path, metavar="FILE", help="append the medians, for `published`")
    for name, parents, text in (
        ("baselines", [common], "the baselines alone: nothing is trained"),
        ("defaults", [common, trained], "Forecaster(horizon=…) alone"),
    ):
        command = commands.add_parser(name, parents=parents, help=text)
        command.add_argument("sets", nargs="*", type=_set, metavar="SET", help="all of them if left out")
    _add_speed(commands)
    published = commands.add_parser("published", help="published figures beside those that were saved")
    published.add_argument("files", nargs="*", type=Path, metavar="FILE")
    return given


def _set(name: str) -> str:
    """Take the name of a data set: argparse cannot hold a list that may be empty against choices."""
    if name not in SETS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(SETS)}; got {name!r}")
    return name


def _add_speed(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("speed", help="a fit on M4 hourly, beside NeuralForecast")
    command.add_argument("--peer-python", metavar="PATH", help="an interpreter that has NeuralForecast")
    command.add_argument("--steps", type=int, default=100)
    command.add_argument("--turns", type=int, default=5)
    command.add_argument("--threads", type=int, default=2)
    command = commands.add_parser("many", help="forecasts for many series")
    command.add_argument("--series", nargs="+", type=int, default=[25_000, 50_000, 100_000])
    command.add_argument("--context", type=int, help="the forecaster's own choice if left out")
    command.add_argument("--threads", type=int, default=2)
    command = commands.add_parser("stream", help="one update and one forecast")
    command.add_argument("--updates", type=int, default=3_000)
    command.add_argument("--frames", type=int, default=200, help="updates with data frames")


def main(arguments: list[str] | None = None) -> None:
    """Run the command that is asked for."""
    commands = parser()
    given = commands.parse_args(arguments)
    if given.command in SETS or given.command == "defaults":
        if given.steps is not None and not given.validate:
            commands.error("--steps is for checking the benchmark, and the test part is scored once: add --validate")
        _accuracy(given)
    elif given.command == "baselines":
        from forecasts import accuracy

        for name in given.sets or SETS:
            accuracy.recipe(name, seeds=[], validate=given.validate, threads=given.threads)
    elif given.command == "published":
        from forecasts.published import print_published

        print_published(given.files)
    else:
        _speeds(given)


def _accuracy(given: argparse.Namespace) -> None:
    from forecasts import accuracy

    options = {"seeds": given.seeds, "validate": given.validate, "threads": given.threads, "steps": given.steps}
    if given.command == "defaults":
        accuracy.defaults(given.sets or list(SETS), **options)
    else:
        accuracy.recipe(given.command, **options, windows=given.windows, save=given.save)


def _speeds(given: argparse.Namespace) -> None:
    if given.command == "speed":
        from forecasts.sets import data_folder
        from forecasts.speed import Speed, peer_version, speed

        peer_version(given.peer_python)  # says what lacks
        file = str(data_folder() / "m4_hourly_train.csv.gz")
        speed(Speed(peer=given.peer_python, file=file, steps=given.steps, turns=given.turns, threads=given.threads))
    elif given.command == "many":
        from forecasts.many import many

        many(given.series, context=given.context, threads=given.threads)
    else:
        from forecasts.stream import stream

        stream(given.updates, given.frames)


if __name__ == "__main__":
    main()
