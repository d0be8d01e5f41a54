"""Whole series to a class or a number."""

from __future__ import annotations

from tidegate.classify.classifier import SequenceClassifier
from tidegate.classify.regressor import SequenceRegressor

__all__ = ["SequenceClassifier", "SequenceRegressor"]
