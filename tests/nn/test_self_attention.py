from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tidegate.errors import ShapeError, SpecError
from tidegate.nn import SelfAttention

BATCH, TIME, SIZE = 4, 6, 8
LENGTHS = torch.tensor([6, 3, 0, 1])
over_causal = pytest.mark.parametrize("causal", [True, False])


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def attention(**options: Any) -> SelfAttention:
    module = SelfAttention(SIZE, **options).double().eval()
    with torch.no_grad():  # norms that do something
        for norm in (module.norm1, module.norm2):
            norm.weight.normal_()
            norm.bias.normal_()
    return module


def torchs(module: SelfAttention) -> nn.TransformerEncoderLayer:
    """Give torch's encoder layer with the weights of ``module``; its biases of queries, keys and values are 0."""
    hidden = module.widen.out_features
    theirs = nn.TransformerEncoderLayer(
        SIZE, module.heads, hidden, 0.0, "gelu", batch_first=True, norm_first=True
    ).double()
    theirs.self_attn.in_proj_weight.data = module.projection.weight.data
    theirs.self_attn.out_proj.load_state_dict(module.merge.state_dict())
    pairs = ((theirs.linear1, module.widen), (theirs.linear2, module.narrow))
    for layer, ours in (*pairs, (theirs.norm1, module.norm1), (theirs.norm2, module.norm2)):
        layer.load_state_dict(ours.state_dict())
    return theirs  # in train(), where torch takes no short cut of its own


@over_causal
@pytest.mark.parametrize("options", [{}, {"heads": 1}, {"heads": 8, "feed_forward": 5}], ids=str)
def test_it_is_torchs_encoder_layer(causal: bool, options: dict[str, Any]) -> None:
    module, x = attention(causal=causal, **options), draw(BATCH, TIME, SIZE)
    mask = nn.Transformer.generate_square_subsequent_mask(TIME, dtype=torch.float64) if causal else None
    theirs = torchs(module)
    torch.testing.assert_close(module(x), theirs(x, src_mask=mask, is_causal=causal))
    padding = torch.arange(TIME) >= LENGTHS[:, None]
    for row in (0, 1, 3):
        part = slice(row, row + 1)
        if not causal:
            expected = theirs(x[part], src_key_padding_mask=padding[part])
            length = int(LENGTHS[row])
            torch.testing.assert_close(module(x, lengths=LENGTHS)[part, :length], expected[:, :length])


def test_it_follows_the_equations() -> None:
    """With two heads, step by step, each over its half of the features."""
    module, x = attention(heads=2, causal=True), draw(1, TIME, SIZE)
    normed = nn.functional.layer_norm(x[0], (SIZE,), module.norm1.weight, module.norm1.bias).detach()
    queries, keys, values = (normed @ part.T for part in module.projection.weight.detach().chunk(3))
    attended = torch.zeros(TIME, SIZE, dtype=torch.float64)
    for head in (slice(0, 4), slice(4, 8)):
        for t in range(TIME):
            energies = torch.stack([queries[t, head] @ keys[s, head] / 2 for s in range(t + 1)])
            attended[t, head] = energies.softmax(0) @ values[: t + 1, head]
    y = x[0] + module.merge(attended)
    z = y + module.narrow(nn.functional.gelu(module.widen(module.norm2(y))))
    torch.testing.assert_close(module(x)[0], z)


def test_causal_sees_no_future() -> None:
    module, x = attention(causal=True), draw(BATCH, TIME, SIZE)
    changed = torch.cat([x[:, :4], draw(BATCH, TIME - 4, SIZE)], dim=1)
    torch.testing.assert_close(module(changed)[:, :4], module(x)[:, :4])
    free = attention(causal=False)
    assert (free(changed)[:, :4] - free(x)[:, :4]).abs().max().item() > 1e-3


@over_causal
def test_lengths_are_as_if_each_sequence_stood_alone(causal: bool) -> None:
    module, x = attention(causal=causal), draw(BATCH, TIME, SIZE)
    output = module(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(output[row : row + 1, :length], module(x[row : row + 1, :length]))
        assert output[row, length:].abs().sum().item() == 0


@over_causal
def test_gradients(causal: bool) -> None:
    module, x = attention(causal=causal, heads=2, feed_forward=3), draw(BATCH, 3, SIZE).requires_grad_()
    lengths = LENGTHS.clamp(max=3)
    inputs = [x, *module.parameters()]
    assert torch.autograd.gradcheck(lambda x, *_: module(x, lengths=lengths), inputs, fast_mode=True)


def test_dropout_lies_on_both_branches() -> None:
    """With all but everything dropped, the block hands on what it reads."""
    module, x = attention(dropout=0.999999).train(), draw(BATCH, TIME, SIZE)
    torch.testing.assert_close(module(x), x)
    assert (module.eval()(x) - x).abs().max().item() > 0.1
    module.train()
    module.dropout.p = 0.5
    assert (module(x) - module(x)).abs().max().item() > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be a whole number of at least 1; got 0"),
        ({"heads": 0}, "heads must be a whole number of at least 1; got 0"),
        (
            {"heads": 3},
            "heads must divide the features that they share; got 3 heads for 8 features: "
            "take another number of heads, or of features in the part before",
        ),
        ({"feed_forward": 0}, "feed_forward must be a whole number of at least 1; got 0"),
        ({"dropout": 1}, "dropout must be a probability, 0 ≤ dropout < 1; got 1"),
        ({"causal": "no"}, "causal must be one of True, False; got 'no'"),
    ],
)
def test_what_cannot_be_built(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        SelfAttention(**{"size": SIZE, **options})


def test_what_cannot_be_run() -> None:
    module = attention()
    with pytest.raises(ShapeError, match=r"^expected \[batch, time, 8\]; got \[4, 6, 3\]$"):
        module(draw(BATCH, TIME, 3))
    with pytest.raises(ShapeError, match=r"^lengths must be whole numbers of shape \[4\], one a sequence; got "):
        module(draw(BATCH, TIME, SIZE), lengths=torch.tensor([6]))
