"""What a teacher says of texts, for a student's networks to learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tidegate.data.ragged import RaggedExamples, RaggedSource
from tidegate.estimator.teaching import Teacher
from tidegate.text.classifying.fitted import FittedTexts
from tidegate.text.classifying.targets import Classes
from tidegate.training.distillation import Answered, Distilled, soft_binary_cross_entropy, soft_cross_entropy
from tidegate.training.objective import Objective

__all__ = ["Lesson"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """A fitted classifier of texts, and how much it counts.

    It reads texts by its own tokens and vocabulary, so that its student may have others. Its answers are what it gives
    to its users: of all members and of the linear model beside them, after calibration.

    Parameters
    ----------
    fitted
        The teacher's.
    terms
        Share and temperature.
    """

    fitted: FittedTexts
    terms: Teacher

    def require(self, classes: Classes) -> None:
        """Refuse other classes, or one class a text where the teacher gives several labels. Raises `DataError`."""
        if classes.several != self.fitted.classes.several:
            kinds = {True: "any number of labels", False: "one class"}
            self.terms.refuse_targets(kinds[self.fitted.classes.several], kinds[classes.several], "a text")
        self.terms.require_classes(self.fitted.classes.names, classes.names)

    def answered(self, examples: RaggedExamples, texts: Sequence[str]) -> RaggedSource:
        """Put its answers beside the examples: logits ``[text, class]``."""
        return Answered(examples, (self.fitted.logits(texts) / self.fitted.temperature).astype(np.float32))

    def objective(self, objective: Objective) -> Objective:
        """Give what a student minimises."""
        soft = soft_binary_cross_entropy if self.fitted.classes.several else soft_cross_entropy
        return Distilled(objective, soft(self.terms.softness), self.terms.share)
