"""One network: in and out in the units of the data, whatever the strategy, the head and the scaling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate import Direct, EncoderDecoder, Recursive, Scaling, Segments, Smoothing, Uncertainty
from tidegate.data import Batch
from tidegate.errors import DataError, SpecError
from tidegate.forecast.covariates import CovariateShapes
from tidegate.forecast.network import ForecastNetwork
from tidegate.forecast.strategies.recursive import RecursiveStrategy

MakeNetwork = Callable[..., ForecastNetwork]
MakeBatch = Callable[..., Batch[Tensor]]

STRATEGIES: list[Any] = [Direct(), Recursive(), EncoderDecoder(), Segments(), Smoothing()]
ALONE = [Direct(channels="independent"), EncoderDecoder(channels="independent"), Segments()]
HEADS = ("point", "quantiles", "gaussian", "student_t", "negative_binomial")
CASES: list[tuple[str, Any]] = [
    (head, spec) for head in HEADS for spec in STRATEGIES if (head, spec.kind) != ("negative_binomial", "smoothing")
]
COUNTS = Scaling(method="mean", output="centre")
EVERY = CovariateShapes(past=(True,), known=(False, True), static=(False,), categories=(2,))
P = torch.tensor([0.05, 0.1, 0.5, 0.9, 0.95], dtype=torch.float64)


def named(spec: Any) -> str:
    return str(getattr(spec, "kind", spec))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("head", "strategy"), CASES, ids=named)
def test_points_and_quantiles_have_the_units_of_the_data(
    make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any, head: str
) -> None:
    counts = head == "negative_binomial"
    network = make_network(
        strategy=strategy, uncertainty=Uncertainty(head=head), scaling=COUNTS if counts else Scaling(), targets=2
    )
    batch = make_batch(targets=2)
    with torch.inference_mode():
        point, quantiles = network(batch), network.quantiles(batch, P, generator())
    assert point.shape == (3, 4, 2)
    assert quantiles.shape == (3, 4, 2, 5)
    assert (quantiles.diff(dim=-1) >= 0).all()
    assert quantiles.isfinite().all()
    assert ((point > 0) & (point < 1000)).all()  # values lie between 50 and 60
    if not isinstance(strategy, Recursive):  # its point feeds medians back, its paths what was drawn
        torch.testing.assert_close(quantiles[..., 2], point, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=named)
def test_another_unit_is_another_unit(make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any) -> None:
    network, batch = make_network(strategy=strategy, uncertainty=Uncertainty(head="gaussian")), make_batch()
    moved = dataclasses.replace(batch, values=batch.values * 1024 - 4096)
    with torch.inference_mode():
        torch.testing.assert_close(network(moved), network(batch) * 1024 - 4096, rtol=1e-5, atol=1e-2)
        one, two = (network.quantiles(part, P, generator()) for part in (batch, moved))
    torch.testing.assert_close(two, one * 1024 - 4096, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=named)
def test_what_stands_at_unobserved_places_is_not_read(
    make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any
) -> None:
    network, batch = make_network(strategy=strategy, targets=2), make_batch(targets=2, missing=0.3)
    assert batch.observed is not None
    for filling in (0.0, 1e30, torch.nan):
        filled = dataclasses.replace(batch, values=batch.values.masked_fill(~batch.observed, filling))
        assert torch.equal(network(filled), network(batch))


@pytest.mark.parametrize("strategy", [*STRATEGIES, *ALONE[:2]], ids=named)
def test_of_a_longer_context_the_end_is_read(make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any) -> None:
    shapes = EVERY if not isinstance(strategy, Recursive) else dataclasses.replace(EVERY, past=())
    network = make_network(strategy=strategy, covariates=shapes, targets=2)
    longer = make_batch(context=20, covariates=shapes, targets=2)
    assert longer.observed is not None
    assert longer.known is not None
    end = dataclasses.replace(
        longer,
        values=longer.values[:, 8:],
        observed=longer.observed[:, 8:],
        past=None if longer.past is None else longer.past[:, 8:],
        known=longer.known[:, 8:],
    )
    assert torch.equal(network(longer), network(end))
    other = dataclasses.replace(longer, values=torch.cat([longer.values[:, :8] * 3, longer.values[:, 8:]], dim=1))
    assert torch.equal(network(other), network(end))


def test_a_logarithm_carries_quantiles_over_exactly(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    head = Uncertainty(head="student_t")
    plain, log = (make_network(uncertainty=head, scaling=Scaling(transform=name)) for name in ("identity", "log"))
    batch = make_batch(missing=0)
    logs = dataclasses.replace(batch, values=batch.values.log())
    with torch.inference_mode():
        torch.testing.assert_close(log(batch), plain(logs).exp())
        torch.testing.assert_close(log.quantiles(batch, P, None), plain.quantiles(logs, P, None).exp())


def test_gaussian_quantiles_are_those_of_the_raw_outputs(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    network, batch = make_network(uncertainty=Uncertainty(head="gaussian")), make_batch()
    assert batch.observed is not None
    raw, scale = network.raw(batch)
    mean = raw[..., 0] * scale.scale + scale.loc
    spread = (torch.nn.functional.softplus(raw[..., 1]) + 1e-4) * scale.scale
    expected = mean.unsqueeze(-1) + spread.unsqueeze(-1) * torch.special.ndtri(P)
    torch.testing.assert_close(network.quantiles(batch, P, None), expected)
    seen = batch.values[0, batch.observed[0, :, 0], 0]
    assert scale.loc[0].item() == pytest.approx(seen.mean().item())  # of the observed context alone
    assert scale.scale[0].item() == pytest.approx(seen.std(correction=0).item())


# -- recursive: quantiles out of paths -----------------------------------------------------------------------


@torch.inference_mode()
def test_paths_give_the_quantiles_of_the_first_step(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    network = make_network(strategy=Recursive(samples=20_000), uncertainty=Uncertainty(head="gaussian"))
    batch = make_batch(1)
    raw, scale = network.raw(batch)
    expected = scale.decode(network.meaning.quantiles(raw, P, scale.scale))
    drawn = network.quantiles(batch, P, generator())
    spread = float(expected[0, 0, 0, -1] - expected[0, 0, 0, 0])
    torch.testing.assert_close(drawn[:, 0], expected[:, 0], rtol=0, atol=0.03 * spread)


def test_paths_follow_from_the_generator_alone(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    network = make_network(strategy=Recursive(samples=30), uncertainty=Uncertainty(head="student_t"))
    batch = make_batch()
    one = network.quantiles(batch, P, generator(3))
    torch.manual_seed(99)
    assert torch.equal(network.quantiles(batch, P, generator(3)), one)
    assert not torch.equal(network.quantiles(batch, P, generator(4)), one)
    with pytest.raises(SpecError, match="the quantiles of a recursive network are drawn; give a generator"):
        network.quantiles(batch, P, None)


def test_a_context_that_is_read_once_gives_the_paths_of_one_read_for_each(
    make_network: MakeNetwork, make_batch: MakeBatch
) -> None:
    shapes = CovariateShapes(known=(False, True), static=(False,), categories=(2,))
    network = make_network(strategy=Recursive(), uncertainty=Uncertainty(head="gaussian"), covariates=shapes, targets=2)
    batch = make_batch(covariates=shapes, targets=2)
    assert batch.target is not None
    batch = dataclasses.replace(batch, given=batch.target.masked_fill(batch.target < 56, torch.nan))
    context, _ = network.prepared(batch)
    assert isinstance(network.strategy, RecursiveStrategy)
    once = network.strategy.sampled(context, generator(), paths=5)
    each = network.strategy.sampled(context.repeated(5), generator())
    torch.testing.assert_close(once, each)


def test_the_point_of_a_recursive_network_needs_no_generator(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    network, batch = make_network(strategy=Recursive()), make_batch()
    point = network(batch)
    spread = network.quantiles(batch, P, None) - point.unsqueeze(-1)
    scale = network.prepared(batch)[1].scale
    torch.testing.assert_close(spread, (torch.special.ndtri(P) * scale.unsqueeze(-1)).expand_as(spread))


# -- each target by itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ALONE, ids=named)
def test_targets_reach_no_other_targets_forecast(
    make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any
) -> None:
    network = make_network(strategy=strategy, targets=3, covariates=EVERY, uncertainty=Uncertainty(head="gaussian"))
    batch = make_batch(targets=3, covariates=EVERY)
    changed = batch.values.clone()
    changed[:, :, 1] *= 7
    other = dataclasses.replace(batch, values=changed)
    for ask in (network, lambda given: network.quantiles(given, P, None)):
        before, after = ask(batch), ask(other)
        assert torch.equal(before[:, :, [0, 2]], after[:, :, [0, 2]])
        assert not torch.equal(before[:, :, 1], after[:, :, 1])


@pytest.mark.parametrize("strategy", ALONE, ids=named)
def test_targets_differ_by_their_marks_alone(make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any) -> None:
    network = make_network(strategy=strategy, targets=3, covariates=EVERY)
    batch, order = make_batch(targets=3, covariates=EVERY), [2, 0, 1]
    assert batch.observed is not None
    turned = dataclasses.replace(batch, values=batch.values[..., order], observed=batch.observed[..., order])
    before = network(batch)
    assert not torch.allclose(network(turned), before[..., order])
    assert network.marks is not None
    with torch.no_grad():
        network.marks.weight.copy_(network.marks.weight[order].clone())
    torch.testing.assert_close(network(turned), before[..., order])
    with torch.no_grad():
        network.marks.weight.zero_()
    torch.testing.assert_close(network(turned), network(batch)[..., order])


@pytest.mark.parametrize("strategy", ALONE, ids=named)
def test_one_target_needs_no_mark(make_network: MakeNetwork, strategy: Any) -> None:
    network = make_network(strategy=strategy, targets=1)
    assert network.marks is None
    assert not network.design.independent


def test_independent_targets_are_compared_as_rows(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    network, batch = make_network(strategy=Segments(), targets=2), make_batch(targets=2)
    assert batch.target is not None
    assert batch.target_observed is not None
    raw, truth, seen, scale = network.compare(batch)
    assert raw.shape == (6, 4, 1, 1)
    assert torch.equal(seen[:, :, 0], torch.cat([batch.target_observed[..., 0], batch.target_observed[..., 1]]))
    unscaled = truth * scale.scale + scale.loc
    both = torch.cat([batch.target[..., 0], batch.target[..., 1]])
    torch.testing.assert_close(unscaled[..., 0][seen[..., 0]], both[seen[..., 0]])
    torch.testing.assert_close(scale.decode(raw[..., 0]), network(batch).permute(2, 0, 1).reshape(6, 4, 1))


# -- training ------------------------------------------------------------------------------------------------


def test_windows_without_targets_cannot_be_trained_on(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    batch = dataclasses.replace(make_batch(), target=None)
    with pytest.raises(DataError, match="a forecaster is trained on windows with targets and masks"):
        make_network().compare(batch)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=named)
def test_missing_targets_reach_nothing(make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any) -> None:
    network, batch = make_network(strategy=strategy, targets=2), make_batch(targets=2, missing=0.3)
    assert batch.target is not None
    assert batch.target_observed is not None
    filled = dataclasses.replace(batch, target=batch.target.masked_fill(~batch.target_observed, 1e30))
    for one, two in zip(network.compare(batch)[:3], network.compare(filled)[:3], strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=named)
def test_every_parameter_is_trained(make_network: MakeNetwork, make_batch: MakeBatch, strategy: Any) -> None:
    shapes = EVERY if not isinstance(strategy, Recursive) else dataclasses.replace(EVERY, past=())
    network = make_network(strategy=strategy, covariates=shapes, targets=2, season=4, series=3)
    batch = make_batch(batch=3, covariates=shapes, targets=2)
    raw, truth, seen, _ = network.compare(batch)
    loss = ((raw[..., 0] - truth) * seen).square().sum()
    named = dict(network.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    idle = [name for name, each in zip(named, found, strict=True) if each is None or not each.any()]
    assert idle == []


@pytest.mark.parametrize("strategy", [Direct(highway=3), Direct(experts=2), Segments(highway=3)], ids=str)
def test_counts_refuse_highways_that_they_would_not_see(make_network: MakeNetwork, strategy: Any) -> None:
    with pytest.raises(SpecError, match="a highway moves what outputs are measured from, and a head for counts"):
        make_network(strategy=strategy, uncertainty=Uncertainty(head="negative_binomial"), scaling=COUNTS)


def test_counts_refuse_scalings_that_shift(make_network: MakeNetwork) -> None:
    with pytest.raises(SpecError, match="a head for counts needs values that are scaled only"):
        make_network(uncertainty=Uncertainty(head="negative_binomial"), scaling=Scaling(method="standard"))
