from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest


def _as_pandas(frame: pd.DataFrame) -> Any:
    return frame


def _as_polars(frame: pd.DataFrame) -> Any:
    columns: dict[str, pl.Series] = {}
    for name in frame.columns:
        series = frame[name]
        zone = getattr(series.dtype, "tz", None)
        if zone is not None:
            utc = series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
            columns[name] = pl.Series(utc).dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone))
        elif series.dtype.kind in "Mif":
            columns[name] = pl.Series(series.to_numpy(), nan_to_null=True)
        else:
            columns[name] = pl.Series(series.astype(object).where(series.notna(), None).tolist(), strict=False)
    return pl.DataFrame(columns)


@pytest.fixture(params=["pandas", "polars"])
def backend(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], Any]:
    """Turn a pandas frame into one of each backend."""
    return {"pandas": _as_pandas, "polars": _as_polars}[request.param]
