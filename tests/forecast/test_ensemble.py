"""Several networks as one: their median, their losses, and what calibration does to their quantiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate import Direct, Forecaster, Member, Recurrent, Recursive, Scaling, Segments, Training, Uncertainty
from tidegate.data import Batch, Windows, read_frame
from tidegate.errors import SpecError
from tidegate.forecast.ensemble import EnsembleObjective, ForecastEnsemble
from tidegate.forecast.network import Design, ForecastNetwork
from tidegate.forecast.scores import seasonal_scales
from tidegate.nn.calibration import Calibration
from tidegate.training.feed import to_batch

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]
MakeDesign = Callable[..., Design]
MakeNetwork = Callable[..., ForecastNetwork]
MakeBatch = Callable[..., Batch[Tensor]]

P = torch.tensor([0.1, 0.25, 0.5, 0.9], dtype=torch.float64)


def joined(networks: list[ForecastNetwork], calibration: Calibration | None = None) -> ForecastEnsemble:
    """Put networks of their own together."""
    ensemble = ForecastEnsemble([network.design for network in networks], calibration)
    ensemble.members = torch.nn.ModuleList(networks)
    return ensemble.eval()


# -- the median ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 2, 3, 4])
def test_the_forecast_is_the_median_of_the_members_own(
    make_network: MakeNetwork, make_batch: MakeBatch, members: int
) -> None:
    networks = [make_network(seed=seed, uncertainty=Uncertainty(head="gaussian")) for seed in range(members)]
    ensemble, batch = joined(networks), make_batch(targets=1)
    with torch.inference_mode():
        points = np.stack([network(batch).numpy() for network in networks])
        np.testing.assert_allclose(ensemble(batch), np.median(points, axis=0))
        quantiles = np.stack([network.quantiles(batch, P, None).numpy() for network in networks])
        np.testing.assert_allclose(ensemble.quantiles(batch, P), np.sort(np.median(quantiles, axis=0), axis=-1))
    assert len(points) == 1 or points.std(axis=0).min() > 0


def test_an_ensemble_of_one_is_the_network(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    network, batch = make_network(uncertainty=Uncertainty(head="student_t")), make_batch()
    assert torch.equal(joined([network])(batch), network(batch))
    assert torch.equal(joined([network]).quantiles(batch, P), network.quantiles(batch, P, None))


def test_members_read_the_end_of_the_windows_that_they_need(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    long, short = make_network(context=12), make_network(context=8, seed=1)
    batch = make_batch()
    assert batch.observed is not None
    end = dataclasses.replace(batch, values=batch.values[:, 4:], observed=batch.observed[:, 4:])
    torch.testing.assert_close(joined([long, short])(batch), (long(batch) + short(end)) / 2)


def test_members_may_have_scalings_of_their_own(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    plain, log = make_network(), make_network(seed=1, scaling=Scaling(transform="log", method="robust"))
    batch = make_batch()
    torch.testing.assert_close(joined([plain, log])(batch), (plain(batch) + log(batch)) / 2)


def test_paths_of_recursive_members_are_drawn_one_after_the_other(
    make_network: MakeNetwork, make_batch: MakeBatch
) -> None:
    options: dict[str, Any] = {"strategy": Recursive(samples=20), "uncertainty": Uncertainty(head="gaussian")}
    networks = [make_network(seed=seed, **options) for seed in range(2)]
    batch, generator = make_batch(), torch.Generator().manual_seed(7)
    each = [network.quantiles(batch, P, generator) for network in networks]
    made = joined(networks).quantiles(batch, P, torch.Generator().manual_seed(7))
    torch.testing.assert_close(made, (each[0] + each[1]) / 2)


# -- calibration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", ["identity", "log"])
def test_calibration_stretches_in_the_scaled_units_of_the_first_member(
    make_network: MakeNetwork, make_batch: MakeBatch, transform: str
) -> None:
    networks = [
        make_network(uncertainty=Uncertainty(head="gaussian"), scaling=Scaling(transform=transform)),
        make_network(seed=1, uncertainty=Uncertainty(head="gaussian"), context=8),
    ]
    factors = torch.tensor([2.0, 3.0]).expand(4, 1, 2)
    ensemble = joined(networks, Calibration(torch.tensor([0.1, 0.9]), factors))
    batch, probabilities = make_batch(), torch.tensor([0.1, 0.9], dtype=torch.float64)
    assert batch.observed is not None
    with torch.inference_mode():
        found = ensemble.uncalibrated(batch, probabilities, None)
        stretched, point = ensemble.quantiles(batch, probabilities), ensemble(batch)
    forwards, back = (torch.log, torch.exp) if transform == "log" else (torch.clone, torch.clone)
    middle = forwards(point).unsqueeze(-1)
    expected = back(middle + torch.tensor([2.0, 3.0]) * (forwards(found) - middle))
    torch.testing.assert_close(stretched, expected.sort(-1).values)
    torch.testing.assert_close(ensemble(batch), point)  # the point stays


def test_quantiles_never_cross_whatever_the_factors(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    wild = torch.tensor([5.0, -3.0, 0.1, 2.0]).expand(4, 1, 4)
    ensemble = joined(
        [make_network(uncertainty=Uncertainty(head="quantiles"))],
        Calibration(torch.tensor([0.05, 0.3, 0.6, 0.9]), wild),
    )
    grid = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    assert (ensemble.quantiles(make_batch(), grid).diff(dim=-1) >= 0).all()


def test_independent_targets_are_calibrated_each_by_itself(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    factors = torch.stack([torch.full((4, 2), 2.0), torch.full((4, 2), 5.0)], dim=1)  # [horizon, target, p]
    network = make_network(strategy=Segments(), targets=2)
    ensemble = joined([network], Calibration(torch.tensor([0.1, 0.9]), factors))
    batch, probabilities = make_batch(targets=2), torch.tensor([0.1, 0.9], dtype=torch.float64)
    plain = network.quantiles(batch, probabilities, None)
    width = (ensemble.quantiles(batch, probabilities).diff(dim=-1) / plain.diff(dim=-1))[..., 0]
    torch.testing.assert_close(width, torch.tensor([2.0, 5.0], dtype=torch.float64).expand(3, 4, 2))


# -- the loss ------------------------------------------------------------------------------------------------


def loss_of(ensemble: ForecastEnsemble, batch: Batch[Tensor]) -> float:
    return float(EnsembleObjective()(ensemble, batch).loss.detach())


def test_the_loss_is_the_mean_of_the_members(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    networks = [make_network(loss=loss, seed=seed) for seed, loss in enumerate(("mae", "mse", "huber"))]
    batch, objective = make_batch(), EnsembleObjective()
    with torch.no_grad():
        each = [objective(joined([network]), batch) for network in networks]
        outcome = objective(joined(networks), batch)
    assert float(outcome.loss) == pytest.approx(sum(float(one.loss) for one in each) / 3)
    assert outcome.weight == each[0].weight


@pytest.mark.parametrize("loss", ["mae", "mse"])
def test_the_loss_is_that_of_scaled_errors_at_observed_targets(
    make_network: MakeNetwork, make_batch: MakeBatch, loss: str
) -> None:
    network, batch = make_network(loss=loss, targets=2), make_batch(targets=2, missing=0.4)
    assert batch.target is not None
    assert batch.target_observed is not None
    with torch.inference_mode():
        scale = network.scaling(batch.values, batch.observed).scale
        errors = ((network(batch) - batch.target) / scale)[batch.target_observed]
    expected = errors.abs().mean() if loss == "mae" else errors.square().mean()
    outcome = EnsembleObjective()(joined([network]), batch)
    assert float(outcome.loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    assert float(outcome.weight) == int(batch.target_observed.sum())


@pytest.mark.parametrize("unscaled", [0.5, 3.0])
def test_errors_in_the_units_of_the_data_count_beside_scaled_ones(
    make_network: MakeNetwork, make_batch: MakeBatch, unscaled: float
) -> None:
    network, batch = make_network(uncertainty=Uncertainty(unscaled=unscaled)), make_batch(missing=0)
    batch = dataclasses.replace(batch, values=batch.values * torch.tensor([1.0, 3.0, 9.0]).view(3, 1, 1))
    assert batch.target is not None
    with torch.inference_mode():
        scale = network.scaling(batch.values, batch.observed).scale
        errors = (network(batch) - batch.target).abs()
    expected = (errors / scale + unscaled * errors).mean() / (1 + unscaled * scale.mean())
    assert loss_of(joined([network]), batch) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("strategy", [None, Segments()], ids=["joint", "independent"])
def test_rows_of_weight_0_reach_neither_loss_nor_gradient(
    make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any
) -> None:
    options = {} if strategy is None else {"strategy": strategy}
    ensemble, batch = joined([make_network(targets=2, **options)]), make_batch(targets=2)
    assert batch.target is not None
    weight = torch.ones(3, 4, dtype=torch.float64)
    weight[0, 1] = weight[2, :3] = 0
    outliers = torch.where(weight.bool().unsqueeze(-1), batch.target, 1e9)
    found = []
    for target in (batch.target, outliers):
        outcome = EnsembleObjective()(ensemble, dataclasses.replace(batch, target=target, weight=weight))
        found.append([outcome.loss.detach(), *torch.autograd.grad(outcome.loss, list(ensemble.parameters()))])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    plain = dataclasses.replace(batch, weight=None)
    assert loss_of(ensemble, plain) != pytest.approx(loss_of(ensemble, dataclasses.replace(batch, weight=weight)))


def test_a_row_of_weight_3_counts_as_three(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    ensemble, batch = joined([make_network()]), make_batch(1)
    assert batch.target is not None
    assert batch.target_observed is not None
    steps = [
        loss_of(ensemble, dataclasses.replace(batch, weight=torch.eye(4, dtype=torch.float64)[step : step + 1]))
        for step in range(4)
    ]
    weights = torch.tensor([[3.0, 1.0, 0.0, 2.0]], dtype=torch.float64)
    seen = batch.target_observed[0, :, 0].double() * weights[0]
    expected = (seen * torch.tensor(steps, dtype=torch.float64)).sum() / seen.sum()
    assert loss_of(ensemble, dataclasses.replace(batch, weight=weights)) == pytest.approx(float(expected))


def test_only_ensembles_are_trained(make_batch: MakeBatch) -> None:
    with pytest.raises(TypeError, match="expected a ForecastEnsemble, got Linear"):
        EnsembleObjective()(torch.nn.Linear(1, 1), make_batch())


# -- fitted --------------------------------------------------------------------------------------------------


def test_members_differ_in_their_seeds_and_follow_from_the_forecasters(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame, training = make_frame(), Training(max_steps=5, batch_size=16)
    one, again = (make_forecaster(members=3, training=training).fit(frame) for _ in range(2))
    states = [network.state_dict() for network in one.network_.networks]
    for name, tensor in states[0].items():
        assert tensor.ndim < 2 or not any(torch.equal(tensor, other[name]) for other in states[1:]), name
    mine, other = one.network_.state_dict(), again.network_.state_dict()
    assert all(torch.equal(mine[name], other[name]) for name in mine)
    pd.testing.assert_frame_equal(one.predict(frame), again.predict(frame))


def test_a_single_member_is_the_forecaster_itself(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    alone, one = make_forecaster().fit(frame), make_forecaster(members=(Member(),)).fit(frame)
    pd.testing.assert_frame_equal(alone.predict(frame), one.predict(frame))


def test_members_of_a_fitted_forecaster_are_what_was_asked_for(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame()
    members = (Member(context=18), Member(context=12, loss="mse"), Member(scaling=Scaling(transform="boxcox")))
    model = make_forecaster(members=members, context=24).fit(frame)
    designs = [network.design for network in model.network_.networks]
    assert [design.context for design in designs] == [18, 12, 24]
    assert [design.loss for design in designs] == ["mae", "mse", "mae"]
    assert [design.scaling.transform for design in designs] == ["identity", "identity", "boxcox"]
    assert [design.power is None for design in designs] == [True, True, False]
    assert model.context_ == 24
    levels = model.predict(frame).groupby("unique_id")["y_hat"].mean()
    np.testing.assert_allclose(levels / [1, 10, 100], 5.5, rtol=0.25)


def test_only_points_have_a_loss_to_choose(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    model = make_forecaster(members=(Member(loss="mse"),), uncertainty=Uncertainty(head="gaussian"))
    with pytest.raises(SpecError, match="a head 'gaussian' is trained by a loss of its own; loss='mse' belongs to"):
        model.fit(make_frame())


def test_errors_in_the_units_of_the_series_are_those_of_mase(make_frame: MakeFrame) -> None:
    """A loss of ``units='series'`` on one step is the absolute error over the seasonal change of the training rows."""
    table = read_frame(make_frame())
    windows = Windows.sliding(table, context=12, horizon=4)
    units = seasonal_scales(table, table.offsets[1:], 6)[0]
    design = Design(
        strategy=Direct(),
        network=Recurrent(hidden_size=4),
        scaling=Scaling(output="last"),
        uncertainty=Uncertainty(units="series"),
        loss="mae",
        context=12,
        horizon=4,
        targets=1,
        season=6,
        seasons=(6,),
        segment=1,
    )
    ensemble = ForecastEnsemble([design]).eval()
    numbers = np.arange(0, len(windows), 7)
    batch = to_batch(dataclasses.replace(windows, units=units).batch(numbers), torch.device("cpu"))
    loss = float(EnsembleObjective()(ensemble, batch).loss.detach())
    with torch.no_grad():
        error = (ensemble(batch) - batch.target).abs()[..., 0].numpy()
    assert loss == pytest.approx(float((error / units[windows.series[numbers]]).mean()), rel=1e-6)
    plain = to_batch(windows.batch(numbers), torch.device("cpu"))
    assert loss != pytest.approx(float(EnsembleObjective()(ensemble, plain).loss.detach()), rel=1e-2)
