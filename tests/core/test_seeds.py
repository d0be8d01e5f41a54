"""Named streams of randomness, and generators that are given back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tidegate._core.seeds import derive_seed, seeded


def test_streams_are_the_same_on_every_machine() -> None:
    """They decide what a saved seed gives: these numbers must never change."""
    assert derive_seed(0, "weights") == 863023461364182508
    assert derive_seed(7, "batches", 3) == 1078341415233933469


@given(st.integers(), st.lists(st.text() | st.integers(), max_size=3))
def test_a_seed_fits_a_signed_64_bit_integer(seed: int, names: list[str | int]) -> None:
    assert 0 <= derive_seed(seed, *names) < 2**63


def test_names_and_seeds_give_streams_of_their_own() -> None:
    seeds = [derive_seed(seed, *names) for seed in range(10) for names in ((), ("a",), ("b",), ("a", "b"), ("ab",))]
    assert len(set(seeds)) == len(seeds)
    assert derive_seed(1, "2") == derive_seed(1, 2)
    assert derive_seed(1, 23) != derive_seed(12, 3)


def test_a_block_draws_what_its_seed_says() -> None:
    with seeded(5):
        one = torch.rand(3)
    torch.rand(1)
    with seeded(5):
        two = torch.rand(3)
    with seeded(6):
        three = torch.rand(3)
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert torch.equal(one, torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_the_callers_generator_goes_on_as_if_nothing_had_happened() -> None:
    before = torch.get_rng_state()
    with seeded(5):
        torch.rand(3)
        with seeded(6):
            torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_callers_generator_comes_back_after_an_exception() -> None:
    before = torch.get_rng_state()

    def fail() -> None:
        with seeded(5):
            torch.rand(3)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the one above
        fail()
    assert torch.equal(torch.get_rng_state(), before)
