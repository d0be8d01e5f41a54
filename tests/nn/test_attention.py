from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.attention import SCORES, Attention

BATCH, TIME, QUERIES, SIZE = 3, 5, 4, 6
LENGTHS = torch.tensor([5, 2, 0])  # the last sequence offers nothing to attend to


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def attention(**options: Any) -> Attention:
    return Attention(SIZE, **options).double()


VARIANTS = [
    {"score": "scaled_dot_product", "query_size": SIZE},
    {"score": "scaled_dot_product", "query_size": 7, "hidden_size": 8},
    {"score": "scaled_dot_product"},
    {"score": "scaled_dot_product", "hidden_size": 8},
    {"score": "additive", "query_size": 7},
    {"score": "additive", "query_size": 7, "hidden_size": 8},
    {"score": "additive"},
]


def query_for(module: Attention, *time: int) -> Tensor | None:
    return None if module.query_size is None else draw(BATCH, *time, module.query_size)


def test_dot_product_is_torch_scaled_dot_product_attention() -> None:
    module = attention(query_size=SIZE)
    values, keys, query = draw(BATCH, TIME, 2), draw(BATCH, TIME, SIZE), draw(BATCH, QUERIES, SIZE)
    expected = functional.scaled_dot_product_attention(query, keys, values)
    torch.testing.assert_close(module(values, query, keys=keys), expected)
    torch.testing.assert_close(module(values, query, keys=keys, return_weights=True)[0], expected)
    causal = torch.ones(TIME, TIME, dtype=torch.bool).tril().expand(BATCH, -1, -1)
    expected = functional.scaled_dot_product_attention(keys, keys, values, is_causal=True)
    torch.testing.assert_close(module(values, keys, keys=keys, mask=causal), expected)


def test_additive_follows_the_equations() -> None:
    module = attention(query_size=7, score="additive", hidden_size=8)
    values, query = draw(BATCH, TIME, SIZE), draw(BATCH, QUERIES, 7)
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    expected = torch.zeros(BATCH, QUERIES, SIZE, dtype=torch.float64)
    for b in range(BATCH):
        for i in range(QUERIES):
            energies = []
            for t in range(TIME):
                inner = parameters["score.query.weight"] @ query[b, i] + parameters["score.key.weight"] @ values[b, t]
                energies.append(parameters["score.energy.weight"][0] @ torch.tanh(inner + parameters["score.key.bias"]))
            weights = torch.stack(energies).exp()
            expected[b, i] = (weights / weights.sum()) @ values[b]
    torch.testing.assert_close(module(values, query).detach(), expected)


def test_projected_dot_product_and_learned_query() -> None:
    module = attention(hidden_size=8)
    values = draw(BATCH, TIME, SIZE)
    assert isinstance(module.score.query, nn.Parameter)
    assert isinstance(module.score.key, nn.Linear)
    energies = (values @ module.score.key.weight.T) @ module.score.query[0] / math.sqrt(8)  # [batch, time]
    torch.testing.assert_close(module(values), (energies.softmax(-1)[:, None] @ values)[:, 0])


@pytest.mark.parametrize("options", VARIANTS)
def test_padding_has_no_weight_and_an_empty_sequence_gives_zeros(options: dict[str, Any]) -> None:
    module = attention(**options)
    values, query = draw(BATCH, TIME, SIZE), query_for(module, QUERIES)
    output, weights = module(values, query, lengths=LENGTHS, return_weights=True)
    padding = torch.arange(TIME) >= LENGTHS[:, None]
    assert weights.movedim(-1, 1)[padding].abs().max().item() == 0
    totals = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(weights.sum(-1).detach(), totals.expand(*weights.shape[1:-1], 3).movedim(-1, 0))
    assert output[2].abs().max().item() == 0

    torch.testing.assert_close(module(values, query, lengths=LENGTHS), output)  # the fused way, where there is one
    torch.testing.assert_close(module(values, query, mask=~padding), output)
    short = None if query is None else query[1:2]
    torch.testing.assert_close(module(values[1:2, :2], short), output[1:2])  # as if the padding were not there
    changed = torch.where(padding[:, :, None], 1e3, values)
    torch.testing.assert_close(module(changed, query, lengths=LENGTHS), output)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("return_weights", [False, True])
def test_gradients(options: dict[str, Any], return_weights: bool) -> None:
    module = attention(**options)
    inputs = [draw(BATCH, TIME, SIZE).requires_grad_(), *module.parameters()]
    query = query_for(module, 2)
    if query is not None:
        inputs.append(query.requires_grad_())

    def attend(values: Tensor, *_: Tensor) -> Any:
        return module(values, query, lengths=LENGTHS, return_weights=return_weights)

    assert torch.autograd.gradcheck(attend, inputs)
    if return_weights:
        assert torch.autograd.gradgradcheck(attend, inputs, fast_mode=True)


