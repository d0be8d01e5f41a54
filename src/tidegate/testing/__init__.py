"""Contract checks: what every estimator, layer and callback promises, tried out.

`check_estimator`, `check_layer` and `check_callback` run all checks on one object, of Tidegate's or of one's own, and
raise `AssertionError` at the first promise that is not kept. The test suite runs each check on everything that
`all_estimators`, `all_layers` and `all_callbacks` find: what is registered or exported is checked. The idea is that of
scikit-learn's ``check_estimator`` and river's ``checks``.
"""

from tidegate.testing.callbacks import CALLBACK_CHECKS, check_callback
from tidegate.testing.discovery import all_callbacks, all_estimators, all_layers, trial_of
from tidegate.testing.estimators import ESTIMATOR_CHECKS, check_estimator
from tidegate.testing.examples import example_frame
from tidegate.testing.layers import LAYER_CHECKS, LayerCase, check_layer
from tidegate.testing.trials import ExamplesTrial, TableTrial, Trial

__all__ = [
    "CALLBACK_CHECKS",
    "ESTIMATOR_CHECKS",
    "LAYER_CHECKS",
    "ExamplesTrial",
    "LayerCase",
    "TableTrial",
    "Trial",
    "all_callbacks",
    "all_estimators",
    "all_layers",
    "check_callback",
    "check_estimator",
    "check_layer",
    "example_frame",
    "trial_of",
]
