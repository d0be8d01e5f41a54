"""An estimator's answers, and what it learned, in a form that can be compared."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from tidegate.estimator import Estimator
from tidegate.estimator.modelfile import read_model

__all__ = ["close_answers", "fresh", "learned", "same_answers"]

E = TypeVar("E", bound=Estimator)


def fresh(estimator: E) -> E:
    """Build an unfitted estimator with the same arguments."""
    return type(estimator)(**estimator.get_params(deep=False))


def learned(estimator: Estimator) -> dict[str, bytes]:
    """Give the bits of all that a fitted estimator would write to its model file, by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        estimator.save(path)
        file = read_model(path)
    arrays = {name: f"{array.dtype}{array.shape}".encode() + array.tobytes() for name, array in file.arrays.items()}
    return {**arrays, "(description)": json.dumps(file.info.learned, sort_keys=True).encode()}


def same_answers(one: pd.DataFrame, two: pd.DataFrame) -> bool:
    """Tell whether two answers are the same to the bit, for the same series and times."""
    if not one.index.equals(two.index) or list(one.columns) != list(two.columns):
        return False
    return all(_same_column(one[name], two[name]) for name in one.columns)


def _same_column(one: pd.Series, two: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(one):  # texts lie in memory as addresses
        return one.tolist() == two.tolist()
    return np.asarray(one).tobytes() == np.asarray(two).tobytes()


def close_answers(one: pd.DataFrame, two: pd.DataFrame, *, relative: float = 1e-6) -> str:
    """Give the first difference beyond ``relative`` of the largest magnitude; empty if there is none.

    The magnitude is that of the series, or of all answers where each is about an example of its own.
    """
    if not one.index.equals(two.index):
        return f"answers are for {list(one.index[:3])}… instead of {list(two.index[:3])}…"
    for name in one.columns:
        mine, other = one[name], two[name]
        if pd.api.types.is_bool_dtype(mine) or not pd.api.types.is_numeric_dtype(mine):
            wrong = mine != other
        else:
            size = other.abs()
            wide = size.groupby(level=0).transform("max") if other.index.nlevels > 1 else size.max()
            wrong = ~((mine - other).abs() <= relative * wide) & ~(mine.isna() & other.isna())
        if wrong.any():
            row = int(np.asarray(wrong).argmax())
            return f"{name} of {mine.index[row]} is {mine.iloc[row]} instead of {other.iloc[row]}"
    return ""
