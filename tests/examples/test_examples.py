"""The example programs, run as a newcomer runs them: what they print is held to what they promise.

The comments give the range over five seeds or more; the margins leave room for another machine's arithmetic.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import torch

PROGRAMS = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))

Figures: TypeAlias = dict[str, float]


def sine_wave(figures: Figures) -> None:
    assert figures["validation"] <= 0.001  # 0.00010 to 0.00029 over ten seeds
    assert figures["rolled_out"] <= 0.001  # 0.00006 to 0.00047
    assert figures["naive"] > 0.1


def stacked_lstm(figures: Figures) -> None:
    assert 10 < figures["epochs"] < 100  # 31 to 49: it was stopped early, and not at once
    assert figures["lstm"] <= 0.8 * figures["naive"]  # 0.46 to 0.65
    assert figures["lstm"] <= 0.6 * figures["seasonal_naive"]  # 0.34 to 0.49


def three_features(figures: Figures) -> None:
    assert figures["lstm"] <= 0.6 * figures["naive"]  # 0.34 to 0.42
    assert figures["lstm"] <= 0.4 * figures["seasonal_naive"]  # 0.24 to 0.30


def bidirectional_regressor(figures: Figures) -> None:
    assert figures["mean"] == pytest.approx(1 / 6, rel=0.15)  # the variance of the sum of two uniform numbers
    assert figures["network"] <= figures["mean"] / 50  # 1/460 to 1/280


def attention_regressor(figures: Figures) -> None:
    assert figures["network"] <= figures["mean"] / 50  # 1/860 to 1/420
    assert figures["attention on marks"] >= 0.95  # 0.997 to 0.999


def forecast_airline(figures: Figures) -> None:
    baselines = [figures[name] for name in ("naive", "seasonal_naive", "drift", "naive2")]
    assert figures["tidegate"] <= 0.85 * min(baselines)  # 0.70 to 0.72
    assert 6_000 < figures["passengers in 1961"] < 7_200  # 6519 to 6585; there were 5714 in 1960, 5140 in 1959
    assert figures["changed by save and load"] == 0


def forecast_intervals(figures: Figures) -> None:
    baselines = [figures[name] for name in ("naive", "seasonal_naive", "drift", "naive2")]
    assert figures["tidegate"] <= 0.55 * min(baselines)  # 0.37 to 0.40
    assert 70 <= figures["coverage 80"] <= 90  # 79.5 to 82.5
    assert 91 <= figures["coverage 95"] <= 99.5  # 95.4 to 97.6
    assert 0 < figures["width 80"] < figures["width 95"]  # 81 to 90, 140 to 187
    assert figures["first hour, lower"] < figures["first hour"] < figures["first hour, upper"]


def forecast_stream(figures: Figures) -> None:
    assert figures["updates"] == 2 * (7 * 24 - 24)
    assert figures["tidegate"] <= 0.35 * figures["naive"]  # 0.23 to 0.24
    assert figures["stream against predict"] < 1e-2  # of 1500
    assert 0 < figures["moved by fine-tuning"] < 200  # megawatts; the file stayed as it was


def stateful(figures: Figures) -> None:
    assert figures["forgotten"] > 0.4  # 0.60 to 0.74 of the variance
    assert figures["carried on"] <= figures["forgotten"] / 5  # 1/34 to 1/18


PROMISES: dict[str, Callable[[Figures], None]] = {
    check.__name__: check
    for check in (
        sine_wave,
        stacked_lstm,
        three_features,
        bidirectional_regressor,
        attention_regressor,
        forecast_airline,
        forecast_intervals,
        forecast_stream,
        stateful,
    )
}


def test_every_example_has_its_promise() -> None:
    assert [path.stem for path in PROGRAMS] == sorted(PROMISES)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_example_keeps_its_promise(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with torch.random.fork_rng(devices=[]):  # the programs seed torch's generator
        figures = runpy.run_path(str(path), run_name="__main__")["figures"]
    PROMISES[path.stem](figures)
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) >= 2
    assert printed.err == ""


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_example_runs_nothing_when_imported(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = runpy.run_path(str(path), run_name=path.stem)
    assert callable(module["main"])
    assert "figures" not in module
    assert capsys.readouterr().out == ""
