"""What every estimator promises."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd

from tidegate.errors import NotFittedError, TidegateError
from tidegate.estimator import Estimator
from tidegate.testing import files, invariances
from tidegate.testing.answers import fresh, learned, same_answers
from tidegate.testing.generators import generators, stirred
from tidegate.testing.parameters import check_clone, check_constructor, check_parameters, check_refused_parameters
from tidegate.testing.trials import Trial, as_trial
from tidegate.testing.tuning import check_fine_tune
from tidegate.testing.verdicts import Check, hold, run_checks

__all__ = ["ESTIMATOR_CHECKS", "check_estimator"]


def check_fit_returns_self(estimator: Estimator, trial: Trial) -> None:
    """Check that ``fit`` gives the estimator itself back."""
    model: Any = fresh(estimator)
    hold(model.fit(*trial.given("fit")) is model, "fit must return self")


def check_learned_names(estimator: Estimator, trial: Trial) -> None:
    """Check that what ``fit`` adds ends in an underscore, and it leaves the constructor's arguments as they are."""
    model: Any = fresh(estimator)
    before = dict(vars(model))
    model.fit(*trial.given("fit"))
    added = vars(model).keys() - before.keys()
    wrong = sorted(name for name in added if not name.endswith("_"))
    hold(not wrong, f"fit added {wrong}; a learned attribute ends in an underscore")
    hold(bool(added), "fit learned nothing: no attribute was added")
    changed = sorted(name for name, value in before.items() if vars(model).get(name) is not value)
    hold(not changed, f"fit changed the arguments {changed}; keep what was settled under a name that ends in '_'")


def check_same_seed(estimator: Estimator, trial: Trial) -> None:
    """Check that fitted twice with one seed it is the same to the bit, whatever the global generators hold."""
    one = learned(fresh(estimator).fit(*trial.given("fit")))  # type: ignore[attr-defined]
    with stirred():
        two = learned(fresh(estimator).fit(*trial.given("fit")))  # type: ignore[attr-defined]
    differing = [name for name in one if one[name] != two.get(name)]
    hold(not differing and one.keys() == two.keys(), f"fitted twice with one seed, {differing} differ in their bits")


def check_other_seed(estimator: Estimator, trial: Trial) -> None:
    """Check that fitted with another seed it is another."""
    one: Any = fresh(estimator)
    two: Any = fresh(estimator).set_params(seed=one.seed + 1)
    hold(
        learned(one.fit(*trial.given("fit"))) != learned(two.fit(*trial.given("fit"))),
        "another seed changes nothing: is seed used at all?",
    )


def check_global_generators(estimator: Estimator, trial: Trial) -> None:
    """Check that ``fit`` and ``predict`` leave the generators of torch, numpy and random as they were."""
    model: Any = fresh(estimator)
    for action in ("fit", "predict"):
        before = generators()
        getattr(model, action)(*trial.given(action))
        moved = [name for name, state in generators().items() if state != before[name]]
        hold(not moved, f"{action} moved the global generator of {', '.join(moved)}; draw from one of your own")


def check_predict_repeats(estimator: Estimator, trial: Trial) -> None:
    """Check that ``predict`` answers the same each time, to the bit, and changes nothing of what was learned."""
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    before = learned(model)
    one = trial.ask(model)
    with stirred():
        two = trial.ask(model)
    hold(same_answers(one, two), "predict answers otherwise when it is asked again")
    hold(learned(model) == before, "predict changed what was learned")


def check_not_fitted(estimator: Estimator, trial: Trial) -> None:
    """Check that before ``fit``, what needs it raises `NotFittedError` and says so."""
    model = fresh(estimator)
    for action in ("predict", "score", "evaluate", "fine_tune", "save"):
        method = getattr(model, action, None)
        if method is None:
            continue
        try:
            method(*(("never.safetensors",) if action == "save" else trial.given(action)))
        except NotFittedError as error:
            hold("fit" in str(error), f"{action} before fit must say that fit comes first; it says: {error}")
        else:
            raise AssertionError(f"{action} before fit must raise NotFittedError; it raised nothing")


def check_failed_fit(estimator: Estimator, trial: Trial) -> None:
    """Check that data without rows are refused with a `TidegateError`, and leaves the estimator unfitted."""
    model: Any = fresh(estimator)
    try:
        model.fit(*trial.nothing())
    except TidegateError:
        pass
    else:
        raise AssertionError("fit took data without rows; it must raise a DataError")
    left = sorted(name for name in vars(model) if name.endswith("_"))
    hold(not left, f"the refused fit left {left}: the estimator looks fitted")


def check_input_unchanged(estimator: Estimator, trial: Trial) -> None:
    """Check that ``fit`` and ``predict`` leave the caller's data as they were."""
    model: Any = fresh(estimator)
    before = trial.copied()
    for action in ("fit", "predict"):
        getattr(model, action)(*trial.given(action))
        try:
            trial.require_unchanged(before)
        except AssertionError as error:
            raise AssertionError(f"{action} changed the data that it was given: {error}") from error


def check_deep_copy(estimator: Estimator, trial: Trial) -> None:
    """Check that a deep copy answers like the original, and fitting it anew leaves the original alone."""
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    before, answers = learned(model), trial.ask(model)
    twin = copy.deepcopy(model)
    hold(same_answers(trial.ask(twin), answers), "a deep copy answers otherwise than the original")
    twin.set_params(seed=model.seed + 1).fit(*trial.given("fit"))
    hold(learned(model) == before, "fitting a deep copy changed the original: they share what was learned")


ESTIMATOR_CHECKS: tuple[Check, ...] = (
    check_constructor,
    check_parameters,
    check_refused_parameters,
    check_clone,
    check_fit_returns_self,
    check_learned_names,
    check_same_seed,
    check_other_seed,
    check_global_generators,
    check_predict_repeats,
    check_not_fitted,
    check_failed_fit,
    check_input_unchanged,
    check_deep_copy,
    check_fine_tune,
    files.check_save_load,
    files.check_harmless_file,
    invariances.check_series_order,
    invariances.check_company,
    invariances.check_longer_history,
    invariances.check_threads,
)


def check_estimator(estimator: Estimator, data: pd.DataFrame | Trial) -> None:
    """Try every promise of an estimator.

    Parameters
    ----------
    estimator
        Unfitted, and quick to fit: it is fitted some thirty times. It is not changed itself.
    data
        What it can be fitted on and asked about: a long table of at least two series, or an `ExamplesTrial`.

    Raises
    ------
    AssertionError
        At the first promise that is not kept; the message says which, and what came.

    Examples
    --------
    >>> import tidegate as tg
    >>> from tidegate.testing import check_estimator, example_frame
    >>> quick = tg.Training(max_steps=2, batch_size=8)
    >>> network = tg.Recurrent(hidden_size=4)
    >>> model = tg.Forecaster(horizon=2, context=6, network=network, training=quick, device="cpu")
    >>> check_estimator(model, example_frame())
    """
    run_checks(ESTIMATOR_CHECKS, type(estimator).__name__, estimator, as_trial(data))
