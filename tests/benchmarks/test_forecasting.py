"""`benchmarks/forecasting.py` on small made-up data: what is cut, what is scored, and that every command runs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecasting
from forecasts import accuracy, many_worker, processes, published, scoring, sets, speed, stream
from forecasts.recipes import RECIPES, Recipe, shortened
from tidegate import Columns, Direct, Forecaster, Recurrent, Scaling, Training, Uncertainty
from tidegate.data import SeriesTable, read_frame

ROWS = sets.RowSet(
    title="rows",
    file="rows",
    horizons=(2, 4),
    season=3,
    train=60,
    validation=80,
    test=100,
    time=None,
    measures=("MSE 2",),
)
ENDS = sets.EndSet(title="ends", file="ends", horizon=3, season=2, measures=("OWA", "MSIS 95 %", "coverage 80 %"))


def small(horizon: int, seed: int, *, head: str = "quantiles") -> Forecaster:
    training = Training(max_steps=3, batch_size=8, validation=0.0)
    return Forecaster(
        horizon=horizon,
        context=6,
        season=2,
        strategy=Direct(segment=1),
        network=Recurrent(hidden_size=4),
        training=training,
        scaling=Scaling(output="last"),
        uncertainty=Uncertainty(head=head),
        seed=seed,
        device="cpu",
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder of the data, with two variables in 100 rows and three series; give it."""
    made = tmp_path / "forecasting"
    made.mkdir()
    monkeypatch.setenv("TIDEGATE_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.standard_normal((100, 2)) * [2, 30] + [5, 0], columns=["a", "b"]).to_csv(
        made / "rows.csv.gz", index=False
    )
    for part, first, count in (("train", 1, 30), ("test", 31, 3)):
        pd.concat(
            pd.DataFrame(
                {"unique_id": name, "ds": range(first, first + count), "y": 10 + rng.standard_normal(count).cumsum()}
            )
            for name in (("x", "y", "z") if part == "train" else ("z", "x", "y"))
        ).to_csv(made / f"ends_{part}.csv.gz", index=False)
    return made


