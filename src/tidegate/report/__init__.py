"""Reports: one self-contained HTML file about what an estimator found."""

from tidegate.report.forecast import ForecastReport

__all__ = ["ForecastReport"]
