"""Scores, as plain functions on arrays. Each says its formula and whether lower or higher is better."""

from tidegate.metrics.forecasting import mase, owa, seasonal_scale
from tidegate.metrics.regression import mae, mape, mse, r2, rmse, smape

__all__ = ["mae", "mape", "mase", "mse", "owa", "r2", "rmse", "seasonal_scale", "smape"]
