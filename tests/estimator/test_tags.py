from __future__ import annotations

from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags

from tidegate import SequenceClassifier, SequenceRegressor


def test_scikit_learn_knows_what_is_what() -> None:
    assert is_classifier(SequenceClassifier())
    assert is_regressor(SequenceRegressor())
    assert get_tags(SequenceClassifier()).input_tags.allow_nan
    assert get_tags(SequenceRegressor()).input_tags.three_d_array
