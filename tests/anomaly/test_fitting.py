import numpy as np
import pytest

import tidegate as tg
from tidegate.anomaly.fitting import _windows
from tidegate.anomaly.network import Design
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
