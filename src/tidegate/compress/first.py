"""One example out of data, for measuring how long a single answer takes."""

from __future__ import annotations

from typing import Any

from tidegate.estimator import Estimator

__all__ = ["first_example"]


def first_example(model: Estimator, data: Any) -> Any:
    """Give the first example of what ``predict`` takes: the end of the first series, one whole series, one text.

    Raises
    ------
    DataError, ShapeError
        If the data cannot be used.
    """
    from tidegate.anomaly import AnomalyDetector
    from tidegate.classify import SequenceClassifier, SequenceRegressor
    from tidegate.forecast import Forecaster
    from tidegate.text import Tagger, TextClassifier

    match model:
        case Forecaster():
            return model._read_again(data).head(1).tail(model.context_ + 1)
        case AnomalyDetector():
            return model._read_again(data, skip_short=True).head(1).tail(2 * model.least_rows_)
        case SequenceClassifier() | SequenceRegressor():
            from tidegate.data.sequences import series_of

            return [series_of(data, channels=model.fitted_.design.channels)[0]]
        case TextClassifier():
            from tidegate.data import LabelledTexts
            from tidegate.data.text import read_texts

            return (data.texts if isinstance(data, LabelledTexts) else read_texts(data))[:1]
        case Tagger():
            from tidegate.data import ConllSentences

            return data.take([0]) if isinstance(data, ConllSentences) else data[:1]
    raise NotImplementedError(model.kind)
