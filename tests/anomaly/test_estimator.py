from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidegate as tg
from tidegate.errors import DataError, NotFittedError, SpecError, StateError

Fitted = Callable[..., Any]


def long_frame(waves: np.ndarray, backend: str = "pandas") -> Any:
    time = pd.date_range("2026-01-01", periods=len(waves), freq="h", tz="Europe/Berlin")
    parts = [
        pd.DataFrame({"name": name, "at": time, "a": waves[:, 0] * size, "b": waves[:, 1]})
        for name, size in (("x", 1.0), ("y", 100.0))
    ]
    frame = pd.concat(parts).sort_values(["at", "name"])  # interleaved
    if backend == "polars":
        pl = pytest.importorskip("polars")
        return pl.DataFrame({name: frame[name].to_numpy() for name in frame if name != "at"}).with_columns(
            at=pl.Series(frame["at"].dt.tz_localize(None).to_numpy())
        )
    return frame


COLUMNS = tg.Columns(id="name", time="at")


def test_a_spike_is_found(autoencoder: Any, prediction: Any, waves: np.ndarray) -> None:
    for detector in (autoencoder, prediction):
        assert detector.decision_scores_.shape == (300,)
        assert int(detector.decision_scores_.argmax()) == 200
        assert detector.labels_[200] == 1
        assert detector.labels_.dtype == np.int64
        np.testing.assert_array_equal(detector.labels_, detector.decision_scores_ > detector.threshold_)
        np.testing.assert_array_equal(detector.decision_function(waves), detector.decision_scores_)
        np.testing.assert_array_equal(detector.predict(waves), detector.labels_)
        assert detector.labels_.sum() == 3  # one in a hundred
        assert detector.contamination == 0.01


def test_frames_go_in_and_come_out(fitted: Fitted, waves: np.ndarray) -> None:
    for backend in ("pandas", "polars"):
        frame = long_frame(waves, backend)
        detector = fitted(data=frame, columns=COLUMNS)
        answer = detector.predict(frame)
        assert list(answer.columns) == ["name", "at", "score", "threshold", "is_anomaly", "a_share", "b_share"]
        assert len(answer) == 600
        assert type(answer) is type(frame)
        shares = answer[["a_share", "b_share"]].to_numpy()
        np.testing.assert_allclose(shares.sum(1), 1.0)
        score = answer["score"].to_numpy()
        np.testing.assert_allclose(score, detector.decision_function(frame))
        np.testing.assert_allclose(score[:300], score[300:], rtol=1e-4)  # series after series, each in its own units
        assert shares[200, 1] > 0.9  # the spike is in b
        found = detector.events(frame)
        assert list(found.columns) == ["name", "start", "end", "rows", "peak"]
        assert found["rows"].sum() == answer["is_anomaly"].sum()
        assert found["peak"].max() == pytest.approx(score.max())


def test_gaps_have_rows_and_no_scores(fitted: Fitted, waves: np.ndarray) -> None:
    frame = long_frame(waves)
    holes = frame[~((frame["name"] == "x") & (frame["at"].rank(method="dense").between(101, 130)))].copy()
    holes.loc[(holes["name"] == "y") & (holes.index == 50), "a"] = np.nan
    detector = fitted(data=holes, columns=COLUMNS)
    assert len(detector.notes_) == 2
    answer = detector.predict(holes)
    assert len(answer) == 600
    missing = np.flatnonzero(answer["score"].isna())
    assert missing.tolist() == list(range(100, 130))
    assert not answer["is_anomaly"].iloc[100:130].any()
    assert answer["a_share"].iloc[350] == 0.0
    least = detector.decision_function(holes)[100:130]
    assert np.isfinite(least).all()
    assert (least == detector.decision_scores_.min()).all()


def test_the_first_rows_of_predictions_cannot_be_judged(prediction: Any, waves: np.ndarray) -> None:
    verdict = prediction._verdicts(prediction._read_again(waves, skip_short=False), causal=False)[0]
    assert np.flatnonzero(np.isnan(verdict.score)).tolist() == list(range(12))


def test_events_of_an_array_have_row_numbers(autoencoder: Any, waves: np.ndarray) -> None:
    found = autoencoder.events(waves, gap=5)
    assert list(found.columns) == ["start", "end", "rows", "peak"]
    top = found.loc[found["peak"].idxmax()]
    assert top["start"] <= 200 <= top["end"]
    none = autoencoder.events(waves[:100] * 0 + waves[:100].mean(0))
    assert list(none.columns) == ["start", "end", "rows", "peak"]
    with pytest.raises(SpecError, match="gap must be a whole number of at least 0; got -1"):
        autoencoder.events(waves, gap=-1)


def test_series_that_were_not_trained_on_are_served(fitted: Fitted, waves: np.ndarray) -> None:
    detector = fitted(data=long_frame(waves), columns=COLUMNS)
    other = long_frame(waves).replace({"name": {"y": "z"}})
    answer = detector.predict(other)
    assert answer["name"].unique().tolist() == ["x", "z"]
    same = detector.predict(long_frame(waves))
    np.testing.assert_array_equal(answer["score"].iloc[:300], same["score"].iloc[:300])
    assert not np.allclose(answer["score"].iloc[300:], same["score"].iloc[300:])


