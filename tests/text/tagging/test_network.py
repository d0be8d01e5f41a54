"""The network: scores that do not depend on company or padding, and tags that its scheme allows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tidegate.data.tagschemes import first_fault
from tidegate.specs import Convolution
from tidegate.text.tagging.network import TaggerDesign, TaggerNetwork, make_crf
from tidegate.text.tagging.words import WordTable

Design = Callable[..., TaggerDesign]


def words(count: int = 6) -> WordTable:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 9, (count,), generator=generator)
    letters = torch.randint(4, 11, (count, 9), generator=generator)
    return WordTable(
        words=torch.arange(count) % 6,
        hashes=torch.randint(0, 64, (count, 5), generator=generator),
        letters=letters * (torch.arange(9) < lengths[:, None]),
        lengths=lengths,
    )


@pytest.mark.parametrize("features", [{}, {"characters": None}, {"affixes": (), "shape": False}, {"context": 32}])
def test_a_sentence_is_scored_as_it_is_alone(tagger_design: Design, features: dict[str, object]) -> None:
    network = TaggerNetwork(tagger_design(**features)).eval()
    table = words()
    if not network.design.features.slots:
        table = WordTable(words=table.words, hashes=table.hashes[:, :0], letters=table.letters, lengths=table.lengths)
    values = torch.stack([torch.randint(0, 6, (2, 5)), torch.randint(0, 4, (2, 5))], dim=-1)
    vectors = network.encode(table)
    together = network.emissions(vectors, table, values, torch.tensor([5, 3]))
    alone = network.emissions(vectors, table, values[1:, :3], torch.tensor([3]))
    torch.testing.assert_close(together[1, :3], alone[0])
    assert together.shape == (2, 5, 5)


@pytest.mark.parametrize("characters", [Convolution(channels=4), Convolution(channels=4, layers=2, causal=False)])
def test_a_convolution_reads_letters_and_no_padding(tagger_design: Design, characters: Convolution) -> None:
    network = TaggerNetwork(tagger_design(characters=characters)).eval()
    table = words()
    alone = torch.cat([network.encode(table.take(torch.tensor([row]))) for row in range(6)])
    torch.testing.assert_close(network.encode(table), alone)


def test_unknown_words_are_drawn_in_training_only(tagger_design: Design) -> None:
    network = TaggerNetwork(tagger_design(characters=None, affixes=(), shape=False))
    network.encoder.chance[1:] = 1
    table = words()
    table = WordTable(words=table.words, hashes=table.hashes[:, :0], letters=table.letters, lengths=table.lengths)
    unknown = network.encoder.words.weight[0].expand(6, -1)
    assert torch.equal(network.encode(table), unknown)
    assert not torch.equal(network.eval().encode(table), unknown)


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
def test_whatever_the_scores_the_tags_follow_the_scheme(tagger_design: Design, scheme: str) -> None:
    design = tagger_design(scheme)
    crf = make_crf(design)
    lengths = torch.randint(1, 8, (200,))
    paths, _ = crf.decode(10 * torch.randn(200, 7, len(design.labels)), lengths=lengths)
    for path, length in zip(paths.tolist(), lengths.tolist(), strict=True):
        assert first_fault([design.labels[code] for code in path[:length]], scheme) is None
