"""An estimator's answers, and what it learned, in a form that can be compared."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tidegate.estimator import Estimator
from tidegate.estimator.modelfile import read_model
from tidegate.specs import Columns
from tidegate.testing.verdicts import hold

__all__ = ["close_answers", "columns_of", "fresh", "learned", "predict", "same_answers", "series_of"]

E = TypeVar("E", bound=Estimator)


def fresh(estimator: E) -> E:
    """Build an unfitted estimator with the same arguments."""
    return type(estimator)(**estimator.get_params(deep=False))


def columns_of(estimator: Estimator) -> Columns:
    """Give the names of the id and time columns that the estimator was told."""
    columns = getattr(estimator, "columns", Columns())
    return columns if isinstance(columns, Columns) else Columns()


def series_of(estimator: Estimator, frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Cut the table into its series. Raises `AssertionError` if there are not two: nothing could be compared then."""
    name = columns_of(estimator).id
    hold(name in frame.columns, f"the checks need a long table with the id column {name!r}; got {list(frame.columns)}")
    parts = [part for _, part in frame.groupby(name, sort=False)]
    hold(len(parts) > 1, "the checks need a table of at least two series")
    return parts


def learned(estimator: Estimator) -> dict[str, bytes]:
    """Give the bits of all that a fitted estimator would write to its model file, by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        estimator.save(path)
        file = read_model(path)
    arrays = {name: f"{array.dtype}{array.shape}".encode() + array.tobytes() for name, array in file.arrays.items()}
    return {**arrays, "(description)": json.dumps(file.info.learned, sort_keys=True).encode()}


def predict(model: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Ask the model; the answers come with the input's id and time columns as their index, sorted."""
    answer = model.predict(frame)
    hold(isinstance(answer, pd.DataFrame), f"predict gave a {type(answer).__name__} for a pandas frame")
    columns = columns_of(model)
    keys = [name for name in (columns.id, columns.time) if name in answer.columns]
    hold(bool(keys), f"predict must name the series: none of {columns.id!r}, {columns.time!r} is in its answer")
    hold(len(answer.columns) > len(keys), f"predict answers nothing beside the columns {keys}")
    indexed: pd.DataFrame = answer.set_index(keys).sort_index()
    return indexed


def same_answers(one: pd.DataFrame, two: pd.DataFrame) -> bool:
    """Tell whether two answers are the same to the bit, for the same series and times."""
    if not one.index.equals(two.index) or list(one.columns) != list(two.columns):
        return False
    return all(np.asarray(one[name]).tobytes() == np.asarray(two[name]).tobytes() for name in one.columns)


def close_answers(one: pd.DataFrame, two: pd.DataFrame, *, relative: float = 1e-6) -> str:
    """Give the first difference beyond ``relative`` of the series' largest magnitude; empty if there is none."""
    if not one.index.equals(two.index):
        return f"answers are for {list(one.index[:3])}… instead of {list(two.index[:3])}…"
    for name in one.columns:
        mine, other = one[name], two[name]
        if not pd.api.types.is_numeric_dtype(mine):
            wrong = mine != other
        else:
            wide = other.abs().groupby(level=0).transform("max")
            wrong = ~((mine - other).abs() <= relative * wide) & ~(mine.isna() & other.isna())
        if wrong.any():
            row = int(np.asarray(wrong).argmax())
            return f"{name} of {mine.index[row]} is {mine.iloc[row]} instead of {other.iloc[row]}"
    return ""
