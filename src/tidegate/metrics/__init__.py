"""Scores, as plain functions on arrays. Each says its formula and whether lower or higher is better."""

from tidegate.metrics.forecasting import mase, owa, rmsse, seasonal_scale, squared_seasonal_scale
from tidegate.metrics.probabilistic import coverage, crps_quantiles, crps_samples, msis, pinball, width
from tidegate.metrics.regression import mae, mape, mse, r2, rmse, smape

__all__ = [
    "coverage",
    "crps_quantiles",
    "crps_samples",
    "mae",
    "mape",
    "mase",
    "mse",
    "msis",
    "owa",
    "pinball",
    "r2",
    "rmse",
    "rmsse",
    "seasonal_scale",
    "smape",
    "squared_seasonal_scale",
    "width",
]
