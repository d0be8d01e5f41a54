"""What a fitted forecaster was, in the words of a report."""

from __future__ import annotations

import dataclasses
import platform
from typing import TYPE_CHECKING, Any

from tidegate import __version__
from tidegate.specs import Columns
from tidegate.specs.parts import Network, flat_parts, network_parts
from tidegate.specs.strategies import resolve_strategy

if TYPE_CHECKING:
    from tidegate.forecast import Forecaster
    from tidegate.specs import Uncertainty

__all__ = ["fields_of", "loss_name", "network_settings", "settings", "versions"]

_NAMES = ("id", "time", "targets", "frequency")  # of columns; the charts show them


def loss_name(uncertainty: Uncertainty) -> str:
    """Say what the losses of a training measure.

    >>> from tidegate.specs import Uncertainty
    >>> loss_name(Uncertainty()), loss_name(Uncertainty(head="gaussian"))
    ('mae of scaled values', 'negative log-likelihood of scaled values')
    """
    names = {"point": uncertainty.loss, "quantiles": "pinball loss"}
    return f"{names.get(uncertainty.head, 'negative log-likelihood')} of scaled values"


def settings(model: Forecaster) -> dict[str, dict[str, object]]:
    """List the settings of a fitted forecaster in groups: of each, names and values."""
    strategy = resolve_strategy(model.strategy)
    groups: dict[str, dict[str, object]] = {
        "Forecast": {
            "horizon": model.horizon,
            "context": model.context_,
            "season": model.season_,
            "segment": model.segment_,
            "origin": model.origin_,
            "members": model.members if isinstance(model.members, int) else len(model.members),
            "seed": model.seed,
            "device": str(model.device),
        },
        f"Strategy: {strategy.kind.replace('_', ' ')}": {
            name: value
            for name, value in fields_of(strategy).items()
            if value is not None  # left to the fit
        },
    }
    groups |= network_settings(model.network)
    if covariates := _covariates(model.columns):
        groups["Covariates"] = covariates
    uncertainty = fields_of(model.uncertainty)
    if model.uncertainty.head != "quantiles":
        del uncertainty["quantiles"]  # which another head does not learn
    if model.uncertainty.head != "point":
        del uncertainty["loss"]  # which is that of points
    groups |= {
        "Uncertainty": uncertainty,
        "Training": fields_of(model.training)
        | {"epochs run": model.history_.epochs, "steps run": model.history_.steps},
        "Scaling": fields_of(model.scaling),
        "Versions": versions(),
    }
    return {name: pairs for name, pairs in groups.items() if pairs}


def network_settings(network: Network) -> dict[str, dict[str, object]]:
    """List the parts of a network, a group each; parts that stand side by side are told one after the other."""
    groups: dict[str, dict[str, object]] = {}
    parts = flat_parts(network_parts(network))
    for place, part in enumerate(parts, start=1):
        number = f", part {place}" if len(parts) > 1 else ""
        groups[f"Network{number}: {part.kind.replace('_', ' ')}"] = fields_of(part)
    return groups


def versions() -> dict[str, object]:
    """List the versions that a result depends on."""
    import numpy as np
    import torch

    return {
        "tidegate": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def fields_of(spec: Any, above: str = "") -> dict[str, object]:
    """Give the fields of a spec by their names, those of specs within it as ``optimizer: name``."""
    fields: dict[str, object] = {}
    for field in dataclasses.fields(spec):
        value, name = getattr(spec, field.name), above + field.name.replace("_", " ")
        fields |= fields_of(value, f"{name}: ") if dataclasses.is_dataclass(value) else {name: value}
    return fields


def _covariates(columns: Columns) -> dict[str, object]:
    """Give what is named beside targets and time stamps."""
    return {name: value for name, value in fields_of(columns).items() if value and name not in _NAMES}
