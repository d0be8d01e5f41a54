"""Frozen, torch-free descriptions of a network, its training, its columns and its scaling."""

from tidegate.specs.base import from_dict, from_tagged, to_dict
from tidegate.specs.columns import Columns
from tidegate.specs.members import Member
from tidegate.specs.parts import Convolution, Dilated, Parallel, SelfAttention
from tidegate.specs.recurrent import Recurrent
from tidegate.specs.sampling import Sampling
from tidegate.specs.scaling import Scaling
from tidegate.specs.smoothing import Smoothing
from tidegate.specs.strategies import Direct, EncoderDecoder, Recursive, Segments
from tidegate.specs.training import Optimizer, Training
from tidegate.specs.uncertainty import Uncertainty

__all__ = [
    "Columns",
    "Convolution",
    "Dilated",
    "Direct",
    "EncoderDecoder",
    "Member",
    "Optimizer",
    "Parallel",
    "Recurrent",
    "Recursive",
    "Sampling",
    "Scaling",
    "Segments",
    "SelfAttention",
    "Smoothing",
    "Training",
    "Uncertainty",
    "from_dict",
    "from_tagged",
    "to_dict",
]
