"""What ``tidegate classify`` does with whole series: a model, its scores beside baselines, answers, a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from tidegate._core.files import write_text
from tidegate.cli.classifier_flags import ClassifierFlags, given
from tidegate.cli.classify_series_file import answers_csv, is_ts, read_series
from tidegate.cli.console import Console, strict_json
from tidegate.cli.outputs import placed_together
from tidegate.cli.series_checks import require_labels, require_like
from tidegate.errors import SpecError
from tidegate.specs import Columns, checks

if TYPE_CHECKING:
    from tidegate.classify import SequenceClassifier, SequenceRegressor
    from tidegate.data import LabelledSeries

__all__ = ["FILES", "SeriesFlags", "SeriesJob"]

FILES = {
    "predictions": "predictions.csv",
    "model": "model.safetensors",
    "report": "report.html",
    "scores": "scores.json",
}
_NOT_REGRESSED = ("class_weight", "calibration")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesFlags:
    """The options that only whole series have."""

    id: Annotated[str | None, Option("--id", help="Column that names the series. [default: unique_id]")] = None
    time: Annotated[str | None, Option("--time", help="Column of time stamps. [default: ds]")] = None
    channel: Annotated[
        list[str] | None, Option("--channel", help="Column of values; repeat it. [default: y, else all numeric]")
    ] = None
    scaling: Annotated[
        str | None, Option("--scaling", help="train (default): levels tell series apart; series: only shapes do; none.")
    ] = None
    augment: Annotated[bool, Option("--augment", help="Change series at random in training.")] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesJob:
    """One run of ``tidegate classify`` on whole series.

    Parameters
    ----------
    path
        A ``.ts`` file, or a long CSV file.
    out
        Folder of the four files.
    test
        File of the series to score on; ``None`` holds out a share of ``path``.
    label
        Column of a CSV file that says what a series is.
    holdout
        That share.
    flags, series
        Of the model.
    """

    path: Path
    out: Path
    label: str | None = None
    test: Path | None = None
    holdout: float = 0.2
    flags: ClassifierFlags = dataclasses.field(default_factory=ClassifierFlags)
    series: SeriesFlags = dataclasses.field(default_factory=SeriesFlags)

    def __post_init__(self) -> None:
        checks.at_least("--holdout", self.holdout, 0, exclusive=True)
        checks.probability("--holdout", self.holdout)
        if not is_ts(self.path) and self.label is None:
            raise SpecError("a table of series needs --label, the column that says what a series is")
        columns = {name: getattr(self.series, name) for name in ("id", "time", "channel")} | {"label": self.label}
        asked = [f"--{name}" for name, column in columns.items() if column is not None]
        if is_ts(self.path) and asked:
            raise SpecError(f"{asked[0]} names a column of a table, and {str(self.path)!r} has none; leave it out")

    def run(self, console: Console) -> dict[str, Any]:
        """Train, score, answer, report.

        Returns
        -------
        dict
            What `scores.json` holds and, under ``files``, the paths of all four files.
        """
        data = self._read(self.path)
        require_labels(data, self.path)
        held = None if self.test is None else self._read_test(self.test, data)
        model = _model(self.flags, self.series, regress=data.numbers)
        with placed_together(self.out, list(FILES.values())) as place:
            summary = self._write(place, model, data, held, console)
        return summary | {"files": {name: str(self.out / file) for name, file in FILES.items()}}

    def _read(self, path: Path) -> LabelledSeries:
        from tidegate.data.sequences import series_of

        series = self.series
        columns = Columns(
            id=series.id or Columns().id, time=series.time or Columns().time, targets=tuple(series.channel or ())
        )
        data = read_series(path, self.label, columns)
        series_of(data)  # refuses what cannot be read by its place in the file; later it may lie elsewhere
        return data

    def _read_test(self, path: Path, data: LabelledSeries) -> LabelledSeries:
        """Read the series to score on, and hold them against those of the training."""
        from tidegate.data import Labels

        held = self._read(path)
        classes = None if data.numbers else Labels.of([] if data.labels is None else data.labels).names
        require_like(held, path, channels=len(data.channels), classes=classes)
        return held

    def _write(
        self,
        place: Path,
        model: SequenceClassifier | SequenceRegressor,
        data: LabelledSeries,
        held: LabelledSeries | None,
        console: Console,
    ) -> dict[str, Any]:
        from tidegate.cli.series_scores import report_of, scored

        console.remark(f"{len(data)} series of {len(data.channels)} channel(s), {len(data.sequences.flat)} steps")
        progress = console.progress()
        train = data
        if held is None:
            train, held = _cut(data, self.holdout, model.seed)
            console.remark(f"{len(held)} series held out; training on {len(train)}")
        model.fit(train, callbacks=progress)
        scores = scored(model, train, held)
        answers = answers_csv(model, held, held.labels)
        report = report_of(model, held, scores, title=self.path.name)
        if train is not data:
            console.remark("training on all series")
            model.fit(data, callbacks=progress)
        summary = {
            "kind": model.kind,
            "series": len(data),
            "steps": len(data.sequences.flat),
            "channels": list(data.channels),
            "held_out": len(held),
            "scores": scores,
            "training": {"epochs": model.history_.epochs, "steps": model.history_.steps},
        }
        write_text(place / FILES["predictions"], answers)
        model.save(place / FILES["model"])
        report.write(place / FILES["report"])
        write_text(place / FILES["scores"], strict_json(summary) + "\n")
        return summary


def _cut(data: LabelledSeries, share: float, seed: int) -> tuple[LabelledSeries, LabelledSeries]:
    """Hold out a share of each class, or of all numbers."""
    import numpy as np

    from tidegate._core.seeds import derive_seed
    from tidegate.data import Labels, stratified_holdout

    assert data.labels is not None
    codes = np.zeros(len(data), np.int64) if data.numbers else Labels.of(data.labels).encode(data.labels)
    train, held = stratified_holdout(codes, share, derive_seed(seed, "holdout"))
    return data.take(train), data.take(held)


def _model(flags: ClassifierFlags, series: SeriesFlags, *, regress: bool) -> SequenceClassifier | SequenceRegressor:
    """Make the estimator that the options describe; defaults stay the estimator's own. Raises `SpecError`."""
    from tidegate.classify import SequenceClassifier, SequenceRegressor
    from tidegate.classify.defaults import with_recurrent
    from tidegate.specs import Augmentation

    plain = {
        "pooling": flags.pooling,
        "dropout": flags.dropout,
        "class_weight": flags.class_weight,
        "calibration": flags.calibration,
        "members": flags.members,
        "scaling": series.scaling,
        "augmentation": Augmentation() if series.augment else None,
        "training__epochs": flags.epochs,
        "training__max_steps": flags.max_steps,
        "training__batch_size": flags.batch_size,
        "training__learning_rate": flags.learning_rate,
    }
    asked = given(plain)
    if series.scaling == "none":
        asked["scaling"] = None
    changes = given({"cell": flags.cell, "hidden_size": flags.hidden_size, "num_layers": flags.layers})
    network = with_recurrent(**changes)
    if not regress:
        return SequenceClassifier(network=network, seed=flags.seed, device=flags.device).set_params(**asked)
    for name in _NOT_REGRESSED:
        if name in asked:
            raise SpecError(f"--{name.replace('_', '-')} is about classes; these series have numbers: leave it out")
    return SequenceRegressor(network=network, seed=flags.seed, device=flags.device).set_params(**asked)
