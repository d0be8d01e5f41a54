import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import tidegate as tg
from tidegate.anomaly.network import Design, Detection, DetectionObjective, Forecasting, Reconstruction
from tidegate.data import Batch
from tidegate.errors import DataError, SpecError


def design(**changes: Any) -> Design:
    options: dict[str, Any] = {
        "method": tg.Autoencoder(bottleneck=2),
        "network": tg.Recurrent(hidden_size=4),
        "scaling": tg.Scaling(method="standard", output="last"),
        "context": 5,
        "targets": 2,
        "series": 1,
        "members": 2,
    }
    return Design(**{**options, **changes})


def batch(horizon: int = 0) -> Batch[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 5, 2, generator=generator, dtype=torch.float64)
    observed = torch.rand(3, 5, 2, generator=generator) > 0.3
    target = torch.randn(3, horizon, 2, generator=generator, dtype=torch.float64) if horizon else None
    return Batch(
        values=values,
        observed=observed,
        target=target,
        target_observed=None if target is None else torch.ones(3, horizon, 2, dtype=torch.bool),
        series=torch.zeros(3, dtype=torch.int64),
    )


def test_an_autoencoder_has_the_window_from_its_bottleneck_alone() -> None:
    torch.manual_seed(0)
    network = Reconstruction(tg.Recurrent(hidden_size=4), targets=2, bottleneck=3).eval()
    x = torch.randn(2, 6, 4)
    made = network(x)
    assert made.shape == (2, 6, 2)
    with torch.no_grad():
        network.bottleneck.weight.zero_()
    again = network(x)
    torch.testing.assert_close(again[0], again[1])  # nothing of the window is left
    torch.testing.assert_close(network.newest(x), again[:, -1:])


@pytest.mark.parametrize(
    "parts",
    [
        tg.Recurrent(hidden_size=4, bidirectional=True),
        tg.Dilated(hidden_size=4, dilations=(1, 2)),
        (tg.Convolution(channels=3), tg.Recurrent(hidden_size=4)),
        tg.Recurrent(hidden_size=(5, 4), norm="layer"),
    ],
)
def test_the_newest_step_is_the_last_of_all(parts: Any) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4)
    encoder = Reconstruction(parts, targets=2, bottleneck=3).eval()
    torch.testing.assert_close(encoder.newest(x), encoder(x)[:, -1:])
    forecasting = Forecasting(parts, tg.Prediction(horizon=3), targets=2, context=6).eval()
    assert forecasting(x).shape == (2, 3, 2)
    torch.testing.assert_close(forecasting.newest(x), forecasting(x))


def test_the_decoder_begins_with_the_last_step() -> None:
    torch.manual_seed(0)
    network = Reconstruction(tg.Recurrent(hidden_size=4), targets=1, bottleneck=3).eval()
    code = network.bottleneck(network.encoder(torch.randn(1, 6, 2))[0][:, -1])
    outputs, _ = network.decoder(code.unsqueeze(1).expand(-1, 6, -1))
    torch.manual_seed(0)
    network = Reconstruction(tg.Recurrent(hidden_size=4), targets=1, bottleneck=3).eval()
    torch.testing.assert_close(network(torch.randn(1, 6, 2))[:, 0], network.dense(outputs)[:, -1])


def test_answers_are_the_mean_of_the_members_in_units_of_the_series() -> None:
    network = Detection(design()).eval()
    network.series_scaling.loc[:] = 5.0
    network.series_scaling.scale[:] = 2.0
    given = batch()
    assert given.observed is not None
    values, observed = network.units(given)
    torch.testing.assert_close(values[observed], (given.values[given.observed] - 5) / 2)
    made, truth, _ = network.compare(given)
    scale = network.window_scaling(values, observed)
    scale = dataclasses.replace(scale, scale=scale.scale.clamp_min(0.05))
    torch.testing.assert_close(network(given), scale.decode((made[0] + made[1]) / 2))
    torch.testing.assert_close(truth, scale.encode(values, observed))


def test_a_window_that_hardly_moves_is_not_blown_up() -> None:
    given = batch()
    calm = dataclasses.replace(given, values=given.values * 1e-6, observed=torch.ones(3, 5, 2, dtype=torch.bool))
    _, truth, _ = Detection(design()).compare(calm)
    assert truth.abs().max() < 1e-4


@pytest.mark.parametrize("horizon", [0, 3])
def test_the_loss_is_the_mean_of_the_members(horizon: int) -> None:
    method: Any = tg.Prediction(horizon=3, loss="mse") if horizon else tg.Autoencoder(bottleneck=2, loss="mse")
    network, given = Detection(design(method=method)), batch(horizon)
    made, truth, observed = network.compare(given)
    expected = torch.stack([((each - truth)[observed] ** 2).mean() for each in made]).mean()
    outcome = DetectionObjective()(network, given)
    torch.testing.assert_close(outcome.loss.double(), expected, rtol=1e-5, atol=0)
    assert float(outcome.weight) == float(observed.sum())


def test_what_is_missing_reaches_nothing() -> None:
    network, given = Detection(design()).eval(), batch()
    assert given.observed is not None
    before = network(given).detach().clone()
    given.values[~given.observed] = 1e9
    np.testing.assert_array_equal(network(given).detach(), before)


def test_batches_that_cannot_be() -> None:
    with pytest.raises(DataError, match="a detector by prediction is trained on windows with targets and masks"):
        Detection(design(method=tg.Prediction())).compare(batch())
    with pytest.raises(TypeError, match="expected a Detection, got Linear"):
        DetectionObjective()(torch.nn.Linear(1, 1), batch())


def test_a_season_shows_what_came_a_season_before_the_steps_to_predict() -> None:
    method = tg.Prediction(horizon=3, season=4, linear=True)
    network = Forecasting(tg.Recurrent(hidden_size=4), method, targets=1, context=6)  # two steps, and four before them
    x = torch.stack([torch.arange(6.0), torch.ones(6)], dim=-1)[np.newaxis]
    assert network.plain(x).tolist() == [[4, 5, 1, 2, 3, 4]]  # step 6 is to come, and step 2 a season before it
    assert network.linear is not None
    with torch.no_grad():
        network.linear.weight.zero_()
        network.linear.bias.zero_()
        network.linear.weight[:, 3:] = torch.eye(3)  # the season before, as a seasonal naive forecast has it
    assert network(x).flatten().tolist() == [2, 3, 4]


def test_a_horizon_beyond_the_season_is_refused() -> None:
    message = (
        r"^season must be 0 or at least the horizon, since what came a season before must be known; got season=4, "
        r"horizon=5$"
    )
    with pytest.raises(SpecError, match=message):
        tg.Prediction(horizon=5, season=4)
    with pytest.raises(SpecError, match=r"^together must be one of"):
        tg.Prediction(together="sum")
