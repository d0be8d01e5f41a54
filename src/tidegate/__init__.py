"""Tidegate: gated recurrent networks for time and sequences.

Every public name is imported on first use, so that ``import tidegate`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tidegate._core.version import __version__

if TYPE_CHECKING:
    from tidegate import data, errors, kernels, metrics, nn, specs, training
    from tidegate.anomaly import AnomalyDetector
    from tidegate.classify import SequenceClassifier, SequenceRegressor
    from tidegate.data import Arrays, Batches, ContinuousBatches, datasets, sliding_windows
    from tidegate.forecast import Forecaster
    from tidegate.specs import (
        Augmentation,
        Autoencoder,
        Columns,
        Contamination,
        Convolution,
        Dilated,
        Direct,
        Dynamic,
        Embedding,
        EncoderDecoder,
        Likelihood,
        Member,
        Optimizer,
        Parallel,
        Prediction,
        Quantile,
        Recurrent,
        Recursive,
        Sampling,
        Scaling,
        Segments,
        SelfAttention,
        Smoothing,
        Spot,
        TagSchemes,
        TextColumns,
        Tokens,
        Training,
        Uncertainty,
        Wide,
        WordFeatures,
    )
    from tidegate.text import Tagger, TextClassifier
    from tidegate.training import (
        BackupAndRestore,
        Callback,
        CSVLogger,
        EarlyStopping,
        History,
        LearningRateScheduler,
        ModelCheckpoint,
        ReduceLROnPlateau,
        TensorBoard,
        TerminateOnNaN,
        train,
    )

_MODULES = ("data", "errors", "kernels", "metrics", "nn", "specs", "training")
_HOMES = {
    "tidegate.anomaly": ("AnomalyDetector",),
    "tidegate.classify": ("SequenceClassifier", "SequenceRegressor"),
    "tidegate.data": ("Arrays", "Batches", "ContinuousBatches", "datasets", "sliding_windows"),
    "tidegate.forecast": ("Forecaster",),
    "tidegate.specs": (
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
        "TagSchemes",
        "Spot",
        "TextColumns",
        "Tokens",
        "Training",
        "Uncertainty",
        "Wide",
        "WordFeatures",
    ),
    "tidegate.text": ("Tagger", "TextClassifier"),
    "tidegate.training": (
        "BackupAndRestore",
        "CSVLogger",
        "Callback",
        "EarlyStopping",
        "History",
        "LearningRateScheduler",
        "ModelCheckpoint",
        "ReduceLROnPlateau",
        "TensorBoard",
        "TerminateOnNaN",
        "train",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AnomalyDetector",
    "Arrays",
    "Augmentation",
    "Autoencoder",
    "BackupAndRestore",
    "Batches",
    "CSVLogger",
    "Callback",
    "Columns",
    "Contamination",
    "ContinuousBatches",
    "Convolution",
    "Dilated",
    "Direct",
    "Dynamic",
    "EarlyStopping",
    "Embedding",
    "EncoderDecoder",
    "Forecaster",
    "History",
    "LearningRateScheduler",
    "Likelihood",
    "Member",
    "ModelCheckpoint",
    "Optimizer",
    "Parallel",
    "Prediction",
    "Quantile",
    "Recurrent",
    "Recursive",
    "ReduceLROnPlateau",
    "Sampling",
    "Scaling",
    "Segments",
    "SelfAttention",
    "SequenceClassifier",
    "SequenceRegressor",
    "Smoothing",
    "Spot",
    "TagSchemes",
    "Tagger",
    "TensorBoard",
    "TerminateOnNaN",
    "TextClassifier",
    "TextColumns",
    "Tokens",
    "Training",
    "Uncertainty",
    "Wide",
    "WordFeatures",
    "__version__",
    "data",
    "datasets",
    "errors",
    "kernels",
    "metrics",
    "nn",
    "sliding_windows",
    "specs",
    "train",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"tidegate.{name}")
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'tidegate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
