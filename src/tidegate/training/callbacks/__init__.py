"""What can be told how a training goes, and step in; one a file."""

from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.early_stopping import EarlyStopping

__all__ = ["Callback", "EarlyStopping"]
