"""What outputs are measured from, settled by the data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tidegate import Forecaster, Member, Recurrent, Scaling, Training
from tidegate.data import SeriesTable, read_frame
from tidegate.errors import SpecError
from tidegate.forecast.origins import choose_output
from tidegate.nn.scaling import WindowScaling

STEPS = np.arange(200)
WAVE = np.array([0.0, 5.0, -3.0, 8.0])[STEPS % 4]
NOISE = np.random.default_rng(0).normal(size=200)
CANDIDATES = ("season", "last", "centre", "level_season")


def table_of(values: np.ndarray) -> SeriesTable:
    return read_frame(pd.DataFrame({"ds": STEPS[: len(values)], "y": values}))


def chosen(values: np.ndarray, scaling: Scaling | None = None, season: int = 4) -> str:
    return choose_output(
        table_of(values),
        Scaling(output="auto") if scaling is None else scaling,
        candidates=CANDIDATES,
        season=season,
        power=None,
        context=12,
        least=8,
        horizon=6,
    )


@pytest.mark.parametrize(
    ("values", "output"),
    [
        (10 * WAVE + NOISE, "season"),
        (NOISE.cumsum() + 0.1 * WAVE, "last"),
        (NOISE, "centre"),
        (WAVE + 3.0 * STEPS, "level_season"),
    ],
    ids=["a season", "a walk", "noise", "a season and a trend"],
)
def test_the_best_forecast_without_a_network_is_chosen(values: np.ndarray, output: str) -> None:
    assert chosen(values) == output


def test_the_choice_is_made_by_the_loss_of_an_untrained_network() -> None:
    values = WAVE + NOISE.cumsum()
    errors = {output: [] for output in CANDIDATES}  # type: dict[str, list[float]]
    for end in range(8, 195):
        context = values[max(end - 12, 0) : end]
        last, target = context[-4:], values[end : end + 6]
        season = np.resize(last, 6)
        made = {
            "season": season,
            "last": np.full(6, context[-1]),
            "centre": np.full(6, context.mean()),
            "level_season": season + last.mean() - context[-8:-4].mean(),
        }
        for output, forecast in made.items():
            errors[output].append(float(np.abs(target - forecast).mean() / context.std()))
    means = {output: np.mean(found) for output, found in errors.items()}
    assert chosen(values) == min(means, key=means.__getitem__)


def test_nothing_is_chosen_where_it_was_named_or_there_is_no_season() -> None:
    assert chosen(10 * WAVE, Scaling(output="trend")) == "trend"
    assert chosen(10 * WAVE, season=1) == "last"


def test_only_rows_that_may_train_decide() -> None:
    model = Forecaster(horizon=4, season=4, network=Recurrent(hidden_size=4), training=Training(max_steps=1))
    season, walk = 10 * WAVE + NOISE, 1e3 * NOISE.cumsum()
    late = np.where(STEPS < 180, season, walk)  # the last tenth stops the training early
    assert model.fit(table_of(season)).origin_ == "season"
    assert model.fit(table_of(late)).origin_ == "season"


def test_members_choose_each_for_itself() -> None:
    members = (Member(), Member(scaling=Scaling(output="last")), Member(scaling=Scaling(method="none", output="auto")))
    model = Forecaster(
        horizon=4, season=4, network=Recurrent(hidden_size=4), training=Training(max_steps=1), members=members
    )
    model.fit(table_of(10 * WAVE + NOISE))
    assert model.settled_.outputs == ("season", "last", "season")
    assert model.origin_ == "season"


def test_a_scaling_alone_cannot_settle_it() -> None:
    with pytest.raises(SpecError) as caught:
        WindowScaling(dataclasses.replace(Scaling(), output="auto"))
    assert str(caught.value) == "output='auto' is settled by a forecaster's fit; name what outputs are measured from"
