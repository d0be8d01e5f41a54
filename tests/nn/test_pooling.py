from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tidegate.errors import SpecError, UnsupportedError
from tidegate.nn import Pooling
from tidegate.specs.pooling import POOLINGS

LENGTHS = torch.tensor([4, 2, 1, 0])


def _outputs() -> Tensor:
    return torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _oracle(kind: str, rows: Tensor) -> Tensor:
    """Pool one sequence, [time, feature], by the definition."""
    if len(rows) == 0:
        return torch.zeros(12 if kind == "mean_max" else 6, dtype=torch.float64)
    mean, highest = rows.sum(0) / len(rows), torch.stack([max(column) for column in rows.T])
    return {
        "last": torch.cat([rows[-1, :3], rows[0, 3:]]),
        "mean": mean,
        "max": highest,
        "mean_max": torch.cat([mean, highest]),
    }[kind]


@pytest.mark.parametrize("kind", [kind for kind in POOLINGS if kind != "attention"])
def test_each_kind_follows_its_definition(kind: str) -> None:
    outputs, pooling = _outputs(), Pooling(6, kind, bidirectional=True)
    expected = torch.stack([_oracle(kind, row[:length]) for row, length in zip(outputs, LENGTHS.tolist(), strict=True)])
    pooled = pooling(outputs, lengths=LENGTHS)
    assert pooled.shape == (4, pooling.output_size)
    torch.testing.assert_close(pooled, expected)
    whole = torch.stack([_oracle(kind, row) for row in outputs])
    torch.testing.assert_close(pooling(outputs), whole)


def test_the_last_step_of_a_network_that_reads_forwards() -> None:
    outputs = _outputs()
    torch.testing.assert_close(Pooling(6, "last")(outputs, lengths=LENGTHS)[1], outputs[1, 1])


def test_attention_is_a_mean_with_its_weights() -> None:
    torch.manual_seed(0)
    outputs, pooling = _outputs(), Pooling(6).double()
    weights = pooling.weights(outputs, lengths=LENGTHS)
    torch.testing.assert_close(weights.sum(1), torch.tensor([1.0, 1, 1, 0], dtype=torch.float64))
    assert weights[1, 2:].tolist() == [0, 0]
    torch.testing.assert_close(pooling(outputs, lengths=LENGTHS), (weights.unsqueeze(-1) * outputs).sum(1))


@pytest.mark.parametrize("kind", POOLINGS)
def test_what_lies_in_the_padding_reaches_nothing(kind: str) -> None:
    torch.manual_seed(0)
    pooling, outputs = Pooling(6, kind).double(), _outputs().requires_grad_()
    pooled = pooling(outputs, lengths=LENGTHS)
    pooled.square().sum().backward()
    assert outputs.grad is not None
    assert outputs.grad[1, 2:].count_nonzero() == outputs.grad[3].count_nonzero() == 0
    assert torch.isfinite(outputs.grad).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="pooling must be one of 'last', 'mean', 'max', 'mean_max', 'attention'"):
        Pooling(6, "median")
    with pytest.raises(SpecError, match="a bidirectional network has an even number of features; got 5"):
        Pooling(5, "last", bidirectional=True)
    with pytest.raises(UnsupportedError, match="pooling by 'mean' gives steps no weights; take pooling='attention'"):
        Pooling(6, "mean").weights(torch.zeros(1, 2, 6))
