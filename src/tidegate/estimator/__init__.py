"""What all tasks have in common: parameters, the model file, the registry of kinds."""

from tidegate.estimator.base import Estimator
from tidegate.estimator.modelfile import ModelInfo, inspect_model
from tidegate.estimator.registry import kinds, load, register, registered

__all__ = ["Estimator", "ModelInfo", "inspect_model", "kinds", "load", "register", "registered"]
