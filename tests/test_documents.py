"""The documents are kept true: what they show runs, their tables are complete, their links lead somewhere.

A ```` ```python ```` block runs in a temporary folder, after the blocks before it on the same page; one with ``>>>``
must print what it shows. A ```` ```console ```` block runs its ``$ tidegate`` lines within this process: each line
that it shows must be printed, numbers aside, and a shown error means exit code 2. Trainings are cut to a few steps.
Where a block cannot run here, its fence says so: ```` ```python no-run: needs a GPU ````.
"""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main

import tidegate as tg
from tidegate.cli.app import app, main
from tidegate.forecast.settled import Settled
from tidegate.training.plan import Plan

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MOST_STEPS = 6  # of a training
RULES = set("─ ")
NOT_RUN = ("git", "pip", "python", "source", ".venv/bin/python", ".venv/bin/ruff", ".venv/bin/mypy")
FOLDERS = ("benchmarks/", "docs/", "examples/", "src/", "tests/", ".ci/")

over_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: what its fence says, its text, and the line of the page that it begins after."""

    info: str
    text: str
    line: int

    @property
    def runs(self) -> bool:
        return "no-run" not in self.info

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in re.finditer(r"^```(\w[^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(match[1].strip(), match[2], text[: match.start(2)].count("\n"))


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def first_column(page: str, heading: str) -> list[str]:
    """Give the names in backticks in the first column of the first table below a heading of a page."""
    _, found, below = (ROOT / page).read_text("utf-8").partition(f"\n## {heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table, f"{page} has no table below {heading!r}"
    cells = re.findall(r"^\| *(`[^|]*)\|", table[0], re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


# ------------------------------------------------------------------------------------------------------- running


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut every training short: what it learns is not what the documents are tested for."""
    make: Callable[..., Plan] = Plan.make

    def short(training: tg.Training, batches: int | None) -> Plan:
        steps = min(training.max_steps or MOST_STEPS, MOST_STEPS)
        return make(dataclasses.replace(training, max_steps=steps), batches)

    monkeypatch.setattr(Plan, "make", short)


def run_python(block: Block, page: Path, names: dict[str, Any]) -> None:
    if ">>> " not in block.text:
        exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        return
    example = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=report.append, clear_globs=False)
    names.update(example.globs)
    assert not report, "".join(report)


def commands(block: Block) -> Iterator[tuple[list[str], list[str]]]:
    """Give each command of a console block, split as a shell splits it, and the lines shown below it."""
    text = block.text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *shown = part.splitlines()
        yield shlex.split(line, comments=True), shown


def masked(line: str) -> str:
    """Leave out what differs between runs: numbers, digests, and whether a baseline was better."""
    if line.startswith("Tidegate’s error"):
        return "Tidegate’s error"
    return " ".join(re.sub(r"[0-9a-f]{32,}|-?\b\d[\d,]*(\.\d+)?(e[+-]?\d+)?", "#", line).split())


def run_console(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    for (program, *arguments), shown in commands(block):
        if program != "tidegate":
            check_other_program(program, arguments)
            continue
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        refused = any(line.startswith("tidegate: error:") for line in shown)
        assert code == (2 if refused else 0), captured.err
        printed = [masked(line) for line in (captured.out + captured.err).splitlines()]
        for line in shown:
            if set(line) - RULES and line.strip() != "…":
                assert masked(line) in printed, f"{line!r} is not among what was printed:\n{captured.out}{captured.err}"


def check_other_program(program: str, arguments: list[str]) -> None:
    if program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets)
    else:
        assert program in NOT_RUN, f"what is {program!r}? Let the test run it, or add it to NOT_RUN"


@over_pages
@pytest.mark.usefixtures("few_steps")
def test_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # the command line sets it; here it is put back afterwards
    names: dict[str, Any] = {"__name__": page.stem}
    with torch.random.fork_rng(devices=[]):
        for block in blocks(page):
            if block.language == "python" and block.runs:
                run_python(block, page, names)
            elif block.language == "console" and block.runs:
                run_console(block, capsys)


@over_pages
def test_what_is_not_run_says_why_and_names_options_that_exist(page: Path) -> None:
    for block in blocks(page):
        if block.runs:
            continue
        assert re.search(r"no-run: \w+", block.info), f"line {block.line}: say why, as in no-run: needs a GPU"
        for (program, *arguments), _ in commands(block) if block.language == "console" else ():
            if program == "tidegate":
                given = {word for word in arguments if word.startswith("--")}
                assert given <= set(options_of(arguments[0]))


# -------------------------------------------------------------------------------------------------------- tables


def options_of(command: str) -> list[str]:
    group = typer.main.get_command(app)
    parameters = group.commands[command].params  # type: ignore[attr-defined]
    return [name for parameter in parameters for name in parameter.opts if name.startswith("--") and name != "--help"]


