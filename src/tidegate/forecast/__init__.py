"""Forecasting: many series, one network."""

from tidegate.forecast.backtest import Backtest, Evaluation
from tidegate.forecast.estimator import Forecaster

__all__ = ["Backtest", "Evaluation", "Forecaster"]
