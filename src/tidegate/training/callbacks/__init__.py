"""What can be told how a training goes, and step in; one a file."""

from tidegate.training.callbacks.backup_and_restore import BackupAndRestore
from tidegate.training.callbacks.base import Callback
from tidegate.training.callbacks.csv_logger import CSVLogger
from tidegate.training.callbacks.early_stopping import EarlyStopping
from tidegate.training.callbacks.learning_rate_scheduler import LearningRateScheduler
from tidegate.training.callbacks.model_checkpoint import ModelCheckpoint
from tidegate.training.callbacks.progress import Progress
from tidegate.training.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from tidegate.training.callbacks.tensorboard import TensorBoard
from tidegate.training.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Progress",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]
