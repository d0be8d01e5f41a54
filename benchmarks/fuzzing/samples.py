"""Small models of every kind, and what each is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tidegate as tg
from tidegate.errors import SpecError
from tidegate.estimator import Estimator
from tidegate.testing.examples import ESTIMATORS, TRIALS, example_frame

__all__ = ["ask", "save_samples", "shops"]


def shops() -> pd.DataFrame:
    """Give daily series with every kind of covariate."""
    frame = example_frame()
    rng = np.random.default_rng(1)
    kinds = {"a": "even", "b": "odd", "c": "even"}
    return frame.assign(
        price=rng.choice([8.0, 9.0, 10.0], len(frame)),
        visits=frame["y"] * 1.1,
        kind=frame["unique_id"].map(kinds),
        size=frame["unique_id"].map({"a": 2.0, "b": 3.0, "c": 4.0}),
    )


def save_samples(folder: Path, *, kinds: tuple[str, ...] | None = None) -> None:
    """Fit every example of every kind for a few steps, and one forecaster with covariates, and save them."""
    for kind, examples in ESTIMATORS.items():
        for label, make in examples.items() if kinds is None or kind in kinds else ():
            trial = TRIALS[kind]() if kind in TRIALS else None
            given = (example_frame(),) if trial is None else trial.given("fit")
            model: Any = make()
            model.fit(*given)
            model.save(folder / f"{kind}-{label.replace(' ', '-').replace('’', '')}.safetensors")
    if kinds is None or "forecaster" in kinds:
        _with_covariates().save(folder / "forecaster-every-covariate.safetensors")


def _with_covariates() -> tg.Forecaster:
    columns = tg.Columns(known=("price",), past=("visits",), static=("kind", "size"), calendar=("weekday",), fourier=1)
    network, training = tg.Recurrent(hidden_size=4), tg.Training(max_steps=3, batch_size=8)
    model = tg.Forecaster(
        horizon=3, context=12, season=6, columns=columns, network=network, training=training, device="cpu"
    )
    return model.fit(shops())


def ask(model: Estimator) -> None:
    """Ask a model what it is for; whatever it answers is thrown away."""
    asked: Any = model
    if model.kind in TRIALS:
        (inputs,) = TRIALS[model.kind]().given("predict")
        asked.predict(inputs)
        if hasattr(asked, "predict_proba"):
            asked.predict_proba(inputs)
    elif model.kind == "forecaster":
        _forecast(asked)
    else:
        asked.predict(example_frame())
        stream = asked.stream()
        for value in (1.0, 2.0, float("nan")):
            stream.score_one(np.full(len(asked.columns_.targets), value))


def _forecast(model: tg.Forecaster) -> None:
    frame = shops()
    future: pd.DataFrame | None = None
    if model.columns_.known and model.horizon < 1_000:
        ends = frame.groupby("unique_id")["ds"].max()
        parts = [
            pd.DataFrame({"unique_id": name, "ds": pd.date_range(end, periods=model.horizon + 1)[1:], "price": 9.0})
            for name, end in ends.items()
        ]
        future = pd.concat(parts, ignore_index=True)
    model.predict(frame, future=future)
    try:
        model.predict(frame, future=future, levels=(80,))
    except SpecError:  # a model of points has no levels
        return
