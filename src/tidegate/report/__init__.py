"""Reports: one self-contained HTML file about what an estimator found."""

from tidegate.report.anomaly import AnomalyReport
from tidegate.report.classification import ClassificationReport
from tidegate.report.examples import Example
from tidegate.report.forecast import ForecastReport

__all__ = ["AnomalyReport", "ClassificationReport", "Example", "ForecastReport"]
