"""Scores, as plain functions on arrays. Each says its formula and whether lower or higher is better."""

from tidegate.metrics.anomaly import EventScores, auc_pr, auc_roc, detection_delay, event_scores, events
from tidegate.metrics.class_probabilities import (
    Reliability,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability,
    roc_auc,
)
from tidegate.metrics.class_scores import classification_scores
from tidegate.metrics.classification import (
    PrecisionRecallF1,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    precision_recall_f1,
)
from tidegate.metrics.forecasting import mase, owa, rmsse, seasonal_scale, squared_seasonal_scale
from tidegate.metrics.nab import NAB_PROFILES, NabProfile, NabScore, nab_probation, nab_score
from tidegate.metrics.probabilistic import coverage, crps_quantiles, crps_samples, msis, pinball, width
from tidegate.metrics.regression import mae, mape, mse, r2, rmse, smape
from tidegate.metrics.spans import SpanScores, span_scores
from tidegate.metrics.vus import vus_pr, vus_roc

__all__ = [
    "NAB_PROFILES",
    "EventScores",
    "NabProfile",
    "NabScore",
    "PrecisionRecallF1",
    "Reliability",
    "SpanScores",
    "accuracy",
    "auc_pr",
    "auc_roc",
    "balanced_accuracy",
    "brier_score",
    "classification_scores",
    "confusion_matrix",
    "coverage",
    "crps_quantiles",
    "crps_samples",
    "detection_delay",
    "event_scores",
    "events",
    "expected_calibration_error",
    "log_loss",
    "mae",
    "mape",
    "mase",
    "mse",
    "msis",
    "nab_probation",
    "nab_score",
    "owa",
    "pinball",
    "precision_recall_f1",
    "r2",
    "reliability",
    "rmse",
    "rmsse",
    "roc_auc",
    "seasonal_scale",
    "smape",
    "span_scores",
    "squared_seasonal_scale",
    "vus_pr",
    "vus_roc",
    "width",
]
