"""Smaller models out of trained ones: fewer bits, fewer units, a student; and what that costs."""

from tidegate.compress.comparison import Comparison, Side, compare
from tidegate.compress.distillation import distill
from tidegate.compress.pruning import prune
from tidegate.compress.quantization import quantize
from tidegate.estimator.teaching import Teacher

__all__ = ["Comparison", "Side", "Teacher", "compare", "distill", "prune", "quantize"]
