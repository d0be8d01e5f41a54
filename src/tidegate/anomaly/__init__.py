"""Anomalies in time series: how far a value lies from what a network would have put there."""

from tidegate.anomaly.estimator import AnomalyDetector
from tidegate.anomaly.streaming import DetectorStream

__all__ = ["AnomalyDetector", "DetectorStream"]
