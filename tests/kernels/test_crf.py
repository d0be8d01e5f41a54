"""The operators of conditional random fields: torch's own checks, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tidegate.kernels import crf
from tidegate.kernels.crf_reference import Chain
from tidegate.kernels.dispatch import REFERENCE, forced

OPERATORS: Any = torch.ops.tidegate
SCORES = ("emissions", "transitions", "start", "end")


def chain(*, ragged: bool = True) -> Chain:
    generator = torch.Generator().manual_seed(0)
    emissions, transitions, start, end = (
        torch.randn(*sizes, generator=generator, dtype=torch.float64).requires_grad_()
        for sizes in ((3, 4, 2), (2, 2), (2,), (2,))
    )
    return Chain(emissions, torch.tensor([4, 0, 2]) if ragged else None, transitions, start, end)


TAGS = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]])


@pytest.mark.parametrize("suffix", ["", "_reference"])
@pytest.mark.parametrize("ragged", [False, True])
def test_opcheck(suffix: str, ragged: bool) -> None:
    given = chain(ragged=ragged)
    operator = getattr(OPERATORS, f"crf{suffix}").default
    quick = ("test_schema", "test_autograd_registration", "test_faketensor")
    for keep in (False, True):
        checks = (*quick, "test_aot_dispatch_dynamic") if ragged and keep else quick  # tracing is dear
        checked = torch.library.opcheck(operator, (*given, TAGS, keep), test_utils=checks)
        assert set(checked.values()) == {"SUCCESS"}
    for name in ("crf_marginals", "crf_decode"):
        detached = tuple(None if tensor is None else tensor.detach() for tensor in given)
        operator = getattr(OPERATORS, f"{name}{suffix}").default
        checked = torch.library.opcheck(operator, detached, test_utils=("test_schema", "test_faketensor"))
        assert set(checked.values()) == {"SUCCESS"}


def test_opcheck_of_backward() -> None:
    given = chain()
    _, unary, pairs = OPERATORS.crf(*given, TAGS, True)
    gradient = torch.randn(3, dtype=torch.float64, requires_grad=True)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static")
    arguments = (gradient, unary.detach(), pairs.detach(), *given, TAGS)
    checked = torch.library.opcheck(OPERATORS.crf_backward.default, arguments, test_utils=checks)
    assert set(checked.values()) == {"SUCCESS"}


@pytest.mark.parametrize("keep", [False, True])
def test_eager_and_the_operators_own_formula_agree(keep: bool) -> None:
    """A layer takes a shorter way than torch.ops; and a call that has kept nothing walks again."""
    given = chain()
    variables = [getattr(given, name) for name in SCORES]
    weight = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    theirs = OPERATORS.crf(*given, TAGS, keep)[0]
    ours = crf.log_likelihood(given, TAGS)
    assert torch.equal(ours, theirs)
    mine, other = (torch.autograd.grad((result * weight).sum(), variables) for result in (ours, theirs))
    assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))


def test_gradients_are_found_in_forward_and_only_where_they_are_wanted() -> None:
    given = chain()
    assert [result.numel() for result in OPERATORS.crf(*given, TAGS, False)] == [3, 0, 0]
    with torch.no_grad():
        alone = crf.log_likelihood(given, TAGS)
    assert not alone.requires_grad
    assert torch.equal(alone, crf.log_likelihood(given, TAGS).detach())


def test_the_reference_can_be_forced() -> None:
    given = chain()
    with forced(REFERENCE):
        slow = crf.log_likelihood(given, TAGS)
    torch.testing.assert_close(slow, crf.log_likelihood(given, TAGS), rtol=1e-13, atol=1e-13)


def test_transformations_see_plain_torch() -> None:
    given = chain()
    with torch.no_grad():
        bare = [getattr(given, name).detach() for name in SCORES]

        def loss(emissions: torch.Tensor) -> torch.Tensor:
            return crf.log_likelihood(Chain(emissions, given.lengths, *bare[1:]), TAGS).sum()

        expected = torch.func.grad(loss)(bare[0])
    (found,) = torch.autograd.grad(crf.log_likelihood(given, TAGS).sum(), given.emissions)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
