"""How a network that has read the context makes a horizon of outputs."""

from tidegate.forecast.strategies.before import STRATEGIES, Direct, Recursive, Strategy, make_strategy

__all__ = ["STRATEGIES", "Direct", "Recursive", "Strategy", "make_strategy"]