@pytest.fixture
def commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the program, with the two small data sets beside the others."""
    for name, data, horizons in (("rows", ROWS, (4,)), ("ends", ENDS, (3,))):
        monkeypatch.setitem(sets.SETS, name, data)
        monkeypatch.setitem(RECIPES, name, Recipe(model=small, horizons=horizons))

    def run(*arguments: str) -> None:
        forecasting.main([*arguments])

    return run


def cells(printed: str, label: str) -> list[str]:
    """Give the cells of the line of a table that begins with a label."""
    line = next(line for line in printed.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


# -- what is cut ---------------------------------------------------------------------------------------------


def test_a_table_is_cut_by_rows_and_standardised_by_its_first(folder: Path) -> None:
    (problem,) = ROWS.load(validate=False)
    assert isinstance(problem, sets.Everywhere)
    raw = pd.read_csv(folder / "rows.csv.gz").to_numpy()
    np.testing.assert_allclose(problem.table.values, (raw - raw[:60].mean(0)) / raw[:60].std(0))
    assert len(problem.past.values) == 60
    assert problem.ends(4).tolist() == [*range(80, 97)]
    assert problem.ends(2).tolist() == [*range(80, 99)]


def test_validation_reads_no_row_of_the_test_part(folder: Path) -> None:
    file = folder / "rows.csv.gz"
    frame = pd.read_csv(file).astype(object)
    frame.iloc[80:] = "not a number"
    frame.to_csv(file, index=False)
    (folder / "ends_test.csv.gz").unlink()
    (problem,) = ROWS.load(validate=True)
    assert isinstance(problem, sets.Everywhere)
    assert (problem.start, len(problem.table.values)) == (60, 80)
    assert len(ENDS.load(validate=True)) == 2


def test_the_end_of_each_series_is_in_the_order_of_the_series(folder: Path) -> None:
    (problem,) = ENDS.load(validate=False)
    assert isinstance(problem, sets.Ends)
    test = pd.read_csv(folder / "ends_test.csv.gz")
    for index, name in enumerate(("x", "y", "z")):
        assert problem.truth[index].tolist() == test.loc[test.unique_id == name, "y"].tolist()


def test_validation_windows_do_not_overlap_and_short_series_are_left_out() -> None:
    frame = pd.DataFrame(
        {"unique_id": ["a"] * 12 + ["b"] * 9, "ds": [*range(12), *range(9)], "y": [*range(12), *range(100, 109)]}
    )
    earlier, last = sets.last_windows(read_frame(frame, Columns()), 3, 2, 2)
    assert earlier.label == "validation, 6 rows before the end, 1 short series left out"
    assert earlier.truth.tolist() == [[6, 7, 8]]
    assert earlier.past.values.ravel().tolist() == [*range(6)]
    assert last.label == "validation, 3 rows before the end"
    assert last.truth.tolist() == [[9, 10, 11], [106, 107, 108]]
    assert last.past.lengths.tolist() == [9, 6]


# -- what is scored ------------------------------------------------------------------------------------------


def one_series(values: list[float]) -> SeriesTable:
    return read_frame(pd.DataFrame({"ds": range(len(values)), "y": values}), Columns())


def test_ends_are_scored_by_the_definitions_of_the_competition() -> None:
    past = one_series([1.0, 2.0, 4.0, 5.0])  # mean |y_t − y_(t−1)| = 4/3, and Naive2 at season 1 repeats the 5
    problem = sets.Ends(label="", past=past, truth=np.array([[6.0, 7.0]]), season=1)
    bounds = {95.0: (np.array([[5.0, 8.0]]), np.array([[9.0, 9.0]]))}
    found = scoring.end_scores(problem, np.array([[6.0, 9.0]]), bounds)
    smape, naive_smape = 200 * (2 / 16) / 2, 200 * (1 / 11 + 2 / 12) / 2
    mase, naive_mase = 1 / (4 / 3), 1.5 / (4 / 3)
    assert found["sMAPE"] == pytest.approx(smape)
    assert found["MASE"] == pytest.approx(mase)
    assert found["OWA"] == pytest.approx((smape / naive_smape + mase / naive_mase) / 2)
    assert found["MSIS 95 %"] == pytest.approx((4 + 1 + 40 * 1) / 2 / (4 / 3))
    assert found["coverage 95 %"] == 50.0
    assert found["width 95 %"] == pytest.approx(2.5 / (4 / 3))


def everywhere(rows: int = 40) -> sets.Everywhere:
    values = np.random.default_rng(1).standard_normal((rows, 2)).cumsum(axis=0)
    frame = pd.DataFrame(values, columns=["a", "b"]).assign(ds=range(rows))
    return sets.Everywhere(label="", table=read_frame(frame, Columns()), fit_rows=20, start=24, season=1)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_every_window_counts_once_whatever_the_chunk(chunk: int) -> None:
    problem = everywhere()
    values = problem.table.values

    def ask(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        point = np.repeat(values[ends - 1][:, None], 5, axis=1)
        return point, point[..., None] + np.array([-2.0, -1.0, 1.0, 2.0])

    found = scoring.every_score(problem, ask, (2, 5), chunk=chunk)
    for horizon in (2, 5):
        errors = np.array(
            [values[end : end + horizon] - values[end - 1] for end in range(24, 40 - horizon + 1)]
        )  # [window, step, target]
        assert found[f"MSE {horizon}"] == pytest.approx((errors**2).mean())
        assert found[f"MAE {horizon}"] == pytest.approx(np.abs(errors).mean())
        assert found[f"coverage 80 % {horizon}"] == pytest.approx(100 * (np.abs(errors) <= 1).mean())
        assert found[f"coverage 95 % {horizon}"] == pytest.approx(100 * (np.abs(errors) <= 2).mean())
        assert found[f"width 95 % {horizon}"] == pytest.approx(4.0)
    means = scoring.with_means(found)
    assert means["mean MSE"] == pytest.approx((found["MSE 2"] + found["MSE 5"]) / 2)
    assert means["coverage 95 %"] == pytest.approx((found["coverage 95 % 2"] + found["coverage 95 % 5"]) / 2)


def test_every_window_of_a_model_is_what_evaluate_scores() -> None:
    problem = everywhere(60)
    found = accuracy.scores_of(Recipe(model=small, horizons=(4,)), problem, (2, 4), 0)
    model = small(4, 0).fit(problem.past)
    rows = read_frame(
        pd.DataFrame(problem.table.values[24 - 6 :], columns=["a", "b"]).assign(ds=range(42)), Columns()
    )  # a context of 6 before the first row that is scored
    scores = model.evaluate(rows).scores["tidegate"]
    assert found["MAE 4"] == pytest.approx(scores["MAE"])
    assert found["MSE 2"] < found["MSE 4"]


def test_a_horizon_is_served_by_the_shortest_model_that_reaches_it() -> None:
    recipe = Recipe(model=small, horizons=(96, 720))
    assert [recipe.served_by(horizon) for horizon in (24, 96, 192, 720)] == [96, 96, 720, 720]


@pytest.mark.parametrize("name", RECIPES)
def test_each_data_set_has_a_recipe_for_its_horizons(name: str) -> None:
    recipe = RECIPES[name]
    for horizon in sets.SETS[name].horizons:
        model = shortened(recipe, 7).model(recipe.served_by(horizon), 5)
        assert model.horizon >= horizon
        assert (model.seed, model.training.max_steps) == (5, 7)


# -- the commands --------------------------------------------------------------------------------------------


def test_a_recipe_is_printed_seed_by_seed_saved_and_held_against_the_published(
    commands: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved = tmp_path / "saved.jsonl"
    commands("ends", "--seeds", "0", "1", "--threads", "1", "--save", str(saved))
    printed = capsys.readouterr().out
    assert printed.startswith("ends, test part, 1 threads\n")
    owas = [float(cells(printed, f"seed {seed}")[1]) for seed in (0, 1)]
    assert float(cells(printed, "**median of 2**")[1]) == pytest.approx(np.median(owas), abs=1e-3)
    assert cells(printed, "seasonal naive")[2] == "–"
    record = json.loads(saved.read_text())
    assert (record["set"], record["part"], record["seeds"]) == ("ends", "test", [0, 1])
    measured = published.measured_scores(saved)
    assert measured["ends", "OWA"] == pytest.approx(np.median(owas), abs=1e-3)


def test_published_figures_stand_beside_what_was_measured_on_test_parts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved = tmp_path / "saved.jsonl"
    records = (
        {"set": "m4-hourly", "part": "test", "scores": {"OWA": 0.43, "coverage 80 %": 76.0}},
        {"set": "m4-weekly", "part": "validation", "scores": {"OWA": 0.7}},
    )
    saved.write_text("".join(json.dumps(record) + "\n" for record in records))
    forecasting.main(["published", str(saved)])
    lines = capsys.readouterr().out.splitlines()
    assert "| m4-hourly | OWA | 0.440 (ES-RNN), 0.628 (seasonal naive) | ≤ 0.44 | 0.430 | yes |" in lines
    assert "| m4-hourly | coverage 80 % |  | 77 to 83 | 76.000 | **no** |" in lines
    assert "| m4-weekly | OWA | 0.851 (ES-RNN), 1.000 (seasonal naive) | ≤ 0.851 | – |  |" in lines


def test_validation_scores_each_window_and_their_mean(
    commands: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    commands("ends", "--seeds", "0", "--threads", "1", "--validate", "--steps", "2")
    printed = capsys.readouterr().out
    both = [float(cells(printed, f"seed 0, validation, {rows} rows before the end")[1]) for rows in (6, 3)]
    assert float(cells(printed, "seed 0")[1]) == pytest.approx(np.mean(both), abs=1.1e-3)


@pytest.mark.parametrize("command", ["ends", "defaults"])
def test_a_trial_run_never_scores_the_test_part(
    command: str, commands: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands(command, "--steps", "2")
    assert "--steps is for checking the benchmark, and the test part is scored once: add --validate" in (
        capsys.readouterr().err
    )


def test_defaults_stand_beside_both_naive_forecasts(
    commands: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = dataclasses.replace(ROWS, measures=("MSE 2", "MSE 4"))
    monkeypatch.setitem(sets.SETS, "rows", wide)
    commands("defaults", "rows", "--seeds", "0", "--threads", "1", "--validate", "--steps", "2")
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if line.startswith("| rows | MSE 4 |"))
    _, _, ours, median, seasonal, last, _ = (cell.strip() for cell in line.strip("|").split("|"))
    (problem,) = wide.load(validate=True)
    references = [scoring.baseline_scores(problem, name, (2, 4))["MSE 4"] for name in ("seasonal_naive", "naive")]
    assert [float(seasonal), float(last)] == pytest.approx(references, abs=1e-3)
    assert ours == median


def test_baselines_need_no_training(commands: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    commands("baselines", "rows", "--threads", "1")
    printed = capsys.readouterr().out
    assert float(cells(printed, "last value")[1]) > 0
    assert "seed" not in printed


def test_an_unknown_data_set_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        forecasting.main(["baselines", "m4"])
    assert "expected one of m4-hourly, m4-weekly, tourism, etth1, exchange; got 'm4'" in capsys.readouterr().err


@pytest.mark.data
def test_the_baselines_have_their_published_scores(public_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(public_data))
    (tourism,) = sets.SETS["tourism"].load(validate=False)
    seasonal = scoring.baseline_scores(tourism, "seasonal_naive", (24,))
    assert seasonal["MASE"] == pytest.approx(1.631, abs=0.001)  # 1.63 in Athanasopoulos et al. (2011)
    (exchange,) = sets.SETS["exchange"].load(validate=False)
    last = scoring.baseline_scores(exchange, "naive", (96, 192))
    assert [last["MSE 96"], last["MSE 192"]] == pytest.approx([0.081, 0.167], abs=5e-4)


# -- speed and memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [None, "/nowhere/python", sys.executable])
def test_speed_says_how_to_make_the_other_environment(peer: str | None) -> None:
    with pytest.raises(SystemExit) as refused:
        speed.peer_version(peer)
    said = str(refused.value)
    begins = "speed needs --peer-python" if peer is None else f"{peer} has no NeuralForecast"
    assert said.startswith(begins)
    assert "/tmp/neuralforecast/bin/pip install torch==" in said


def test_a_process_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"none\.py ended with 2:\n.*can't open file"):
        processes.ask("none.py", {}, threads=1)
    monkeypatch.setattr(processes, "__file__", str(tmp_path / "processes.py"))
    (tmp_path / "echo.py").write_text("import sys; print('a remark'); print(sys.argv[1])")
    answer = processes.ask("echo.py", {"steps": 3}, threads=1)
    assert answer.pop("wall") > 0
    assert answer == {"steps": 3, "threads": 1}


def test_many_series_are_read_and_forecast() -> None:
    request = {"series": 30, "rows": 60, "horizon": 4, "context": 14, "steps": 2}
    found = many_worker.measure(request)
    assert found["read"] > 0
    assert found["predict"] > 0
    assert found["context"] == 14
    assert many_worker.made_up(30, 60).groupby("unique_id").size().tolist() == [60] * 30


def test_a_stream_is_timed_in_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    stream.stream(updates=2, frames=1, context=8, horizon=2, units=4, threads=(1,))
    printed = capsys.readouterr().out
    for name in ("model.stream(…)", "model.stream(…, carry=True)", "model.update(frame), model.predict()"):
        median, high = (float(figure) for figure in cells(printed, name)[3:])
        assert 0 < median <= high
