"""Tables and forecasters that are small enough to fit in a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate import Columns, Direct, Forecaster, Recurrent, Scaling, Training, Uncertainty
from tidegate.data import Batch, SeriesTable, read_frame
from tidegate.forecast.covariates import CovariateShapes
from tidegate.forecast.network import Design, ForecastNetwork

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]
MakeDesign = Callable[..., Design]
MakeNetwork = Callable[..., ForecastNetwork]
MakeBatch = Callable[..., Batch[Tensor]]

NO_COVARIATES = CovariateShapes()
#: Every kind of covariate that the shops of `make_shop` have.
COVARIATES = Columns(
    static=("kind", "size"), past=("visits",), known=("price", "holiday"), calendar=("weekday",), fourier=1
)


@pytest.fixture(scope="session")
def make_frame() -> MakeFrame:
    """Daily series of very different levels with a season, a trend and noise."""

    def make(*, series: int = 3, rows: int = 60, season: int = 6, seed: int = 0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        steps = np.arange(rows)
        parts = []
        for index in range(series):
            shape = np.sin(2 * np.pi * steps / season + index) + 0.01 * steps + 0.1 * rng.standard_normal(rows)
            stamps = pd.date_range("2024-01-01", periods=rows, freq="D")
            parts.append(pd.DataFrame({"unique_id": f"s{index}", "ds": stamps, "y": 10.0**index * (5 + shape)}))
        return pd.concat(parts, ignore_index=True)

    return make


@pytest.fixture
def frame(make_frame: MakeFrame) -> pd.DataFrame:
    return make_frame()


@pytest.fixture
def table(frame: pd.DataFrame) -> SeriesTable:
    return read_frame(frame)


@pytest.fixture(scope="session")
def make_forecaster() -> MakeForecaster:
    """Give a forecaster that trains in a moment."""

    def make(**options: Any) -> Forecaster:
        quick = {
            "horizon": 4,
            "season": 6,
            "network": Recurrent(hidden_size=8),
            "training": Training(max_steps=20, batch_size=16, learning_rate=1e-2, validation=0.2),
            "device": "cpu",
        }
        return Forecaster(**{**quick, **options})

    return make


@pytest.fixture(scope="session")
def covariates() -> Columns:
    """Name every kind of covariate that the tables of `make_shop` have; their column ``w`` holds weights."""
    return COVARIATES


@pytest.fixture(scope="session")
def make_shop(make_frame: MakeFrame) -> MakeFrame:
    """Daily series as of `make_frame`, which the price of the day moves, with covariates."""

    def make(*, series: int = 3, rows: int = 60, seed: int = 0) -> pd.DataFrame:
        rng = np.random.default_rng(seed + 1)
        frame = make_frame(series=series, rows=rows, seed=seed)
        number = frame["unique_id"].str[1:].astype(int)
        price = rng.choice([8.0, 9.0, 10.0], len(frame))
        return frame.assign(
            y=frame["y"] * price / 9,
            price=price,
            holiday=rng.random(len(frame)) < 0.1,
            visits=frame["y"] * (1 + 0.1 * rng.standard_normal(len(frame))),
            kind=np.where(number % 2 == 0, "even", "odd"),
            size=number + 2.0,
            w=1.0,
        )

    return make


@pytest.fixture(scope="session")
def make_future() -> Callable[..., pd.DataFrame]:
    """The rows behind each series of a shop's table, without targets."""

    def make(frame: pd.DataFrame, horizon: int = 4, *, price: float = 8.5) -> pd.DataFrame:
        parts = []
        for name, part in frame.groupby("unique_id"):
            days = part["ds"].max() + pd.to_timedelta(np.arange(1, horizon + 1), "D")
            parts.append(pd.DataFrame({"unique_id": name, "ds": days, "price": price, "holiday": False}))
        return pd.concat(parts, ignore_index=True)

    return make


@pytest.fixture(scope="session")
def make_design() -> MakeDesign:
    """Describe a small network."""

    def make(**options: Any) -> Design:
        small = {
            "strategy": Direct(),
            "network": Recurrent(hidden_size=5),
            "scaling": Scaling(),
            "uncertainty": Uncertainty(),
            "loss": "mae",
            "context": 12,
            "horizon": 4,
            "targets": 1,
            "season": 4,
            "seasons": (4,),
            "segment": 1,
        }
        return Design(**{**small, **options})

    return make


@pytest.fixture(scope="session")
def make_network(make_design: MakeDesign) -> MakeNetwork:
    """Build a small network whose outputs are not quiet: no weight of it is 0."""

    def make(*, seed: int = 0, **options: Any) -> ForecastNetwork:
        torch.manual_seed(seed)
        network = ForecastNetwork(make_design(**options))
        for name, parameter in network.named_parameters():
            if "head" in name or "highway" in name:
                torch.nn.init.normal_(parameter, std=0.5)
        return network.eval()

    return make


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """Windows of positive values, some of them missing."""

    def make(
        batch: int = 3,
        *,
        targets: int = 1,
        context: int = 12,
        horizon: int = 4,
        missing: float = 0.1,
        covariates: CovariateShapes = NO_COVARIATES,
        seed: int = 1,
    ) -> Batch[Tensor]:
        generator = torch.Generator().manual_seed(seed)

        def draw(*size: int) -> Tensor:
            return torch.rand(*size, generator=generator, dtype=torch.float64)

        past, known, static = (len(part) for part in (covariates.past, covariates.known, covariates.static))
        codes = [torch.arange(batch) % (count + 1) for count in covariates.categories]  # 0: not known
        return Batch(
            values=50 + 10 * draw(batch, context, targets),
            observed=draw(batch, context, targets) >= missing,
            target=50 + 10 * draw(batch, horizon, targets),
            target_observed=draw(batch, horizon, targets) >= missing,
            past=draw(batch, context, past) if past else None,
            known=draw(batch, context + horizon, known) if known else None,
            static=draw(batch, static) if static else None,
            categories=torch.stack(codes, dim=-1) if codes else None,
            series=torch.arange(batch),
            position=100 + torch.arange(batch),
        )

    return make
