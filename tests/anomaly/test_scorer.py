from typing import Any

import numpy as np
import pytest
import torch

import tidegate as tg
from tidegate.anomaly.scorer import Scorer
from tidegate.anomaly.tables import read_data
from tidegate.data import Batch, SeriesTable
from tidegate.specs import Columns


def window_by_window(network: Any, values: np.ndarray, end: int) -> np.ndarray:
    """Give what the network makes of the window before row ``end``."""
    window = values[np.newaxis, end - network.design.context : end]
    observed = ~np.isnan(window)
    batch = Batch(
        values=torch.from_numpy(np.where(observed, window, 0.0)),
        observed=torch.from_numpy(observed),
        series=torch.tensor([0]),
    )
    with torch.inference_mode():
        made: np.ndarray = network(batch)[0].numpy()
    return made


def in_units(network: Any, values: np.ndarray) -> np.ndarray:
    scaling = network.series_scaling
    units: np.ndarray = (values - scaling.loc[0].numpy()) / scaling.scale[0].numpy()
    return units


@pytest.fixture
def gaps(waves: np.ndarray) -> np.ndarray:
    values = waves[150:230].copy()
    values[20:25, 0] = np.nan
    values[40:60] = np.nan  # longer than a window
    return values


def table_of(values: np.ndarray) -> SeriesTable:
    return read_data(values, Columns())


def test_errors_of_an_autoencoder(autoencoder: Any, gaps: np.ndarray) -> None:
    network, context = autoencoder.network_, 12
    units = in_units(network, gaps)
    found = Scorer(network).errors(table_of(gaps), 0, 0)
    made = {end: window_by_window(network, gaps, end) for end in range(context, len(gaps) + 1)}
    for row in range(len(gaps)):
        covering = [np.abs(units[row] - made[end][row - end]) for end in made if end - context <= row < end]
        np.testing.assert_allclose(found.batch[row], np.median(covering, axis=0), atol=1e-6)
        if row >= context - 1:
            np.testing.assert_allclose(found.causal[row], np.abs(units[row] - made[row + 1][-1]), atol=1e-6)
    assert np.isnan(found.causal[: context - 1]).all()
    assert np.isnan(found.batch[40:60]).all()


def test_errors_of_predictions(prediction: Any, gaps: np.ndarray) -> None:
    network, context = prediction.network_, 12
    units = in_units(network, gaps)
    found = Scorer(network).errors(table_of(gaps), 0, 0)
    assert found.batch is found.causal
    made = {end: window_by_window(network, gaps, end) for end in range(context, len(gaps))}
    for row in range(context, len(gaps)):
        about = [np.abs(units[row] - made[end][row - end]) for end in made if end <= row < end + 3]
        assert len(about) == min(3, row - context + 1)
        np.testing.assert_allclose(found.batch[row], np.median(about, axis=0), atol=1e-6)
    assert np.isnan(found.batch[:context]).all()


def test_a_series_of_one_window(autoencoder: Any, prediction: Any, waves: np.ndarray) -> None:
    table = table_of(waves[:12])
    found = Scorer(autoencoder.network_).errors(table, 0, 0)
    assert np.isfinite(found.batch).all()
    assert np.isfinite(found.causal[-1]).all()
    assert np.isnan(Scorer(prediction.network_).errors(table, 0, 0).batch).all()


def test_chunks_do_not_show(autoencoder: Any, waves: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(waves)
    whole = Scorer(autoencoder.network_).errors(table, 0, 0)
    monkeypatch.setattr("tidegate.anomaly.scorer._CHUNK", 7)
    parts = Scorer(autoencoder.network_).errors(table, 0, 0)
    np.testing.assert_allclose(parts.batch, whole.batch, atol=1e-6)
    np.testing.assert_allclose(parts.causal, whole.causal, atol=1e-6)


def test_only_batch_scores_are_smoothed(waves: np.ndarray) -> None:
    detectors = [
        tg.AnomalyDetector(
            method=tg.Prediction(horizon=2, smoothing=rows),
            context=6,
            network=tg.Recurrent(hidden_size=4),
            training=tg.Training(max_steps=2),
        ).fit(waves)
        for rows in (1, 5)
    ]
    plain, soft = (
        [each._errors(each._read_again(waves, skip_short=False), causal)[0] for causal in (False, True)]
        for each in detectors
    )
    np.testing.assert_allclose(soft[1], plain[1])
    np.testing.assert_allclose(soft[0][100], np.sqrt((plain[0][98:103] ** 2).mean(axis=0)))
