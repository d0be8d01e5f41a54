"""What scikit-learn asks an estimator about itself, so that its cross-validation and searches take ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["classifier_tags", "regressor_tags"]


def classifier_tags(*, allow_nan: bool = False, text: bool = False) -> Tags:
    """Give the tags of a classifier: folds are then stratified by its classes. Only scikit-learn calls this."""
    from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

    return Tags(
        estimator_type="classifier",
        target_tags=TargetTags(required=True),
        classifier_tags=ClassifierTags(),
        input_tags=InputTags(three_d_array=not text, string=text, allow_nan=allow_nan),
    )


def regressor_tags(*, allow_nan: bool = False) -> Tags:
    """Give the tags of a regressor. Only scikit-learn calls this."""
    from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

    return Tags(
        estimator_type="regressor",
        target_tags=TargetTags(required=True),
        regressor_tags=RegressorTags(),
        input_tags=InputTags(three_d_array=True, allow_nan=allow_nan),
    )
