"""Frozen, torch-free descriptions of a network, its training, its columns and its scaling."""

from tidegate.specs.base import from_dict, from_tagged, to_dict
from tidegate.specs.columns import Columns
from tidegate.specs.parts import Convolution, Dilated, SelfAttention
from tidegate.specs.recurrent import Recurrent
from tidegate.specs.scaling import Scaling
from tidegate.specs.training import Optimizer, Training
from tidegate.specs.uncertainty import Uncertainty

__all__ = [
    "Columns",
    "Convolution",
    "Dilated",
    "Optimizer",
    "Recurrent",
    "Scaling",
    "SelfAttention",
    "Training",
    "Uncertainty",
    "from_dict",
    "from_tagged",
    "to_dict",
]
