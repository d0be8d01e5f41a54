"""The job of ``tidegate tag``: hold out, train, score, report, and the four files they end in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidegate import __version__
from tidegate._core.files import write_text
from tidegate._core.seeds import derive_seed
from tidegate.cli.console import Console, strict_json
from tidegate.cli.outputs import placed_together
from tidegate.cli.settings import fields_of, network_settings, versions
from tidegate.data.conll import ConllSentences, conll_text
from tidegate.errors import DataError

if TYPE_CHECKING:
    from tidegate.report.tagging import SentenceExample
    from tidegate.text import Tagger
    from tidegate.text.tagging.evaluation import TaggingEvaluation

__all__ = ["FILES", "TagJob"]

FILES = {"tagged": "tagged.conll", "model": "model.safetensors", "report": "report.html", "scores": "scores.json"}
_LOOKED_AT = 2_000  # held-out sentences from which those of the report are chosen


@dataclasses.dataclass(frozen=True, kw_only=True)
class TagJob:
    """One run of ``tidegate tag``.

    Parameters
    ----------
    train, test, validation
        Tagged sentences; without a test, ``held_out`` of those to train on are kept for it, drawn at random.
    held_out
        That share.
    tagger
        Not fitted yet.
    folder
        Where the files go.
    name
        Of the data, for the report's title.
    """

    train: ConllSentences
    test: ConllSentences | None
    validation: ConllSentences | None
    held_out: float
    tagger: Tagger
    folder: Path
    name: str

    def run(self, console: Console) -> dict[str, Any]:
        """Do it.

        Returns
        -------
        dict
            What `scores.json` holds (see `_summary`) and, under ``files``, the paths of all four files.
        """
        with placed_together(self.folder, list(FILES.values())) as place:
            summary = self._write(place, console)
        return summary | {"files": {name: str(self.folder / file) for name, file in FILES.items()}}

    def _write(self, place: Path, console: Console) -> dict[str, Any]:
        tagger = self.tagger
        train, test = self._parts(console)
        progress = console.progress()
        tagger.fit(train, validation=self.validation, callbacks=progress)
        evaluation = tagger.evaluate(test)
        notes = self._notes(train)
        for note in notes:
            console.remark(note)
        summary = self._summary(train, test, evaluation, notes)
        tags = evaluation.tags if tagger.schemes.predicted is None else tagger.predict(test)
        write_text(place / FILES["tagged"], conll_text(test, tags))
        tagger.save(place / FILES["model"])
        self._report(test, evaluation, notes, place / FILES["report"])
        write_text(place / FILES["scores"], strict_json(summary) + "\n")
        return summary

    def _parts(self, console: Console) -> tuple[ConllSentences, ConllSentences]:
        from tidegate.text.tagging.evaluation import require_known

        if self.test is not None:
            types = _types_of(self.train)
            if types:  # else fit says what is wrong
                require_known(self.test, types)  # refused before the training, not after it
            return self.train, self.test
        held = max(1, round(self.held_out * len(self.train)))
        if held >= len(self.train):
            raise DataError(
                f"holding out {held} of {len(self.train)} sentence(s) leaves none to train on; give more, or --test"
            )
        seed = derive_seed(self.tagger.seed, "held out")
        order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(self.train))
        console.remark(f"{held} sentences, drawn at random, are held out of training and scored on")
        return self.train.take(np.sort(order[held:]).tolist()), self.train.take(np.sort(order[:held]).tolist())

    def _notes(self, train: ConllSentences) -> list[str]:
        from tidegate.data.tagschemes import first_fault

        if not self.tagger.schemes.repair:
            return []
        scheme = self.tagger.scheme_
        broken = sum(first_fault(tags, scheme) is not None for tags in train.tags or ())
        return [f"{broken} training sentences break {scheme.upper()} and were read as conlleval does"] if broken else []

    def _summary(
        self, train: ConllSentences, test: ConllSentences, evaluation: TaggingEvaluation, notes: list[str]
    ) -> dict[str, Any]:
        """Say what came out, in types that JSON knows.

        ==============================  ===============================================================================
        ``tidegate``                    the version
        ``train``, ``test``             sentences
        ``scheme``                      of the data
        ``scores``, …                   as `TaggingEvaluation.to_dict` gives them
        ``epochs``, ``steps``           of the training
        ``notes``                       what was noticed in the data
        ==============================  ===============================================================================
        """
        history = self.tagger.history_
        return {
            "tidegate": __version__,
            "train": len(train),
            "test": len(test),
            "scheme": self.tagger.scheme_,
            **evaluation.to_dict(),
            "epochs": history.epochs,
            "steps": history.steps,
            "notes": notes,
        }

    def _report(self, test: ConllSentences, evaluation: TaggingEvaluation, notes: list[str], path: Path) -> None:
        from tidegate.report.tagging import TaggingReport, notable_sentences

        history = self.tagger.history_
        TaggingReport(
            title=f"Tags of {self.name}",
            evaluation=evaluation,
            sentences=len(test),
            losses={name: history[name] for name in history},
            settings=self._settings(),
            facts={"Scheme": self.tagger.scheme_.upper()},
            examples=notable_sentences(self._examples(test)),
            notes=notes,
        ).write(path)

    def _examples(self, test: ConllSentences) -> list[SentenceExample]:
        """Set the spans of some held-out sentences side by side."""
        from tidegate.metrics.spans import conlleval_spans
        from tidegate.report.tagging import MarkedSpan, SentenceExample

        some = test.take(range(min(len(test), _LOOKED_AT)))
        examples = []
        for tokens, tags, spans in zip(some.tokens, some.tags or (), self.tagger.predict_spans(some), strict=True):
            true = conlleval_spans(tags)
            found = {(span.start, span.stop, span.type): span.confidence for span in spans}
            examples.append(
                SentenceExample(
                    tokens=tokens,
                    true=[
                        MarkedSpan(start=start, stop=stop, type=kind, right=(start, stop, kind) in found)
                        for start, stop, kind in true
                    ],
                    found=[
                        MarkedSpan(
                            start=start, stop=stop, type=kind, right=(start, stop, kind) in true, confidence=confidence
                        )
                        for (start, stop, kind), confidence in found.items()
                    ],
                )
            )
        return examples

    def _settings(self) -> dict[str, dict[str, object]]:
        tagger = self.tagger
        history = tagger.history_
        return {
            "Tagger": {
                "members": tagger.members,
                "dropout": tagger.dropout,
                "decide": tagger.decide,
                "offset": tagger.fitted_.offset,
                "embeddings": "drawn" if tagger.embeddings is None else tagger.embeddings,
                "seed": tagger.seed,
                "device": str(tagger.device),
            },
            "Tags": fields_of(tagger.schemes) | {"found": tagger.scheme_},
            "Words": fields_of(tagger.features),
            **network_settings(tagger.network),
            "Training": fields_of(tagger.training) | {"epochs run": history.epochs, "steps run": history.steps},
            "Versions": versions(),
        }


def _types_of(given: ConllSentences) -> list[str]:
    from tidegate.metrics.spans import conlleval_spans

    return sorted({kind for tags in given.tags or () for _, _, kind in conlleval_spans(tags)})
