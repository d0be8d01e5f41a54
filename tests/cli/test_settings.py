"""What a report lists of a fitted forecaster."""

from __future__ import annotations

import pandas as pd
import pytest

from tidegate.cli.settings import loss_name, settings
from tidegate.forecast import Forecaster
from tidegate.specs import Columns, Convolution, Direct, Recurrent, Training, Uncertainty


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame({"ds": range(40), "y": [float(step % 4) for step in range(40)], "x": 1.0})


def fitted(frame: pd.DataFrame, **options: object) -> dict[str, dict[str, object]]:
    fast = {"horizon": 4, "season": 4, "training": Training(max_steps=1), "device": "cpu"}
    return settings(Forecaster(**{**fast, **options}).fit(frame))  # type: ignore[arg-type]


def test_what_was_settled_and_what_was_chosen(frame: pd.DataFrame) -> None:
    groups = fitted(frame)
    assert list(groups) == [
        "Forecast",
        "Strategy: direct",
        "Network: recurrent",
        "Uncertainty",
        "Training",
        "Scaling",
        "Versions",
    ]
    assert groups["Forecast"] == {
        "horizon": 4,
        "context": 12,
        "season": 4,
        "segment": 1,
        "origin": "season",
        "members": 1,
        "seed": 0,
        "device": "cpu",
    }
    assert groups["Strategy: direct"]["channels"] == "joint"
    assert "segment" not in groups["Strategy: direct"]  # which was left to the fit
    assert (groups["Uncertainty"]["head"], groups["Uncertainty"]["loss"]) == ("point", "mae")
    assert "quantiles" not in groups["Uncertainty"]
    assert groups["Training"]["steps run"] == 1
    assert groups["Training"]["sampling: balance"] == "windows"


def test_parts_covariates_and_heads_have_their_own(frame: pd.DataFrame) -> None:
    groups = fitted(
        frame,
        network=(Convolution(), Recurrent(hidden_size=4)),
        strategy=Direct(segment=2),
        columns=Columns(past=("x",), fourier=1),
        uncertainty=Uncertainty(head="quantiles"),
        members=2,
    )
    assert [name for name in groups if name.startswith("Network")] == [
        "Network, part 1: convolution",
        "Network, part 2: recurrent",
    ]
    assert groups["Strategy: direct"]["segment"] == 2
    assert groups["Covariates"] == {"past": ("x",), "fourier": 1}
    assert "loss" not in groups["Uncertainty"]
    assert groups["Uncertainty"]["quantiles"] == Uncertainty().quantiles
    assert groups["Forecast"]["members"] == 2


@pytest.mark.parametrize(
    ("uncertainty", "name"),
    [
        (Uncertainty(loss="huber"), "huber of scaled values"),
        (Uncertainty(head="quantiles"), "pinball loss of scaled values"),
        (Uncertainty(head="student_t"), "negative log-likelihood of scaled values"),
    ],
)
def test_the_loss_is_that_of_the_head(uncertainty: Uncertainty, name: str) -> None:
    assert loss_name(uncertainty) == name
