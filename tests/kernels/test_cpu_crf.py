"""The compiled kernels of conditional random fields beside the reference, at every instruction set."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.kernels import crf, native
from tidegate.kernels.crf_reference import Chain, decode, expectations, log_likelihood, marginals

OPERATORS: Any = torch.ops.tidegate
SHAPES = [
    (1, 1, 1),
    (3, 2, 2),
    (5, 9, 3),
    (4, 17, 8),
    (7, 12, 9),
    (3, 40, 20),
    (2, 6, 33),
    (9, 5, 70),
]  # batch, time, label


def draw(
    shape: tuple[int, int, int], *, scale: float = 1.0, forbidden: float = 0.0, dtype: torch.dtype = torch.float64
) -> tuple[Chain, Tensor]:
    """Draw a chain with ragged lengths, and tags; `forbidden` is the share of moves that are."""
    batch, time, labels = shape
    generator = torch.Generator().manual_seed(labels)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator, dtype=torch.float64)

    def restricted(scores: Tensor) -> Tensor:
        mask = torch.rand(scores.shape, generator=generator) < forbidden
        return scores.masked_fill(mask, -math.inf).to(dtype)

    lengths = torch.tensor([(7 * row + time) % (time + 1) for row in range(batch)])
    tags = torch.randint(labels, (batch, time), generator=generator)
    emissions = (scale * normal(batch, time, labels)).to(dtype)
    scores = (restricted(normal(*sizes)) for sizes in ((labels, labels), (labels,), (labels,)))
    return Chain(emissions, lengths, *scores), tags


def by_operators(chain: Chain, tags: Tensor) -> dict[str, Tensor]:
    likelihood, unary, pairs = OPERATORS.crf(*chain, tags, True)
    alone, *nothing = OPERATORS.crf(*chain, tags, False)
    assert torch.equal(alone, likelihood) or alone.isnan().any()
    assert [tuple(result.shape) for result in nothing] == [(0,), (0,)]
    probabilities, log_partition = OPERATORS.crf_marginals(*chain)
    paths, scores = OPERATORS.crf_decode(*chain)
    return {
        "likelihood": likelihood,
        "unary": unary,
        "pairs": pairs,
        "marginals": probabilities,
        "log_partition": log_partition,
        "paths": paths,
        "scores": scores,
    }


def by_reference(chain: Chain, tags: Tensor) -> dict[str, Tensor]:
    likelihood, unary, pairs = expectations(chain, tags)
    torch.testing.assert_close(log_likelihood(chain, tags), likelihood, rtol=1e-12, atol=1e-12, equal_nan=True)
    probabilities, log_partition = marginals(chain)
    paths, scores = decode(chain)
    found = (likelihood, unary, pairs, probabilities, log_partition, paths, scores)
    names = ("likelihood", "unary", "pairs", "marginals", "log_partition", "paths", "scores")
    return dict(zip(names, found, strict=True))


def agree(chain: Chain, tags: Tensor, instruction_sets: tuple[str, ...]) -> dict[str, Tensor]:
    expected = by_reference(chain, tags)
    share = 1e-9 if chain.emissions.dtype == torch.float64 else 1e-6
    for instructions in instruction_sets:
        with native.limited_to(instructions):
            results = by_operators(chain, tags)
        counts = expected["scores"].isfinite()  # where there is no best path, it may be any
        results["paths"] = torch.where(counts[:, None], results["paths"], expected["paths"])
        for name, result in results.items():
            torch.testing.assert_close(result, expected[name], rtol=share, atol=share, equal_nan=True)
    return expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
@pytest.mark.parametrize("forbidden", [0.0, 0.3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_agreement(
    shape: tuple[int, int, int], scale: float, forbidden: float, dtype: torch.dtype, instruction_sets: tuple[str, ...]
) -> None:
    chain, tags = draw(shape, scale=scale, forbidden=forbidden, dtype=dtype)
    agree(chain, tags, instruction_sets)
    agree(chain._replace(lengths=None), tags, instruction_sets)


@pytest.mark.parametrize("layout", ["time first", "label first", "strided", "expanded"])
def test_any_layout_of_the_emissions(layout: str, instruction_sets: tuple[str, ...]) -> None:
    chain, tags = draw((5, 9, 3), forbidden=0.2)
    wide = chain.emissions.new_full((5, 9, 6), math.nan)
    wide[..., ::2] = chain.emissions
    emissions = {
        "time first": chain.emissions.transpose(0, 1).contiguous().transpose(0, 1),
        "label first": chain.emissions.mT.contiguous().mT,
        "strided": wide[..., ::2],
        "expanded": chain.emissions[:1].expand(5, 9, 3),
    }[layout]
    agree(
        chain._replace(emissions=emissions, transitions=chain.transitions.mT), tags.mT.contiguous().mT, instruction_sets
    )


def test_scores_far_apart_are_not_lost(instruction_sets: tuple[str, ...]) -> None:
    """Two halves that never meet: the one that pays 40 a step wins in the end, for the other may not end."""
    labels, time = 4, 60
    transitions = torch.full((labels, labels), -math.inf, dtype=torch.float64)
    transitions[:2, :2], transitions[2:, 2:] = 0.0, -40.0
    end = torch.tensor([-5000.0, -math.inf, 0.0, 0.0], dtype=torch.float64)
    start = torch.zeros(labels, dtype=torch.float64)
    emissions = torch.randn(2, time, labels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    chain = Chain(emissions, None, transitions, start, end)
    expected = agree(chain, torch.full((2, time), 2), instruction_sets)
    assert expected["likelihood"].isfinite().all()
    torch.testing.assert_close(expected["marginals"][:, :, 2:].sum(2), torch.ones(2, time, dtype=torch.float64))


def test_moves_a_thousand_apart(instruction_sets: tuple[str, ...]) -> None:
    chain, tags = draw((4, 17, 8))
    for factor in (100.0, 1000.0, 1e4):
        agree(chain._replace(transitions=chain.transitions * factor), tags, instruction_sets)


def test_what_is_impossible(instruction_sets: tuple[str, ...]) -> None:
    """No path at all, a step that forbids every label, tags that are none, and what is not a number."""
    chain, tags = draw((5, 9, 3))
    emissions = chain.emissions.clone()
    emissions[1, 0] = -math.inf
    emissions[2, 1, 1] = math.nan
    emissions[3, 2, 0] = -math.inf
    tags[4, 0] = 3
    tags[3, 1] = -1
    expected = agree(chain._replace(emissions=emissions, lengths=None), tags, instruction_sets)
    assert expected["log_partition"][1] == -math.inf
    assert expected["likelihood"][2].isnan()
    assert expected["likelihood"][3:].tolist() == [-math.inf] * 2
    once = torch.full((3, 3), -math.inf, dtype=torch.float64)
    once[0, 1] = once[1, 2] = 0.0
    expected = agree(Chain(chain.emissions, None, once, chain.start, chain.end), tags.clamp(0, 2), instruction_sets)
    assert (expected["scores"] == -math.inf).all()
    assert not expected["marginals"].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_any_number_of_threads_gives_the_same_bits(dtype: torch.dtype, instruction_sets: tuple[str, ...]) -> None:
    chain, tags = draw((37, 60, 20), forbidden=0.1, dtype=dtype)
    before = torch.get_num_threads()
    found = []
    try:
        for threads, instructions in itertools.product((1, 2, 3), instruction_sets[-1:]):
            torch.set_num_threads(threads)
            with native.limited_to(instructions):
                found.append(by_operators(chain, tags))
    finally:
        torch.set_num_threads(before)
    for name, result in found[0].items():
        assert all(torch.equal(result, other[name]) or result.isnan().any() for other in found[1:]), name


@pytest.mark.usefixtures("instruction_sets")
def test_the_kernels_are_registered() -> None:
    assert crf.COMPILED


@pytest.mark.usefixtures("instruction_sets")
def test_what_is_refused() -> None:
    chain, tags = draw((2, 3, 4))
    with pytest.raises(RuntimeError, match="expected lengths from 0 to 3; got 4 in row 1"):
        OPERATORS.crf(*chain._replace(lengths=torch.tensor([0, 4])), tags, True)
    with pytest.raises(RuntimeError, match="expected tags as int64 of the sizes of the emissions"):
        OPERATORS.crf(*chain, tags.int(), True)
    with pytest.raises(RuntimeError, match="expected scores of the emissions' dtype for each of their labels"):
        OPERATORS.crf_decode(*chain._replace(end=chain.end[:3]))
    with pytest.raises(RuntimeError, match="expected scores of the emissions' dtype"):
        OPERATORS.crf_marginals(*chain._replace(transitions=chain.transitions.float()))
