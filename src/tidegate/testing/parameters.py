"""What an estimator's constructor and parameters promise."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from tidegate._core.extras import require
from tidegate.errors import SpecError
from tidegate.estimator import Estimator
from tidegate.testing.answers import fresh
from tidegate.testing.trials import Trial
from tidegate.testing.verdicts import hold

__all__ = ["check_clone", "check_constructor", "check_parameters", "check_refused_parameters"]

_MOST = 12


def check_constructor(estimator: Estimator, trial: Trial) -> None:  # noqa: ARG001 - all checks are called alike
    """Check that the constructor takes at most twelve arguments, by keyword only, and only stores them."""
    parameters = [p for name, p in inspect.signature(type(estimator).__init__).parameters.items() if name != "self"]
    loose = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    hold(not loose, f"{loose} must be keyword-only arguments of the constructor, each by name")
    hold(len(parameters) <= _MOST, f"the constructor takes {len(parameters)} arguments; {_MOST} are the most")
    given = estimator.get_params(deep=False)
    built = vars(type(estimator)(**given))
    changed = [name for name, value in given.items() if built.get(name) is not value]
    hold(not changed, f"the constructor must store {changed} as they are, under their own names")
    more = sorted(built.keys() - given.keys())
    hold(not more, f"the constructor must only store its arguments; it added {more}")


def check_parameters(estimator: Estimator, trial: Trial) -> None:  # noqa: ARG001
    """Check that ``set_params``, which returns self, takes what ``get_params`` gives, specs' fields too."""
    model = fresh(estimator)
    deep = model.get_params()
    given = {name: getattr(model, name) for name in model.specs}  # a name that is short for a spec has no fields
    specs = {name: spec for name, spec in given.items() if dataclasses.is_dataclass(spec)}
    fields = {f"{name}__{field.name}" for name, spec in specs.items() for field in dataclasses.fields(spec)}
    hold(fields <= deep.keys(), f"get_params lacks the specs' fields {sorted(fields - deep.keys())}")
    hold(model.set_params(**deep) is model, "set_params must return self")
    hold(model.get_params() == deep, "set_params(**get_params()) changed the parameters")
    for name in sorted(deep):
        model.set_params(**{name: deep[name]})
        hold(model.get_params() == deep, f"setting {name} to what it was changed the parameters")
    model.set_params(seed=deep["seed"] + 1)
    hold(model.get_params() == {**deep, "seed": deep["seed"] + 1}, "set_params(seed=…) did not set the seed alone")


def check_refused_parameters(estimator: Estimator, trial: Trial) -> None:  # noqa: ARG001
    """Check that ``set_params`` refuses unknown names and impossible values with `SpecError`, and sets nothing."""
    model = fresh(estimator)
    before = model.get_params()
    other: dict[str, Any] = {"seed": before["seed"] + 1}
    for wrong in ({"no_such_parameter": 1}, *({f"{name}__no_such_field": 1} for name in model.specs), {"seed": -1}):
        try:
            model.set_params(**{**other, **wrong})
        except SpecError:
            pass
        else:
            raise AssertionError(f"set_params took {wrong}; it must raise SpecError")
        hold(model.get_params() == before, f"set_params refused {wrong}, but set something all the same")


def check_clone(estimator: Estimator, trial: Trial) -> None:
    """Check that scikit-learn's ``clone`` makes an unfitted estimator with equal parameters, of a fitted one too."""
    clone = require("sklearn.base", extra="dev", purpose="check_clone").clone
    fitted: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    for original in (estimator, fitted):
        twin = clone(original)
        hold(type(twin) is type(original) and twin is not original, "clone did not make another of the same class")
        hold(twin.get_params() == original.get_params(), "clone changed the parameters")
        left = sorted(name for name in vars(twin) if name.endswith("_"))
        hold(not left, f"the clone is fitted: it has {left}")
