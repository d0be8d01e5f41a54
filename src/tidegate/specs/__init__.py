"""Frozen, torch-free descriptions of a network, its training, its columns and its scaling."""

from tidegate.specs.base import from_dict, to_dict
from tidegate.specs.columns import Columns
from tidegate.specs.recurrent import Recurrent
from tidegate.specs.scaling import Scaling
from tidegate.specs.training import Optimizer, Training

__all__ = ["Columns", "Optimizer", "Recurrent", "Scaling", "Training", "from_dict", "to_dict"]
