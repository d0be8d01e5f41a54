"""Smaller models out of trained ones: fewer bits, fewer units, a student; and what that costs."""

from tidegate.compress.comparison import Comparison, Side, compare
from tidegate.compress.pruning import prune
from tidegate.compress.quantization import quantize

__all__ = ["Comparison", "Side", "compare", "prune", "quantize"]
