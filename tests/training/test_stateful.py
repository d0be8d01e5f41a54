from __future__ import annotations

import torch
from torch import Tensor, nn

from tidegate.nn import LSTM
from tidegate.training.stateful import (
    load_transient_buffers,
    reset_states,
    stateful_layers,
    states_aside,
    transient_buffers,
)


class Counter(nn.Module):
    count: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("count", None, persistent=False)
        self.register_buffer("kept", torch.ones(1))

    def reset_states(self) -> None:
        self.count = None

    def forward(self, values: Tensor) -> Tensor:
        self.count = torch.ones(1) if self.count is None else self.count + 1
        return values


def test_layers_with_a_state_are_found_at_any_depth() -> None:
    inner = Counter()
    assert stateful_layers(nn.Sequential(nn.Linear(1, 1), nn.Sequential(inner))) == [inner]


def test_layers_of_tidegate_carry_a_state_when_told() -> None:
    plain, told = LSTM(1, 2), LSTM(1, 2, stateful=True)
    assert stateful_layers(nn.Sequential(plain, told)) == [told]
    told(torch.ones(3, 1, 1))
    kept = transient_buffers(told)
    with states_aside(told):
        told(torch.zeros(3, 5, 1))  # another batch size
    given_back = transient_buffers(told)
    assert len(kept) == 2
    for name, value in kept.items():
        assert value is not None
        assert value.any()
        torch.testing.assert_close(given_back[name], value, rtol=0, atol=0)


def test_transient_buffers_are_copied_and_put_back() -> None:
    counter = Counter()
    net = nn.Sequential(counter)
    assert transient_buffers(net) == {"0.count": None}
    net(torch.zeros(1))
    kept = transient_buffers(net)
    assert counter.count is not None
    counter.count.add_(5)
    load_transient_buffers(net, kept)
    assert counter.count.item() == 1
    reset_states(net)
    assert transient_buffers(net) == {"0.count": None}


def test_a_module_that_is_itself_stateful() -> None:
    net = Counter()
    net(torch.zeros(1))
    kept = transient_buffers(net)
    net.reset_states()
    load_transient_buffers(net, kept)
    assert net.count is not None
    assert net.count.item() == 1


def test_a_block_with_states_aside_begins_anew_and_leaves_no_trace() -> None:
    net = Counter()
    net(torch.zeros(1))
    with states_aside(net):
        assert net.count is None
        net(torch.zeros(1))
        net(torch.zeros(1))
    assert net.count is not None
    assert net.count.item() == 1
