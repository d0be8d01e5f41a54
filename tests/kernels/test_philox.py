"""Philox against Random123's published vectors, and its layout."""

from __future__ import annotations

import pytest
import torch

from tidegate.kernels import philox

KNOWN = [  # Random123, tests/kat_vectors, philox4x32 with 10 rounds: counter, key, result
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, ...], words: tuple[int, ...]) -> None:
    c0, c1, c2, c3 = (torch.tensor(word) for word in counter)
    k0, k1 = (torch.tensor(word) for word in key)
    assert tuple(int(word) for word in philox.philox((c0, c1, c2, c3), (k0, k1))) == words


def test_layout_of_counter_and_word() -> None:
    seed, row, step, unit, stream = 2**35 + 7, 2, 5, 6, philox.CELL_STREAM
    draws = philox.uniform(torch.tensor([seed]), stream, range(3, 9), 4, 9)
    counter = tuple(torch.tensor(word) for word in (unit // 4, row, step, stream))
    key = (torch.tensor(seed & 0xFFFFFFFF), torch.tensor(seed >> 32))
    word = philox.philox((counter[0], counter[1], counter[2], counter[3]), key)[unit % 4]
    assert draws.shape == (6, 4, 9)
    assert draws[step - 3, row, unit].item() == (int(word) >> 8) / 2**24


def test_negative_seeds_are_read_as_two_complements() -> None:
    negative = philox.uniform(torch.tensor([-1]), 0, range(1), 1, 4)
    c = torch.tensor(0)
    words = philox.philox((c, c, c, c), (torch.tensor(0xFFFFFFFF), torch.tensor(0xFFFFFFFF)))
    assert negative.flatten().tolist() == [(int(word) >> 8) / 2**24 for word in words]


def test_uniform_statistics_and_range() -> None:
    draws = philox.uniform(torch.tensor([3]), 0, range(50), 40, 33).double()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert draws.mean().item() == pytest.approx(0.5, abs=0.005)
    assert draws.var().item() == pytest.approx(1 / 12, abs=0.002)
    assert len(set(draws.flatten().tolist())) > 0.99 * draws.numel() * (1 - draws.numel() / 2**25)


@pytest.mark.parametrize("p", [0.1, 1 / 3, 0.999])
def test_bernoulli_is_uniform_below_p(p: float) -> None:
    where = (torch.tensor([11]), 1, range(7), 5, 10)
    assert torch.equal(philox.bernoulli(*where, p=p), philox.uniform(*where).double() < p)


def test_streams_and_seeds_differ() -> None:
    one = philox.uniform(torch.tensor([1]), 0, range(4), 4, 8)
    assert not torch.equal(one, philox.uniform(torch.tensor([1]), 1, range(4), 4, 8))
    assert not torch.equal(one, philox.uniform(torch.tensor([2]), 0, range(4), 4, 8))
    assert torch.equal(one[2:], philox.uniform(torch.tensor([1]), 0, range(2, 4), 4, 8))
