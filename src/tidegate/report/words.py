"""What a report says in words: names of models, what the scores mean, and what they amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tidegate.report.markup import number

__all__ = [
    "INTERVAL_METRICS",
    "METRICS",
    "OWN",
    "best_baseline",
    "best_models",
    "frequency_name",
    "model_name",
    "verdict",
]

OWN = "tidegate"
METRICS: dict[str, str] = {
    "MAE": "Mean absolute error, in the units of the data. Lower is better.",
    "RMSE": "Root mean squared error, in the units of the data; large errors weigh more. Lower is better.",
    "MAPE": "Mean absolute error in per cent of the truth; misleading where the truth is near zero. Lower is better.",
    "sMAPE": "Mean absolute error in per cent of the mean of truth and forecast, from 0 to 200. Lower is better.",
    "R2": "Share of the variance of the truth that the forecast explains: 1 is perfect, 0 is no better than "
    "the mean. Higher is better.",
    "MASE": "Mean absolute error as a multiple of the usual change over one season in the series: comparable across "
    "series, and below 1 means better than repeating the last season usually is. Lower is better.",
    "RMSSE": "As MASE, from squares: the root of the mean squared error over the mean squared change over one season; "
    "large errors weigh more. Lower is better.",
    "OWA": "The mean of sMAPE and MASE, each as a multiple of Naive2’s: the score of the M4 competition, 1 is Naive2. "
    "Lower is better.",
}
INTERVAL_METRICS: dict[str, str] = {
    "coverage": "Per cent of the held-out values that lay within the interval. Neither low nor high is better: the "
    "level is the aim.",
    "mean width": "From the lower to the upper end, in the units of the data. Of two models with the same coverage the "
    "one with the lower width says more.",
    "MSIS": "Mean scaled interval score: the width, and a fine for each value outside, as a multiple of the usual "
    "change over one season. Lower is better.",
    "pinball loss": "Mean loss of the quantiles that bound the intervals, and of the median, in the units of the "
    "data. Lower is better.",
    "CRPS": "Continuous ranked probability score, of the whole predictive distribution, in the units of the data; for "
    "a point forecast it would be the mean absolute error. Lower is better.",
}
_HIGHER_IS_BETTER = frozenset(
    {
        "R2",
        "accuracy",
        "balanced accuracy",
        "precision",
        "recall",
        "F1",
        "micro F1",
        "macro F1",
        "ROC AUC",
        "VUS-PR",
        "VUS-ROC",
        "AUC-PR",
        "AUC-ROC",
        "event precision",
        "event recall",
        "event F1",
    }
)
_NAMES = {
    OWN: "Tidegate",
    "naive": "Naive (last value)",
    "seasonal_naive": "Seasonal naive (last season)",
    "drift": "Drift (last value and mean slope)",
    "naive2": "Naive2 (last value, season adjusted)",
    "auto_ets": "AutoETS (exponential smoothing)",
    "auto_arima": "AutoARIMA (autoregression and moving average)",
    "theta": "Theta (line and smoothing, season adjusted)",
    "majority": "Majority class",
    "mean": "Mean of training",
    "naive_bayes": "Naive Bayes (on words)",
    "random": "Random scores",
    "deviation": "Deviation (distance from the mean)",
    "nearest": "Nearest neighbour (Euclidean distance)",
}
_FREQUENCIES = {
    "s": "every second",
    "min": "every minute",
    "h": "hourly",
    "D": "daily",
    "B": "business days",
    "W": "weekly",
    "MS": "monthly",
    "ME": "monthly",
    "QS": "quarterly",
    "QE": "quarterly",
    "YS": "yearly",
    "YE": "yearly",
}

Scores = Mapping[str, Mapping[str, float]]


def model_name(model: str) -> str:
    """Give the name of a model for people: what it is, in brackets what it does."""
    return _NAMES.get(model, model)


def short_name(model: str) -> str:
    """Give the name of a model for people where there is little room: without what stands in brackets."""
    return model_name(model).partition(" (")[0]


def frequency_name(frequency: str | int | None) -> str:
    """Say how far apart rows are; what has no common name is shown as it is written.

    >>> frequency_name("MS"), frequency_name("15min"), frequency_name("W-SUN"), frequency_name(1)
    ('monthly', '15min', 'weekly', 'every step')
    """
    if isinstance(frequency, str):
        return _FREQUENCIES.get(frequency.partition("-")[0], frequency)
    return "every step" if frequency in (1, None) else f"every {frequency} steps"


def best_models(scores: Scores, metric: str) -> set[str]:
    """Give the models with the best value of a metric; none where nobody has a finite one."""
    sign = -1 if metric in _HIGHER_IS_BETTER else 1
    finite = {
        model: sign * values[metric]
        for model, values in scores.items()
        if metric in values and math.isfinite(values[metric])
    }
    return {model for model, value in finite.items() if value == min(finite.values())}


def best_baseline(scores: Scores) -> tuple[str, str] | None:
    """Give the baseline with the least error and the metric that says so: MASE, or MAE where there is no MASE."""
    others = {model: values for model, values in scores.items() if model != OWN}
    for metric in ("MASE", "MAE"):
        best = best_models(others, metric)
        if best and math.isfinite(scores[OWN].get(metric, math.nan)):
            return min(best, key=list(others).index), metric
    return None


def verdict(scores: Scores) -> str:
    """Say in a sentence or two how the model compares with the best baseline.

    >>> verdict({"tidegate": {"MASE": 0.5}, "naive": {"MASE": 1.0}})
    'Tidegate’s error (MASE 0.5) is 50 % smaller than that of the best baseline, Naive (last value) (1).'
    """
    found = best_baseline(scores)
    if found is None:
        return "The held-out values allow no comparison with a baseline."
    baseline, metric = found
    own, other = scores[OWN][metric], scores[baseline][metric]
    name, size = model_name(baseline), f"({metric} {number(own)})"
    if other == 0:
        return f"Tidegate’s error is {number(own)} ({metric}); the best baseline, {name}, makes none."
    change = round(100 * (own / other - 1))
    if change == 0:
        return f"Tidegate’s error {size} is as large as that of the best baseline, {name} ({number(other)})."
    sentence = (
        f"Tidegate’s error {size} is {abs(change)} % {'smaller' if change < 0 else 'larger'} than that of the best "
        f"baseline, {name} ({number(other)})."
    )
    return sentence if change < 0 else f"{sentence} For these data that baseline is the better choice."
