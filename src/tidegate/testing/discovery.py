"""Everything that there is to check: what is registered, and what is exported."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

import tidegate
from tidegate import nn as layers
from tidegate import training
from tidegate.errors import MissingExtraError
from tidegate.estimator import Estimator, kinds
from tidegate.estimator.registry import registered
from tidegate.testing.examples import CALLBACKS, ESTIMATORS, LAYERS, SIZE, TRIALS, example_trial
from tidegate.testing.layers import LayerCase
from tidegate.testing.trials import Trial
from tidegate.training import Callback

__all__ = ["all_callbacks", "all_estimators", "all_layers", "trial_of"]


def all_estimators() -> dict[str, Callable[[], Estimator]]:
    """Give a maker of an unfitted, quick estimator for every registered kind, by ``"kind-label"``.

    Raises
    ------
    AssertionError
        If a kind can neither be built without arguments nor has an example in `tidegate.testing.examples`.
    """
    _import_tasks()
    found: dict[str, Callable[[], Estimator]] = {}
    for kind in kinds():
        if kind in ESTIMATORS:
            found |= {f"{kind}-{label}": make for label, make in ESTIMATORS[kind].items()}
        else:
            cls = registered(kind)
            _require_buildable(cls, arguments=0, where="ESTIMATORS")
            found[kind] = cls
    return found


def trial_of(estimator: Estimator) -> Trial:
    """Give the data of `tidegate.testing.examples` that fit the estimator's kind: a long table unless it says more."""
    return TRIALS.get(estimator.kind, example_trial)()


def all_layers() -> dict[str, LayerCase]:
    """Give a case for every module class that `tidegate.nn` exports, by ``"Class-label"``. Raises as above."""
    found: dict[str, LayerCase] = {}
    for cls in _exported(layers, nn.Module):
        if cls in LAYERS:
            found |= {f"{cls.__name__}-{label}": case for label, case in LAYERS[cls].items()}
        else:
            _require_buildable(cls, arguments=1, where="LAYERS")
            takes_lengths = "lengths" in inspect.signature(cls.forward).parameters
            found[cls.__name__] = LayerCase(make=functools.partial(cls, SIZE), size=SIZE, lengths=takes_lengths)
    return found


def all_callbacks() -> dict[str, tuple[type[Callback], Callable[[Path], Callback]]]:
    """Give every callback that `tidegate.training` exports, with a maker that takes a folder. Raises as above."""
    found: dict[str, tuple[type[Callback], Callable[[Path], Callback]]] = {}
    for cls in _exported(training, Callback):
        if cls in CALLBACKS:
            found |= {f"{cls.__name__}-{label}": (cls, make) for label, make in CALLBACKS[cls].items()}
        else:
            _require_buildable(cls, arguments=0, where="CALLBACKS")
            found[cls.__name__] = (cls, functools.partial(_without_folder, cls))
    return found


def _import_tasks() -> None:
    """Import every room: a task registers its estimators when it is imported."""
    for room in pkgutil.iter_modules(tidegate.__path__):
        if room.ispkg and not room.name.startswith("_"):
            try:
                importlib.import_module(f"tidegate.{room.name}")
            except MissingExtraError:  # what is not installed cannot be checked
                continue


def _exported(room: Any, base: type) -> list[Any]:
    members = (getattr(room, name) for name in sorted(room.__all__))
    return [
        member
        for member in members
        if inspect.isclass(member)
        and issubclass(member, base)
        and member is not base
        and not inspect.isabstract(member)
    ]


def _require_buildable(cls: type, *, arguments: int, where: str) -> None:
    parameters = [p for name, p in inspect.signature(cls.__init__).parameters.items() if name != "self"]  # type: ignore[misc]
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) > arguments:
        raise AssertionError(
            f"{cls.__name__} cannot be checked: it needs {', '.join(needed)}; "
            f"add an example of it to {where} in tidegate/testing/examples.py"
        )


def _without_folder(cls: type[Callback], folder: Path) -> Callback:  # noqa: ARG001
    return cls()