@pytest.mark.parametrize("options", VARIANTS)
def test_one_query_a_sequence(options: dict[str, Any]) -> None:
    module = attention(**options)
    values, query = draw(BATCH, TIME, SIZE), query_for(module)
    output, weights = module(values, query, return_weights=True)
    assert (output.shape, weights.shape) == ((BATCH, SIZE), (BATCH, TIME))
    if query is not None:
        torch.testing.assert_close(module(values, query[:, None])[:, 0], output)


def test_a_mask_a_query_and_lengths_go_together() -> None:
    module = attention(query_size=SIZE)
    values = draw(BATCH, TIME, SIZE)
    causal = torch.ones(TIME, TIME, dtype=torch.bool).tril(-1).expand(BATCH, -1, -1)  # the first query sees nothing
    _, weights = module(values, values, mask=causal, lengths=LENGTHS, return_weights=True)
    assert weights[0, 0].abs().max().item() == 0
    assert weights[0, 2].gt(0).tolist() == [True, True, False, False, False]
    assert weights[1, 4].gt(0).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("score", SCORES)
def test_dropout_acts_on_the_weights_in_training_only(score: str) -> None:
    module = attention(score=score, dropout=0.5)
    values = torch.ones(2000, TIME, SIZE, dtype=torch.float64)
    with torch.no_grad():  # equal values: the output is the sum of the weights that were kept, over 1 − dropout
        module.reset_parameters()
        torch.testing.assert_close(module.eval()(values), values[:, 0])
        output, weights = module.train()(values, return_weights=True)
        fused = module(values)
    torch.testing.assert_close(weights.sum(-1), values[:, 0, 0])  # returned as they were before dropout
    for kept in (output[:, 0], fused[:, 0]):
        levels = {round(level, 6) for level in kept.tolist()}
        assert levels == {0.0, 0.4, 0.8, 1.2, 1.6, 2.0}  # of the five weights of 0.2, none to all are kept
        assert abs(kept.mean().item() - 1) < 0.04  # six standard deviations of the mean


def test_pooling_stands_in_sequential_and_learns_where_to_look() -> None:
    """The target of a sequence is written at its marked step: only who finds the step can read it."""
    marked = torch.randint(0, TIME, (64,))
    values = torch.randn(64, TIME, 2)
    values[:, :, 1] = functional.one_hot(marked, TIME).float() * 4
    target = values[torch.arange(64), marked, 0]
    features = torch.cat([values.mean(1), torch.ones(64, 1)], dim=1)
    residual = target - features @ torch.linalg.lstsq(features, target).solution
    assert residual.var() > 0.5 * target.var()  # the mean of the steps does not tell it

    net = nn.Sequential(Attention(2, score="additive", hidden_size=8), nn.Linear(2, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss = functional.mse_loss(net(values)[:, 0], target)
        torch.autograd.backward(loss)
        optimizer.step()
    assert loss.item() < 0.03 * target.var().item()


def test_refused_options() -> None:
    with pytest.raises(SpecError, match="score must be one of 'scaled_dot_product', 'additive'; got 'dot'"):
        Attention(6, score="dot")
    with pytest.raises(SpecError, match="queries of 7 features cannot be multiplied with keys of 6; give a hidden_"):
        Attention(6, 7)
    with pytest.raises(SpecError, match="hidden_size must be a whole number of at least 1; got 0"):
        Attention(6, hidden_size=0)


def test_refused_tensors() -> None:
    module, values = attention(query_size=SIZE), draw(BATCH, TIME, SIZE)
    with pytest.raises(ShapeError, match="expected a query of 6 features; leave query_size out to pool"):
        module(values)
    with pytest.raises(ShapeError, match=r"expected a query of shape \[3, query_time, 6\] or \[3, 6\]; got \[3, 7\]"):
        module(values, draw(BATCH, 7))
    with pytest.raises(ShapeError, match=r"values, which are also the keys, of shape .* with 6 .* got values \[3, 5\]"):
        module(values[..., 0], draw(BATCH, SIZE))
    with pytest.raises(ShapeError, match=r"values and keys of shape .* got values \[3, 5, 6\], keys \[3, 4, 6\]"):
        module(values, draw(BATCH, SIZE), keys=values[:, :4])
    with pytest.raises(ShapeError, match=r"mask of booleans, of shape \[3, 5\] or \[3, 1, 5\]; got torch.float64"):
        module(values, draw(BATCH, SIZE), mask=torch.ones(BATCH, TIME, dtype=torch.float64))
    with pytest.raises(ShapeError, match="pools with a query of its own; give it a query_size"):
        attention()(values, draw(BATCH, SIZE))
