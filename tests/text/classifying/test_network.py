from __future__ import annotations

import dataclasses

import numpy as np
import torch

from tidegate._core.seeds import seeded
from tidegate.data.vocabulary import UNKNOWN
from tidegate.specs import Recurrent
from tidegate.text.classifying.network import TextDesign, TextNetwork

DESIGN = TextDesign(
    codes=9,
    size=4,
    frozen=False,
    token_dropout=0.0,
    network=Recurrent(hidden_size=3, bidirectional=True),
    pooling="attention",
    dropout=0.0,
    outputs=2,
)


def made(**changes: object) -> TextNetwork:
    with seeded(0):
        return TextNetwork(dataclasses.replace(DESIGN, **changes))  # type: ignore[arg-type]


def test_what_stands_behind_the_end_reaches_nothing() -> None:
    network = made().eval()
    short, long = torch.tensor([[2, 3, 4]]), torch.tensor([[2, 3, 4, 0, 7]])
    lengths = torch.tensor([3])
    torch.testing.assert_close(network(long, lengths=lengths), network(short, lengths=lengths), rtol=1e-6, atol=1e-7)
    weights = network.weights(long, lengths=lengths)
    assert weights[0, 3:].tolist() == [0, 0]
    torch.testing.assert_close(weights[:, :3], network.weights(short, lengths=lengths))


def test_all_tokens_dropped_are_all_unknown() -> None:
    network = made(token_dropout=0.999999).train()
    codes = torch.tensor([[2, 3, 4, 0]])
    lengths = torch.tensor([3])
    unknown = torch.tensor([[UNKNOWN, UNKNOWN, UNKNOWN, 0]])
    torch.testing.assert_close(network(codes, lengths=lengths), network(unknown, lengths=lengths))
    assert not torch.equal(network.eval()(codes, lengths=lengths), network(unknown, lengths=lengths))


def test_vectors_are_laid_in_and_frozen() -> None:
    network = made(frozen=True)
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
    network.lay_in(np.array([5, 2]), vectors)
    assert network.embedding.weight[[5, 2]].tolist() == vectors.tolist()
    assert not network.embedding.weight.requires_grad
    assert network.embedding.weight[0].tolist() == [0] * 4
