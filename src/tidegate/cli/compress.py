"""``tidegate compress``: a smaller model out of a trained one, if it costs little."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from tidegate._core.files import output_folder
from tidegate.cli.console import Console
from tidegate.cli.flags import Debug, Json, Quiet
from tidegate.cli.models import labelled_data, loaded_model
from tidegate.errors import CompressionError, SpecError

if TYPE_CHECKING:
    from tidegate.compress import Comparison

__all__ = ["Options", "run"]

_SLOWER = 3  # the rate after pruning beside that of the training; a tenth, which fine_tune takes, is too little for it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What ``tidegate compress`` takes."""

    model: Annotated[Path, Argument(help="A model file.")]
    held_out: Annotated[Path, Argument(help="Data that the model was not trained on, in the form of the training.")]
    out: Annotated[Path, Option("--out", help="Model file to write.")]
    weights: Annotated[
        str | None,
        Option(
            "--weights",
            help="Form of the weights: int8, bfloat16, float16 or float32. "
            "[default: int8; float32 with --prune or --student]",
        ),
    ] = None
    prune: Annotated[
        float | None,
        Option("--prune", help="Share of the units to take out of each layer, such as 0.5; needs --train."),
    ] = None
    student: Annotated[
        int | None,
        Option("--student", help="Units of a smaller network that learns from the model; needs --train."),
    ] = None
    train: Annotated[Path | None, Option("--train", help="The data of the training, for --prune and --student.")] = None
    steps: Annotated[
        int | None, Option("--steps", help="Training steps after pruning. [default: 200 with --prune]")
    ] = None
    max_loss: Annotated[
        float, Option("--max-loss", help="Share of the score that may be lost; beyond it nothing is written.")
    ] = 0.01
    force: Annotated[bool, Option("--force", help="Write the file, whatever is lost.")] = False
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


def run(options: Options) -> None:
    """Make a saved model smaller, and say what that costs.

    Weights take fewer bits, units are taken out and the rest is trained again, or a smaller network learns from the
    model. Size, latency and accuracy before and after are measured on held-out data; a model that loses more than
    --max-loss is not written.
    """
    _check(options)
    console = Console(quiet=options.quiet)
    before = loaded_model(options.model)
    held_out = labelled_data(before, options.held_out, console)
    output_folder(options.out.parent)  # before the work, not after it
    from tidegate.compress import compare

    after = _smaller(options, before, console)
    comparison = compare(before, after, held_out)
    if options.json:
        console.json({"file": str(options.out), "written": _allowed(comparison, options), **comparison.to_dict()})
    else:
        console.table(_rows(comparison))
    if not options.force:
        try:
            comparison.require(options.max_loss)
        except CompressionError as error:
            raise CompressionError(
                f"{error}; nothing was written: --force writes it, --max-loss allows more"
            ) from error
    after.save(options.out)
    console.remark(f"wrote {options.out}")


def _check(options: Options) -> None:
    from tidegate.estimator.storage import STORAGES
    from tidegate.specs import checks

    if options.weights is not None:
        checks.one_of("--weights", options.weights, STORAGES)
    checks.at_least("--max-loss", options.max_loss, 0)
    if options.student is not None:
        checks.whole("--student", options.student)
    trains = {"--prune": options.prune, "--student": options.student}
    asked = [flag for flag, value in trains.items() if value is not None]
    if asked and options.train is None:
        raise SpecError(f"{asked[0]} trains: give the data of the training with --train")
    if not asked and options.train is not None:
        raise SpecError("--train is for --prune and --student; leave it out, or add one of these")
    if options.steps is not None and options.prune is None:
        raise SpecError("--steps are those after --prune; leave it out, or add --prune")


def _smaller(options: Options, model: Any, console: Console) -> Any:
    """Do what was asked for, in the order in which it makes sense."""
    from tidegate.compress import distill, prune, quantize

    if options.train is not None:
        data = labelled_data(model, options.train, console)
        if options.student is not None:
            model = distill(model, options.student, data, callbacks=console.progress())
        if options.prune is not None:
            steps = 200 if options.steps is None else options.steps
            pruned = prune(model, units=options.prune)
            model = pruned.fine_tune(
                data,
                max_steps=steps,
                learning_rate=pruned.training.learning_rate / _SLOWER,
                schedule="cosine",
                callbacks=console.progress(),
            )
    weights = options.weights or ("int8" if options.train is None else "float32")
    return model if weights == "float32" else quantize(model, weights)


def _allowed(comparison: Comparison, options: Options) -> bool:
    return options.force or comparison.loss <= options.max_loss


def _rows(found: Comparison) -> list[tuple[str, ...]]:
    def kibibytes(size: int) -> str:
        return f"{size / 1024:.1f} KiB"

    before, after = found.before, found.after
    return [
        ("", "before", "after", ""),
        ("size", kibibytes(before.size), kibibytes(after.size), f"{100 * found.share:.1f} %"),
        (
            "one prediction",
            f"{before.milliseconds:.2f} ms",
            f"{after.milliseconds:.2f} ms",
            f"{found.speed_up:.2f} × as fast",
        ),
        (
            found.measure,
            f"{found.sign * before.score:.4f}",
            f"{found.sign * after.score:.4f}",
            f"{100 * found.loss:.2f} % lost",
        ),
    ]
