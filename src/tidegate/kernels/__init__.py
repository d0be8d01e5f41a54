"""How a recurrence runs: the operators, their reference, and the choice between implementations."""

from __future__ import annotations

from tidegate.kernels.dispatch import Choice, Explanation, explain
from tidegate.kernels.packing import packed

__all__ = ["Choice", "Explanation", "explain", "packed"]
