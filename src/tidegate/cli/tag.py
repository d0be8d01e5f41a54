"""``tidegate tag``: from tagged sentences to a tagger, scores and a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.errors import SpecError
from tidegate.specs import checks

if TYPE_CHECKING:
    from tidegate.text import Tagger

__all__ = ["Options", "TaggerFlags", "run"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggerFlags:
    """The options that describe a tagger; what is ``None`` is left to its defaults."""

    scheme: Annotated[
        str | None, Option("--scheme", help="Of the tags: iob1, iob2 or iobes. [default: found in the data]")
    ] = None
    write: Annotated[
        str | None, Option("--write", help="Scheme of the tags that are predicted. [default: that of the data]")
    ] = None
    repair: Annotated[
        bool, Option("--repair", help="Read tags that break the scheme as conlleval does, instead of refusing them.")
    ] = False
    embeddings: Annotated[Path | None, Option("--embeddings", help="Text file of GloVe or word2vec to begin with.")] = (
        None
    )
    word_size: Annotated[int | None, Option("--word-size", help="Numbers of a word's embedding.")] = None
    characters: Annotated[
        str | None, Option("--characters", help="What reads letters: lstm (default), convolution or none.")
    ] = None
    tag_context: Annotated[
        int | None, Option("--tag-context", help="Buckets for pairs of neighbours that speak for tags directly.")
    ] = None
    cell: Annotated[str | None, Option("--cell", help="lstm (default) or gru.")] = None
    hidden_size: Annotated[int | None, Option("--hidden-size", help="Units of a layer, in each direction.")] = None
    layers: Annotated[int | None, Option("--layers", help="Recurrent layers.")] = None
    decide: Annotated[
        str | None, Option("--decide", help="likelihood (default), or f1: shifted to the best F1 in validation.")
    ] = None
    dropout: Annotated[float | None, Option("--dropout", help="Of the network's inputs and outputs.")] = None
    members: Annotated[int | None, Option("--members", help="Networks, which tag together.")] = None
    epochs: Annotated[int | None, Option("--epochs", help="Passes over the data at most.")] = None
    max_steps: Annotated[int | None, Option("--max-steps", help="Optimiser steps at most.")] = None
    batch_size: Annotated[int | None, Option("--batch-size", help="Sentences a step.")] = None
    learning_rate: Annotated[float | None, Option("--learning-rate", help="Of the optimiser; the peak.")] = None
    seed: Annotated[int, Option("--seed", help="Same seed, same data, same machine: same result.")] = 0
    device: Annotated[str, Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate tag`` takes."""

    conll: Annotated[Path, Argument(help="Tagged sentences, a token a line and its tag last: .conll, .txt or .gz.")]
    out: Annotated[Path, Option("--out", help="Folder for tagged.conll, model.safetensors, report.html, scores.json.")]
    test: Annotated[
        Path | None, Option("--test", help="Tagged sentences to score on. [default: some of the first file]")
    ] = None
    validation: Annotated[
        Path | None, Option("--validation", help="Tagged sentences to stop by. [default: some of the first file]")
    ] = None
    held_out: Annotated[float, Option("--held-out", help="Share of the sentences to score on, without --test.")] = 0.1
    tagger: TaggerFlags = dataclasses.field(default_factory=TaggerFlags)
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False

    def __post_init__(self) -> None:
        checks.at_least("--held-out", self.held_out, 0, exclusive=True)
        checks.probability("--held-out", self.held_out)


def run(options: Options) -> None:
    """Learn to find spans in sentences, such as names or phrases.

    A tagger is trained on tagged sentences and scored on others beside the most frequent tag of each word. The folder
    of --out then holds the sentences that it was scored on with its tags, the model, the scores, and a report.
    """
    from tidegate.cli.tag_job import TagJob
    from tidegate.data.conll import read_conll

    console = Console(quiet=options.quiet)
    tagger = build_tagger(options.tagger)
    train = read_conll(options.conll)
    console.remark(f"{len(train)} sentences, {sum(map(len, train.tokens))} tokens")
    others = [
        None if path is None else read_conll(path, width=train.width) for path in (options.test, options.validation)
    ]
    job = TagJob(
        train=train,
        test=others[0],
        validation=others[1],
        held_out=options.held_out,
        tagger=tagger,
        folder=options.out,
        name=options.conll.name,
    )
    summary = job.run(console)
    if options.json:
        console.json(summary)
        return
    from tidegate.cli.scores import show_plain_scores

    show_plain_scores(summary["scores"], console)
    for name, path in summary["files"].items():
        console.result(f"{name:9}{path}")


def build_tagger(flags: TaggerFlags) -> Tagger:
    """Make the tagger that the options describe; defaults stay the tagger's own. Raises `SpecError`."""
    from tidegate.data.tagschemes import SCHEMES
    from tidegate.text import Tagger

    for name, scheme in (("--scheme", flags.scheme), ("--write", flags.write)):
        if scheme is not None:
            checks.one_of(name, scheme, SCHEMES)
    for name, size, least in (("--word-size", flags.word_size, 1), ("--tag-context", flags.tag_context, 0)):
        if size is not None:
            checks.whole(name, size, least=least)
    nested = {
        "schemes__given": flags.scheme,
        "schemes__predicted": flags.write,
        "schemes__repair": flags.repair or None,
        "features__size": flags.word_size,
        "features__context": flags.tag_context,
        "network__cell": flags.cell,
        "network__hidden_size": flags.hidden_size,
        "network__num_layers": flags.layers,
        "decide": flags.decide,
        "dropout": flags.dropout,
        "members": flags.members,
        "training__epochs": flags.epochs,
        "training__max_steps": flags.max_steps,
        "training__batch_size": flags.batch_size,
        "training__learning_rate": flags.learning_rate,
    }
    given: dict[str, Any] = {name: value for name, value in nested.items() if value is not None}
    if flags.characters is not None:
        given["features__characters"] = _characters(flags.characters)
    embeddings = None if flags.embeddings is None else str(flags.embeddings)
    return Tagger(embeddings=embeddings, seed=flags.seed, device=flags.device).set_params(**given)


def _characters(name: str) -> Any:
    from tidegate.specs import Convolution, WordFeatures

    known = {"lstm": WordFeatures().characters, "convolution": Convolution(channels=50), "none": None}
    if name not in known:
        raise SpecError(f"--characters must be lstm, convolution or none; got {name!r}")
    return known[name]
