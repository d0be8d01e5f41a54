"""Frozen, torch-free descriptions of a network, its training, its columns and its scaling."""

from tidegate.specs.augmentation import Augmentation
from tidegate.specs.base import from_dict, from_tagged, to_dict
from tidegate.specs.columns import Columns
from tidegate.specs.detection import Autoencoder, Likelihood, Prediction
from tidegate.specs.members import Member
from tidegate.specs.parts import Convolution, Dilated, Parallel, SelfAttention
from tidegate.specs.recurrent import Recurrent
from tidegate.specs.sampling import Sampling
from tidegate.specs.scaling import Scaling
from tidegate.specs.smoothing import Smoothing
from tidegate.specs.strategies import Direct, EncoderDecoder, Recursive, Segments
from tidegate.specs.tagging import TagSchemes, WordFeatures
from tidegate.specs.text import Embedding, TextColumns, Wide
from tidegate.specs.thresholds import Contamination, Dynamic, Quantile, Spot
from tidegate.specs.tokens import Tokens
from tidegate.specs.training import Optimizer, Training
from tidegate.specs.uncertainty import Uncertainty

__all__ = [
    "Augmentation",
    "Autoencoder",
    "Columns",
    "Contamination",
    "Convolution",
    "Dilated",
    "Direct",
    "Dynamic",
    "Embedding",
    "EncoderDecoder",
    "Likelihood",
    "Member",
    "Optimizer",
    "Parallel",
    "Prediction",
    "Quantile",
    "Recurrent",
    "Recursive",
    "Sampling",
    "Scaling",
    "Segments",
    "SelfAttention",
    "Smoothing",
    "Spot",
    "TagSchemes",
    "TextColumns",
    "Tokens",
    "Training",
    "Uncertainty",
    "Wide",
    "WordFeatures",
    "from_dict",
    "from_tagged",
    "to_dict",
]
