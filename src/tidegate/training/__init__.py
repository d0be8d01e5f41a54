"""Training: a module, batches and a loss become a history."""

from tidegate.training.callbacks import Callback, EarlyStopping
from tidegate.training.history import History
from tidegate.training.loop import fit
from tidegate.training.objective import Objective, Outcome, Supervised

__all__ = ["Callback", "EarlyStopping", "History", "Objective", "Outcome", "Supervised", "fit"]