def keywords(function: Callable[..., object]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


@pytest.mark.parametrize(
    "command", ["forecast", "classify", "detect", "predict", "evaluate", "export", "serve", "info", "demo", "bench"]
)
def test_every_command_line_option_is_documented(command: str) -> None:
    assert sorted(first_column("docs/cli.md", f"tidegate {command}")) == sorted(options_of(command))


def test_every_option_of_the_layers_is_documented() -> None:
    new = {*keywords(tg.nn.LSTM.__init__), *keywords(tg.nn.GRU.__init__)}
    assert sorted(first_column("docs/layers.md", "Options")) == sorted(new)


def test_every_parameter_of_the_detector_is_documented() -> None:
    assert sorted(first_column("docs/anomalies.md", "Parameters")) == sorted(keywords(tg.AnomalyDetector.__init__))


def test_every_parameter_of_the_tagger_is_documented() -> None:
    assert sorted(first_column("docs/tagging.md", "Parameters")) == sorted(keywords(tg.Tagger.__init__))
    fields = [field.name for field in dataclasses.fields(tg.WordFeatures)]
    assert sorted(first_column("docs/tagging.md", "Word features")) == sorted(fields)


def test_every_parameter_of_the_text_classifier_is_documented() -> None:
    assert sorted(first_column("docs/text.md", "Parameters")) == sorted(keywords(tg.TextClassifier.__init__))


def test_every_parameter_of_the_forecaster_is_documented() -> None:
    assert sorted(first_column("docs/forecasting.md", "Parameters")) == sorted(keywords(tg.Forecaster.__init__))


@pytest.mark.parametrize(
    ("page", "heading", "spec"),
    [
        ("docs/training.md", "Training", tg.Training),
        ("docs/training.md", "Sampling", tg.Sampling),
        ("docs/text.md", "Tokens", tg.Tokens),
        ("docs/text.md", "Embeddings", tg.Embedding),
        ("docs/text.md", "N-grams", tg.Wide),
        ("docs/forecasting.md", "Scaling", tg.Scaling),
        ("docs/forecasting.md", "Ensembles", tg.Member),
        ("docs/uncertainty.md", "Options", tg.Uncertainty),
        ("docs/strategies.md", "The strategy Direct", tg.Direct),
        ("docs/strategies.md", "The strategy Recursive", tg.Recursive),
        ("docs/strategies.md", "The strategy EncoderDecoder", tg.EncoderDecoder),
        ("docs/strategies.md", "The strategy Segments", tg.Segments),
        ("docs/strategies.md", "The strategy Smoothing", tg.Smoothing),
        ("docs/anomalies.md", "The method Autoencoder", tg.Autoencoder),
        ("docs/anomalies.md", "The method Prediction", tg.Prediction),
        ("docs/anomalies.md", "The threshold Spot", tg.Spot),
        ("docs/anomalies.md", "The threshold Dynamic", tg.Dynamic),
        ("docs/anomalies.md", "Likelihood", tg.Likelihood),
        ("docs/model-file.md", "What was settled", Settled),
        ("docs/data.md", "Columns", tg.Columns),
        ("docs/layers.md", "Stacks", tg.Recurrent),
        ("docs/layers.md", "The part Dilated", tg.Dilated),
        ("docs/layers.md", "The part Convolution", tg.Convolution),
        ("docs/layers.md", "The part SelfAttention", tg.SelfAttention),
    ],
)
def test_every_field_of_a_spec_is_documented(page: str, heading: str, spec: Any) -> None:
    assert sorted(first_column(page, heading)) == sorted(field.name for field in dataclasses.fields(spec))


def test_every_callback_is_documented() -> None:
    found = [
        name
        for name in tg.training.__all__
        if inspect.isclass(value := getattr(tg.training, name))
        and issubclass(value, tg.Callback)
        and value is not tg.Callback
    ]
    assert sorted(first_column("docs/training.md", "Callbacks")) == sorted(found)


# --------------------------------------------------------------------------------------------------------- links


def slugs(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@over_pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in slugs(target), link


@over_pages
def test_named_files_and_names_exist(page: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        if code.startswith(FOLDERS) and re.fullmatch(r"[\w./-]+", code):
            assert (ROOT / code).exists(), code
        if match := re.fullmatch(r"(?:tg|tidegate)\.([\w.]+)(?:\(.*\))?", code):
            assert resolves(match[1]), code


def resolves(dotted: str) -> bool:
    """Say whether a public name, or a module, stands under ``tidegate``."""
    names = dotted.split(".")
    value: Any = tg
    for place, name in enumerate(names):
        try:
            value = getattr(value, name)
        except AttributeError:
            try:
                value = importlib.import_module(".".join(["tidegate", *names[: place + 1]]))
            except ImportError:
                return False
    return True
