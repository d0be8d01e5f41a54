"""A fitted tagger to the content of a model file and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from tidegate._core.seeds import seeded
from tidegate.data.tagschemes import SCHEMES
from tidegate.errors import ShapeError
from tidegate.specs import Recurrent, checks
from tidegate.specs.parts import network_parts
from tidegate.text.tagging.baselines import TypicalTags
from tidegate.text.tagging.fitting import Fitted, Recipe
from tidegate.text.tagging.network import TaggerDesign, TaggerNetwork
from tidegate.text.tagging.vocabulary import TagVocabulary
from tidegate.training import History

__all__ = ["arrays_of", "described", "restored"]

Arrays = Mapping[str, npt.NDArray[Any]]
_NETWORK = "network."
_MOST_COLUMNS = 1_000


def arrays_of(fitted: Fitted) -> dict[str, npt.NDArray[Any]]:
    """Give weights, vocabulary and baselines."""
    weights = {_NETWORK + name: tensor.cpu().numpy() for name, tensor in fitted.networks.state_dict().items()}
    return weights | fitted.vocabulary.to_arrays() | fitted.typical.to_arrays()


def described(fitted: Fitted) -> dict[str, Any]:
    """Give what a fit settled besides, in types that JSON knows."""
    return {
        "scheme": fitted.scheme,
        "columns": len(fitted.vocabulary.columns),
        "offset": fitted.offset,
        "history": fitted.history.to_dict(),
    }


def restored(recipe: Recipe, learned: Mapping[str, Any], arrays: Arrays, device: torch.device) -> Fitted:
    """Build what a file describes around its arrays.

    Raises
    ------
    SpecError, DataError, ShapeError, ValueError
        If description and arrays do not agree; shapes are compared before memory is taken.
    """
    scheme, columns = learned["scheme"], learned["columns"]
    checks.one_of("scheme", scheme, SCHEMES)
    checks.whole("columns", columns, least=0)
    checks.number("offset", learned["offset"])
    if columns > _MOST_COLUMNS:
        raise ValueError(f"columns must be at most {_MOST_COLUMNS}")
    vocabulary = TagVocabulary.from_arrays(arrays, columns)
    typical = TypicalTags.from_arrays(arrays, vocabulary, scheme)
    design = recipe.design(vocabulary)
    weights = {
        name.removeprefix(_NETWORK): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith(_NETWORK)
    }
    if recipe.members * _layers(design) > len(weights):  # each has several
        raise ValueError(f"more layers are described than the file has tensors: {len(weights)}")
    with torch.device("meta"):
        _check(_built(design, recipe.members), weights)
    with seeded(0):  # the first weights, which are drawn, are replaced at once
        networks = _built(design, recipe.members)
    networks.load_state_dict(weights)
    return Fitted(
        networks=networks.to(device).eval(),
        vocabulary=vocabulary,
        typical=typical,
        scheme=scheme,
        offset=float(learned["offset"]),
        history=_history(learned["history"]),
    )


def _built(design: TaggerDesign, members: int) -> nn.ModuleList:
    return nn.ModuleList(TaggerNetwork(design) for _ in range(members))


def _layers(design: TaggerDesign) -> int:
    networks = [*network_parts(design.network), *filter(None, [design.features.characters])]
    return sum(part.num_layers if isinstance(part, Recurrent) else getattr(part, "layers", 1) for part in networks)


def _check(networks: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in networks.state_dict().items():
        if name not in weights:
            raise ShapeError(f"the network described has a tensor {name!r}, which is absent")
        if weights[name].shape != tensor.shape:
            raise ShapeError(f"expected {name!r} of shape {list(tensor.shape)}, got {list(weights[name].shape)}")


def _history(values: Mapping[str, Any]) -> History:
    history = History()
    logs = {name: [math.nan if value is None else value for value in column] for name, column in values["logs"].items()}
    history.load_dict({**values, "logs": logs})  # what JSON could not say was NaN
    return history
