"""How often windows are drawn: by age, and by series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate import Forecaster, Sampling, Training
from tidegate.data import Windows, read_frame
from tidegate.forecast.sampling import chances

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]


def windows_of(*lengths: int, context: int = 3, horizon: int = 2) -> Windows:
    rows = [(f"s{index}", row, 1.0) for index, length in enumerate(lengths) for row in range(length)]
    table = read_frame(pd.DataFrame(rows, columns=["unique_id", "ds", "y"]))
    return Windows.sliding(table, context=context, horizon=horizon)


def naive(windows: Windows, sampling: Sampling) -> np.ndarray:
    """One window after the other."""
    pairs = list(zip(windows.series, windows.ends, strict=True))
    weights = []
    for series, end in pairs:
        age = max(other for at, other in pairs if at == series) - end
        weights.append(1.0 if sampling.half_life is None else 0.5 ** (age / sampling.half_life))
    result = []
    for (series, _), weight in zip(pairs, weights, strict=True):
        total = sum(other for (at, _), other in zip(pairs, weights, strict=True) if at == series)
        result.append(weight / {"windows": 1, "series": total, "root": total**0.5}[sampling.balance])
    found: np.ndarray = np.array(result) / sum(result)
    return found


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(3, 25), min_size=1, max_size=5),
    half_life=st.sampled_from([None, 0.5, 3, 40.0]),
    balance=st.sampled_from(["windows", "series", "root"]),
)
def test_chances_are_those_of_a_naive_loop(lengths: list[int], half_life: float | None, balance: str) -> None:
    windows, sampling = windows_of(*lengths), Sampling(half_life=half_life, balance=balance)
    found = chances(windows, sampling)
    if sampling.uniform:
        assert found is None
        return
    assert found is not None
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, naive(windows, sampling))


def test_a_window_a_half_life_older_is_drawn_half_as_often() -> None:
    windows = windows_of(20, 12)
    found = chances(windows, Sampling(half_life=4))
    assert found is not None
    for series in (0, 1):
        own = found[windows.series == series]
        np.testing.assert_allclose(own[4:] / own[:-4], 2)
    assert found[windows.series == 0][-1] == pytest.approx(found[-1])  # each series' newest alike


def test_balance_makes_series_count_alike_or_by_the_root_of_their_windows() -> None:
    windows = windows_of(104, 13)  # 100 and 9 windows (one row of context is enough)
    count = np.bincount(windows.series)
    for balance, share in (("series", 1.0), ("root", (count[0] / count[1]) ** 0.5)):
        found = chances(windows, Sampling(balance=balance))
        assert found is not None
        of_series = np.bincount(windows.series, weights=found)
        assert of_series[0] / of_series[1] == pytest.approx(share)


def test_very_old_windows_do_no_harm() -> None:
    found = chances(windows_of(3000, 5), Sampling(half_life=1, balance="series"))
    assert found is not None
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1)
    assert found[0] == 0  # 2⁻³⁰⁰⁰


def test_a_forecaster_trains_by_them(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    training = Training(max_steps=6, batch_size=16)
    models = [
        make_forecaster(training=Training(max_steps=6, batch_size=16, sampling=sampling)).fit(frame)
        for sampling in (Sampling(), Sampling(half_life=3), Sampling(half_life=3))
    ]
    plain = make_forecaster(training=training).fit(frame)
    weights = [torch.cat([part.flatten() for part in model.network_.parameters()]) for model in (plain, *models)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    assert torch.equal(weights[2], weights[3])


def test_what_is_old_is_forgotten(make_forecaster: MakeForecaster) -> None:
    """The newest windows alone say how the series goes on: down where it went up before."""
    steps = np.arange(200)
    wave = np.where(steps < 150, steps % 5, -steps % 5) + 5.0
    frame = pd.DataFrame({"ds": steps, "y": wave})
    errors = []
    for sampling in (Sampling(), Sampling(half_life=3)):
        training = Training(max_steps=60, batch_size=32, learning_rate=1e-2, validation=0.0, sampling=sampling)
        model = make_forecaster(horizon=1, context=1, season=1, training=training).fit(frame)
        errors.append(abs(float(model.predict(frame)["y_hat"].iloc[0]) - (-200 % 5 + 5)))
    assert errors[1] < errors[0]
