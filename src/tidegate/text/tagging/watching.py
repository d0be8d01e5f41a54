"""The score of the validation sentences after each epoch, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.metrics.spans import span_scores
from tidegate.specs import Training
from tidegate.text.tagging.answers import best_paths
from tidegate.text.tagging.examples import TaggedExamples
from tidegate.text.tagging.network import TaggerNetwork
from tidegate.text.tagging.words import WordTable
from tidegate.training import Callback, EarlyStopping
from tidegate.training.state import TrainingState

__all__ = ["SpanF1", "watchers"]


class SpanF1(Callback):
    """Log the F1 of the spans of the validation sentences after each epoch, as ``val_f1``.

    Parameters
    ----------
    table, examples
        The words, and the validation sentences with their codes.
    labels
        What codes stand for.
    """

    def __init__(self, table: WordTable, examples: TaggedExamples, labels: Sequence[str]) -> None:
        assert examples.target is not None
        self.table, self.examples, self.labels = table, examples, labels
        self.truth = [self._tags(examples.target[row].tolist()) for row in range(len(examples))]

    def on_epoch_end(self, state: TrainingState) -> None:
        """Tag, and compare; nothing is drawn, so that the training goes on as if nobody had looked."""
        module = state.module
        assert isinstance(module, TaggerNetwork)
        module.eval()
        paths = best_paths(module, self.table, self.examples)
        module.train()
        state.logs["val_f1"] = span_scores(self.truth, [self._tags(path) for path in paths]).f1

    def _tags(self, codes: Sequence[int]) -> list[str]:
        return [self.labels[code] for code in codes]


def watchers(
    training: Training, table: WordTable, validation: Sequence[TaggedExamples], labels: Sequence[str]
) -> Sequence[Callback]:
    """Give the callbacks of one training; ``validation`` holds one collection of sentences or none."""
    if not validation:
        return ()
    scored = SpanF1(table, validation[0], labels)
    if training.patience is None:
        return (scored,)
    return scored, EarlyStopping("val_f1", patience=training.patience, restore_best_weights=True)
