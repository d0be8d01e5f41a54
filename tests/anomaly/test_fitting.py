import numpy as np
import pytest

import tidegate as tg
from tidegate.anomaly.fitting import _windows
from tidegate.anomaly.network import Design, Forecasting
from tidegate.anomaly.tables import read_data
from tidegate.data import SeriesTable
from tidegate.errors import ShortSeriesError


def design(ahead: int) -> Design:
    method = tg.Prediction(horizon=ahead) if ahead else tg.Autoencoder()
    return Design(
        method=method,
        network=tg.Recurrent(hidden_size=2),
        scaling=tg.Scaling(),
        context=4,
        targets=1,
        series=2,
        members=1,
    )


def table(*lengths: int) -> SeriesTable:
    values = np.arange(float(sum(lengths)))
    return SeriesTable(
        ids=np.arange(len(lengths)),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        times=np.concatenate([np.arange(length) for length in lengths]),
        values=values[:, np.newaxis],
        columns=tg.Columns(targets=("y",), frequency=1),
    )


@pytest.mark.parametrize(("ahead", "train", "held"), [(0, [4, 5, 6, 7, 8], [9, 10]), (2, [4, 5, 6], [7, 8])])
def test_the_last_rows_stop_the_training_and_are_not_trained_on(ahead: int, train: list[int], held: list[int]) -> None:
    windows, validation = _windows(table(10), design(ahead), 0.2)
    assert windows.ends.tolist() == train
    assert max(train) + ahead == 8
    assert validation is not None
    assert validation.ends.tolist() == held


def test_without_validation_all_train() -> None:
    windows, validation = _windows(table(6, 5), design(0), 0.0)
    assert windows.ends.tolist() == [4, 5, 6, 10, 11]
    assert validation is None


def test_a_series_too_short_to_be_parted_is_held_out_whole() -> None:
    windows, validation = _windows(table(20, 4), design(0), 0.2)
    assert windows.series.tolist() == [0] * 13
    assert validation is not None
    assert validation.series.tolist() == [0] * 4 + [1]


def test_windows_without_values_do_not_train() -> None:
    values = np.arange(12.0)
    values[3:9] = np.nan
    windows, _ = _windows(read_data(values, tg.Columns()), design(0), 0.0)
    assert windows.ends.tolist() == [4, 5, 6, 10, 11, 12]
    windows, _ = _windows(read_data(values, tg.Columns()), design(1), 0.0)
    assert windows.ends.tolist() == [9, 10, 11][1:]
    with pytest.raises(ShortSeriesError, match="no series has a window of 6 rows with observed values; give longer"):
        _windows(read_data(values[:5], tg.Columns()), design(2), 0.0)


def test_the_linear_part_is_a_ridge_regression_over_the_training_windows() -> None:
    values = np.random.default_rng(6).normal(size=90).cumsum()
    method = tg.Prediction(horizon=2, season=5, linear=True)
    detector = tg.AnomalyDetector(
        method=method,
        context=3,
        network=tg.Recurrent(hidden_size=8),
        scaling=tg.Scaling(method="none", output="centre"),
        training=tg.Training(max_steps=1),
    )
    (member,) = detector.fit(values).network_.networks
    assert isinstance(member, Forecasting)
    linear = member.linear
    assert linear is not None
    scaled = (values - values.mean()) / values.std()
    held = round(detector.training.validation * 90)
    ends = range(8, 90 - held - 1)  # the row that follows a window
    x = np.array([[*scaled[end - 3 : end], *scaled[end - 6 : end - 3], 1.0] for end in ends])
    y = np.array([scaled[end : end + 2] for end in ends])
    solved = np.linalg.solve(x.T @ x + np.diag([3.0] * 6 + [1e-6]), x.T @ y)
    np.testing.assert_allclose(linear.weight.numpy(), solved[:-1].T, atol=1e-5)
    np.testing.assert_allclose(linear.bias.numpy(), solved[-1], atol=1e-5)


def test_the_linear_part_needs_no_training_to_know_a_season() -> None:
    steps = np.arange(400)
    values = np.sin(steps * 2 * np.pi / 24) + np.random.default_rng(7).normal(size=400) / 100
    method = tg.Prediction(horizon=4, season=24, linear=True, together="mean")
    detector = tg.AnomalyDetector(
        method=method,
        context=6,
        network=tg.Recurrent(hidden_size=8),
        scaling=tg.Scaling(method="none"),
        training=tg.Training(max_steps=1),
    )
    changed = values.copy()
    changed[300] += 0.5
    scores = detector.fit(values[:200]).decision_function(changed, causal=True)
    assert int(scores[:303].argmax()) == 300
    assert scores[300] > 20 * np.median(scores[40:300])
    stream = detector.stream()
    streamed = np.array([stream.score_one(value) for value in changed])
    np.testing.assert_allclose(streamed[60:], scores[60:], rtol=1e-4)
