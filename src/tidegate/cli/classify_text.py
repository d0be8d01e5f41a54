"""What ``tidegate classify`` does with texts: a model, its scores beside baselines, answers, a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate import __version__
from tidegate._core.files import write_text
from tidegate.cli.classifier_flags import ClassifierFlags, given
from tidegate.cli.classify_text_file import answers_csv
from tidegate.cli.console import Console, strict_json
from tidegate.cli.outputs import placed_together
from tidegate.cli.text_flags import TextFlags
from tidegate.errors import SpecError
from tidegate.specs import TextColumns, Wide, checks

if TYPE_CHECKING:
    from tidegate.data.textfile import LabelledTexts
    from tidegate.text import TextClassifier

__all__ = ["FILES", "TextJob"]

FILES = {
    "predictions": "predictions.csv",
    "model": "model.safetensors",
    "report": "report.html",
    "scores": "scores.json",
}
_WIDE = {"both": Wide(), "words": Wide(characters=None), "characters": Wide(words=0), "none": None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextJob:
    """One run of ``tidegate classify`` on texts.

    Parameters
    ----------
    path
        CSV file of texts with labels.
    out
        Folder of the four files.
    label
        The column of labels.
    test
        File of the texts to score on; ``None`` holds out a share of ``path``.
    holdout
        That share.
    flags, texts
        Of the model and of the texts.
    """

    path: Path
    out: Path
    texts: TextFlags
    label: str | None = None
    test: Path | None = None
    holdout: float = 0.2
    flags: ClassifierFlags = dataclasses.field(default_factory=ClassifierFlags)

    def __post_init__(self) -> None:
        if self.label is None:
            raise SpecError("texts need --label, the column that says what a text is")

    def run(self, console: Console) -> dict[str, Any]:
        """Train, score, answer, report.

        Returns
        -------
        dict
            What `scores.json` holds (see `_summary`) and, under ``files``, the paths of all four files.
        """
        from tidegate.data.textfile import read_text_csv

        model = _model(self.flags, self.texts)
        columns = TextColumns(text=self.texts.text or "", label=self.label, separator=self.texts.separator)
        data = read_text_csv(self.path, columns)
        held = None if self.test is None else read_text_csv(self.test, columns)
        with placed_together(self.out, list(FILES.values())) as place:
            summary = self._write(place, model, data, held, console)
        return summary | {"files": {name: str(self.out / file) for name, file in FILES.items()}}

    def _write(
        self,
        place: Path,
        model: TextClassifier,
        data: LabelledTexts,
        held: LabelledTexts | None,
        console: Console,
    ) -> dict[str, Any]:
        from tidegate.cli.text_scores import cut, report_of, scored
        from tidegate.text.classifying.targets import Classes, require_known

        console.remark(f"{len(data)} texts")
        progress = console.progress()
        train = data
        notes: list[str] = []
        if held is not None:
            require_known(held, Classes.of(data.labels or []))
        else:
            train, held, notes = cut(data, self.holdout, model.seed)
            console.remark(f"{len(held)} texts held out; training on {len(train)}")
        model.fit(train, callbacks=progress)
        probabilities = model.predict_proba(held)
        scores = scored(model, train, held, probabilities)
        answers = answers_csv(model, held, probabilities)
        notes = [*notes, *model.notes_]
        report = report_of(model, held, probabilities, scores, title=self.path.name, notes=notes)
        if train is not data:
            console.remark("training on all texts")
            model.fit(data, callbacks=progress)
        for note in notes:
            console.remark(note)
        summary = _summary(model, data, held, scores, notes)
        write_text(place / FILES["predictions"], answers)
        model.save(place / FILES["model"])
        report.write(place / FILES["report"])
        write_text(place / FILES["scores"], strict_json(summary) + "\n")
        return summary


def _summary(
    model: TextClassifier, data: LabelledTexts, held: LabelledTexts, scores: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    """Say what came out, in types that JSON knows.

    ==============================  ===================================================================================
    ``tidegate``, ``kind``          the version, and what the model is
    ``texts``, ``held_out``         how many there are, and how many were scored on
    ``scores``                      of the model, the majority class and naive Bayes on words
    ``share``                       of the linear model in the mixture
    ``training``                    epochs and steps of the final fit
    ``notes``                       what was noticed in the data
    ==============================  ===================================================================================
    """
    return {
        "tidegate": __version__,
        "kind": model.kind,
        "texts": len(data),
        "held_out": len(held),
        "scores": scores,
        "share": model.share_,
        "training": {"epochs": model.history_.epochs, "steps": model.history_.steps},
        "notes": notes,
    }


def _model(flags: ClassifierFlags, texts: TextFlags) -> TextClassifier:
    """Make the estimator that the options describe; defaults stay the estimator's own. Raises `SpecError`."""
    from tidegate.text import TextClassifier

    if texts.wide is not None:
        checks.one_of("--wide", texts.wide, _WIDE)
    asked = given(
        {
            "tokens__unit": texts.unit,
            "tokens__lower": False if texts.case else None,
            "tokens__max_length": texts.max_length,
            "embedding__path": None if texts.embeddings is None else str(texts.embeddings),
            "network__cell": flags.cell,
            "network__hidden_size": flags.hidden_size,
            "network__num_layers": flags.layers,
            "pooling": flags.pooling,
            "dropout": flags.dropout,
            "class_weight": flags.class_weight,
            "calibration": flags.calibration,
            "members": flags.members,
            "training__epochs": flags.epochs,
            "training__max_steps": flags.max_steps,
            "training__batch_size": flags.batch_size,
            "training__learning_rate": flags.learning_rate,
        }
    )
    if texts.wide is not None:
        asked["wide"] = _WIDE[texts.wide]
    return TextClassifier(seed=flags.seed, device=flags.device).set_params(**asked)
