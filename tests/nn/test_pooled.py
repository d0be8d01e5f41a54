from __future__ import annotations

import pytest
import torch

from tidegate.errors import SpecError
from tidegate.nn import PooledNetwork, Pooling, build_network
from tidegate.specs import Recurrent


def _network(kind: str = "attention", dropout: float = 0.0) -> PooledNetwork:
    torch.manual_seed(0)
    network = build_network(Recurrent(hidden_size=4, bidirectional=True), 3)
    return PooledNetwork(network, Pooling(8, kind, bidirectional=True), 2, dropout=dropout)


def test_it_is_network_pooling_and_a_linear_map() -> None:
    model, x, lengths = _network("mean_max"), torch.randn(2, 5, 3), torch.tensor([5, 2])
    steps, _ = model.network(x, lengths=lengths)
    expected = model.pooling(steps, lengths=lengths) @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(x, lengths=lengths), expected)


def test_a_sequence_is_answered_alone_as_in_a_padded_batch() -> None:
    model = _network()
    x = torch.randn(2, 5, 3)
    together = model(x, lengths=torch.tensor([5, 2]))
    torch.testing.assert_close(model(x[1:, :2]), together[1:])


def test_weights_are_those_of_the_pooling() -> None:
    weights = _network().weights(torch.randn(2, 5, 3), lengths=torch.tensor([5, 2]))
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    assert weights[1, 2:].tolist() == [0, 0, 0]


def test_dropout_acts_in_training_only() -> None:
    model, x = _network(dropout=0.5), torch.randn(2, 5, 3)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_widths_must_fit() -> None:
    with pytest.raises(SpecError, match="pooling takes 6 features, the network gives 4"):
        PooledNetwork(build_network(Recurrent(hidden_size=4), 3), Pooling(6), 2)
