"""A fitted classifier of texts to the content of a model file and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tidegate.data.labels import Labels, MultiLabels
from tidegate.data.subwords import Subwords
from tidegate.data.text import Tokenizer
from tidegate.data.vocabulary import TokenVocabulary
from tidegate.errors import DataError
from tidegate.estimator.restoring import layers_of, restored_history, restored_module
from tidegate.specs import from_dict, to_dict
from tidegate.specs.text import TextColumns
from tidegate.text.classifying.fitted import FittedTexts
from tidegate.text.classifying.network import TextNetwork
from tidegate.text.classifying.recipe import Recipe
from tidegate.text.classifying.targets import Classes
from tidegate.text.classifying.wide import WideModel

__all__ = ["described", "restored"]

Arrays = Mapping[str, npt.NDArray[Any]]
_NETWORK = "network."


def described(fitted: FittedTexts) -> dict[str, Any]:
    """Give what a fit settled besides arrays, in types that JSON knows."""
    return {
        "labels": list(fitted.classes.names),
        "several": fitted.classes.several,
        "embedding_size": fitted.design.size,
        "penalty": None if fitted.wide is None else fitted.wide.penalty,
        "share": fitted.share,
        "temperature": fitted.temperature,
        "history": fitted.history.to_dict(),
        "columns": None if fitted.columns is None else to_dict(fitted.columns),
        "notes": list(fitted.notes),
    }


def restored(recipe: Recipe, learned: Mapping[str, Any], arrays: Arrays, device: torch.device) -> FittedTexts:
    """Build what a file describes around its arrays.

    Raises
    ------
    SpecError, DataError, ShapeError, ValueError
        If description and arrays do not agree; shapes are compared before memory is taken.
    """
    classes = _classes(learned)
    vocabulary = TokenVocabulary.from_arrays(arrays)
    design = recipe.design(codes=len(vocabulary), size=learned["embedding_size"], outputs=len(classes.names))
    networks = restored_module(
        lambda: nn.ModuleList(TextNetwork(design) for _ in range(recipe.members)),
        {name.removeprefix(_NETWORK): array for name, array in arrays.items() if name.startswith(_NETWORK)},
        layers=recipe.members * layers_of(recipe.network),
        device=device,
    )
    columns = learned["columns"]
    return FittedTexts(
        tokenizer=_tokenizer(recipe, arrays),
        vocabulary=vocabulary,
        classes=classes,
        design=design,
        networks=networks,
        wide=_wide(recipe, learned, arrays, classes),
        share=_within("share", learned["share"], 0, 1),
        temperature=_within("temperature", learned["temperature"], math.ulp(0.0), math.inf),
        frequencies=_frequencies(arrays["frequencies"], len(classes.names)),
        history=restored_history(learned["history"]),
        columns=None if columns is None else from_dict(TextColumns, columns),
        notes=tuple(map(str, learned["notes"])),
    )


def _classes(learned: Mapping[str, Any]) -> Classes:
    names = list(learned["labels"])
    labels = MultiLabels.of([names]) if learned["several"] else Labels.of(names)
    if list(labels.names) != names:
        raise DataError(f"expected {len(names)} labels sorted, each once")
    return Classes(labels=labels)


def _tokenizer(recipe: Recipe, arrays: Arrays) -> Tokenizer:
    if recipe.tokens.unit != "subwords":
        return Tokenizer(spec=recipe.tokens)
    return Tokenizer(spec=recipe.tokens, subwords=Subwords.from_arrays(arrays))


def _wide(recipe: Recipe, learned: Mapping[str, Any], arrays: Arrays, classes: Classes) -> WideModel | None:
    if recipe.wide is None:
        return None
    outputs = 1 if len(classes.names) == 2 and not classes.several else len(classes.names)
    penalty = _within("penalty", learned["penalty"], math.ulp(0.0), math.inf)
    return WideModel.from_arrays(arrays, recipe.wide, penalty, outputs)


def _within(name: str, value: Any, low: float, high: float) -> float:
    number = float(value)
    if not low <= number <= high or not math.isfinite(number):
        raise DataError(f"expected a {name} from {low:g} to {high:g}; got {value!r}")
    return number


def _frequencies(array: npt.NDArray[Any], classes: int) -> npt.NDArray[np.float64]:
    if array.shape != (classes,) or array.dtype != np.float64 or (array < 0).any() or (array > 1).any():
        raise DataError(f"expected the share of each of {classes} labels; got {array.dtype} {list(array.shape)}")
    return array
