"""Forecasts for people: rows of JSON in, rows of JSON out, as a data frame holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.errors import TidegateError
from tidegate.forecast import Forecaster
from tidegate.serve.faults import RequestError, Status

__all__ = ["forecast_rows"]

_KEYS = {"rows": list, "future": list, "levels": list}


def forecast_rows(model: Forecaster, body: Mapping[str, Any]) -> dict[str, Any]:
    """Forecast the rows of a request.

    Parameters
    ----------
    model
        Fitted.
    body
        ``rows``: objects with the columns of the model, ``null`` where missing; ``future``: rows of the known
        covariates ahead, where there are any; ``levels``: intervals in per cent.

    Returns
    -------
    dict
        ``rows``: what `Forecaster.predict` gives, an object a row.

    Raises
    ------
    RequestError
        If the body is of another form, or the rows cannot be used; the message is that of `Forecaster.predict`.
    """
    import pandas as pd

    for name, value in body.items():
        if not isinstance(value, _KEYS.get(name, ())):
            known = ", ".join(repr(key) for key in _KEYS)
            raise RequestError(
                Status.INVALID, f"the body may hold the lists {known}; got {name[:80]!r} of another kind"
            )
    rows = _rows("rows", body.get("rows", []))
    future = _rows("future", body["future"]) if body.get("future") else None
    try:
        frame = pd.DataFrame.from_records(rows)
        ahead = None if future is None else pd.DataFrame.from_records(future)
        made = model.predict(frame, future=ahead, levels=body.get("levels", ()))
    except TidegateError as error:
        raise RequestError(Status.INVALID, str(error)) from error
    return {"rows": [{name: _json(value) for name, value in row.items()} for row in made.to_dict("records")]}


def _rows(name: str, given: Sequence[Any]) -> Sequence[dict[str, Any]]:
    if not given:
        raise RequestError(Status.INVALID, f"the body needs {name!r}: a list of objects, one a row")
    for place, row in enumerate(given):
        if not isinstance(row, dict):
            raise RequestError(
                Status.INVALID, f"{name}[{place}] must be an object with the columns of the model; got {str(row)[:80]}"
            )
    return given


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if hasattr(value, "isoformat") else value