@pytest.mark.parametrize("method", ["autoencoder", tg.Prediction(horizon=2)])
@pytest.mark.parametrize("threshold", [0.02, tg.Spot(level=0.9, risk=0.02, depth=5), "dynamic"])
@pytest.mark.parametrize("likelihood", [None, tg.Likelihood(long=50, short=2)])
def test_a_file_gives_the_same_answers(
    method: Any, threshold: Any, likelihood: Any, fitted: Fitted, waves: np.ndarray, tmp_path: Path
) -> None:
    training = tg.Training(max_steps=3)
    detector = fitted(method=method, threshold=threshold, likelihood=likelihood, members=2, training=training)
    detector.save(tmp_path / "model")
    again = tg.AnomalyDetector.load(tmp_path / "model")
    assert again.get_params(deep=False) == {**detector.get_params(deep=False), "device": "cpu"}
    assert (again.threshold_, again.threshold_causal_) == (detector.threshold_, detector.threshold_causal_)
    for causal in (False, True):
        np.testing.assert_array_equal(
            again.decision_function(waves, causal=causal), detector.decision_function(waves, causal=causal)
        )
        np.testing.assert_array_equal(again.predict(waves, causal=causal), detector.predict(waves, causal=causal))
    assert again.score(waves) == detector.score(waves)
    assert not hasattr(again, "decision_scores_")
    if threshold == 0.02:
        assert again.contamination == 0.02
    else:
        with pytest.raises(StateError, match="only training rows tell the contamination of this threshold; call fit"):
            _ = again.contamination


def test_the_same_seed_gives_the_same_bits_and_the_inputs_stay(fitted: Fitted, waves: np.ndarray) -> None:
    first, second, third = fitted(), fitted(), fitted(seed=1)
    np.testing.assert_array_equal(first.decision_scores_, second.decision_scores_)
    assert not np.array_equal(first.decision_scores_, third.decision_scores_)


def test_a_fit_that_fails_leaves_the_old_one(autoencoder: Any, waves: np.ndarray) -> None:
    before = autoencoder.decision_function(waves)
    with pytest.raises(DataError):
        autoencoder.fit(np.full(30, np.nan))
    np.testing.assert_array_equal(autoencoder.decision_function(waves), before)


def test_the_score_is_higher_for_what_it_knows(autoencoder: Any, waves: np.ndarray) -> None:
    noise = waves + np.random.default_rng(0).normal(size=waves.shape)
    assert autoencoder.score(noise) < autoencoder.score(waves) < 0
    with pytest.raises(DataError):
        autoencoder.score(np.full_like(waves, np.nan))


def test_evaluation(autoencoder: Any, waves: np.ndarray) -> None:
    labels = np.zeros(300)
    labels[200] = 1
    found = autoencoder.evaluate_labels(waves, labels)
    assert list(found) == ["tidegate", "random", "deviation"]
    assert found["tidegate"]["event recall"] == 1.0
    assert found["tidegate"]["AUC-ROC"] > 0.95
    assert found["random"]["AUC-ROC"] < 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 1}, "context must be a whole number of at least 2; got 1"),
        ({"context": None}, "context must be a whole number of at least 2; got None"),
        ({"members": 0}, "members must be a whole number of at least 1; got 0"),
        ({"members": 1000}, "members must be at most 100, and context, with a season, at most 16,777,216 steps"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"scaling": "none"}, "scaling must be a Scaling(…); got 'none'"),
        ({"likelihood": True}, "likelihood must be a Likelihood(…) or None; got True"),
        (
            {"scaling": tg.Scaling(transform="boxcox")},
            "transform='boxcox' needs its power here; give Scaling(power=…), or use 'log' or 'log1p'",
        ),
        (
            {"scaling": tg.Scaling(output="season")},
            "a detector knows no seasons, which output='season' goes by; use another centre or output",
        ),
        (
            {"scaling": tg.Scaling(centre="season")},
            "a detector knows no seasons, which centre='season' goes by; use another centre or output",
        ),
        (
            {"scaling": tg.Scaling(output="trend")},
            "output='trend' is for predictions; an autoencoder builds the window itself: leave output out",
        ),
        (
            {"training": tg.Training(sampling=tg.Sampling(half_life=3.0))},
            "training.sampling chooses among windows; a detector draws all alike: leave it out",
        ),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        tg.AnomalyDetector(**options)
    assert str(caught.value) == message


def test_parameters_are_listed_and_set() -> None:
    detector = tg.AnomalyDetector(likelihood=tg.Likelihood(long=50))
    assert detector.get_params()["likelihood__long"] == 50
    changed = detector.set_params(network__hidden_size=5, threshold=0.2, likelihood__short=2)
    assert (changed.network, changed.threshold) == (tg.Recurrent(hidden_size=5), 0.2)
    assert changed.likelihood == tg.Likelihood(long=50, short=2)


@pytest.mark.parametrize(
    "action", ["decision_function", "predict", "events", "score", "threshold_", "threshold_causal_", "save"]
)
def test_before_fit(action: str) -> None:
    with pytest.raises(NotFittedError, match=rf"call fit\(…\) before {action}\(…\)"):
        getattr(tg.AnomalyDetector(), action)(np.zeros(50))
