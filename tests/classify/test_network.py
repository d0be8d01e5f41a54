from __future__ import annotations

import dataclasses

import numpy as np
import torch

from tidegate.classify.network import Design, SeriesNetwork, SeriesObjective
from tidegate.data import Batch
from tidegate.specs import Augmentation, Recurrent

DESIGN = Design(
    network=Recurrent(hidden_size=4),
    pooling="mean",
    dropout=0.0,
    scaling="train",
    augmentation=None,
    channels=2,
    outputs=3,
    missing=True,
)


def network(**changes: object) -> SeriesNetwork:
    torch.manual_seed(0)
    module = SeriesNetwork(dataclasses.replace(DESIGN, **changes))  # type: ignore[arg-type]
    module.scaling.fit(np.array([[0.0, 10.0], [2.0, 30.0]]))
    return module


def test_what_the_parts_read() -> None:
    x = torch.tensor([[[2.0, torch.nan], [1.0, 30.0]]], dtype=torch.float64)
    assert network().prepared(x).tolist() == [[[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]]
    assert network(missing=False).prepared(x).tolist() == [[[1.0, 0.0], [0.0, 1.0]]]


def test_values_are_scaled_before_they_lose_digits() -> None:
    module = network()
    module.scaling.fit(np.array([[1e9, 0.0], [1e9 + 2, 1.0]]))
    x = torch.tensor([[[1e9 + 1.5, 0.0]]], dtype=torch.float64)
    assert module.prepared(x)[0, 0, 0].item() == 0.5


def test_changes_are_made_in_training_only() -> None:
    module, x = network(augmentation=Augmentation(probability=1)), torch.randn(2, 5, 2)
    plain = network()
    torch.testing.assert_close(module.eval()(x), plain(x))
    assert not torch.equal(module.train()(x), plain(x))


def test_the_loss_by_hand_with_weights() -> None:
    module = network()
    x, lengths = torch.randn(3, 5, 2, dtype=torch.float64), torch.tensor([5, 3, 1])
    codes, weight = torch.tensor([0, 2, 1]), torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    outcome = SeriesObjective("cross_entropy")(module, Batch(values=x, lengths=lengths, target=codes, weight=weight))
    logs = torch.log_softmax(module(x, lengths=lengths), dim=1)
    torch.testing.assert_close(outcome.loss, -(logs[0, 0] + 0.5 * logs[1, 2]) / 1.5)
    assert float(outcome.weight) == 1.5


def test_the_loss_of_numbers() -> None:
    module = network(outputs=1)
    x, target = torch.randn(3, 5, 2), torch.randn(3, dtype=torch.float64)
    outcome = SeriesObjective("mse")(module, Batch(values=x, target=target))
    expected = (module(x)[:, 0] - target).square().mean()
    torch.testing.assert_close(outcome.loss, expected.float())
