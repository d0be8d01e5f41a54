"""Training: a module, batches and a loss become a history."""

from tidegate.training.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    Progress,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
from tidegate.training.history import History
from tidegate.training.loop import fit
from tidegate.training.members import member_outputs, train_members
from tidegate.training.objective import Objective, Outcome, Supervised
from tidegate.training.train import train

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Objective",
    "Outcome",
    "Progress",
    "ReduceLROnPlateau",
    "Supervised",
    "TensorBoard",
    "TerminateOnNaN",
    "fit",
    "member_outputs",
    "train",
    "train_members",
]
