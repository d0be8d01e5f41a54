"""The tagging benchmark: its peer answers as the tagger does, and the data are kept apart."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import tagging
from taggings.peer import Peer, viterbi
from tidegate.data.conll import ConllSentences
from tidegate.nn.crf import CRF
from tidegate.specs import Recurrent, Training, WordFeatures
from tidegate.text import Tagger
from tidegate.text.tagging.examples import TaggedExamples, encoded

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data"))


def test_the_peer_finds_the_same_paths() -> None:
    crf = CRF(5)
    emissions, lengths = 3 * torch.randn(40, 9, 5), torch.randint(1, 10, (40,))
    with torch.no_grad():
        found = viterbi(emissions, lengths, crf.transitions, crf.start, crf.end)
        assert torch.equal(found, crf.decode(emissions, lengths=lengths)[0])


def test_the_peer_is_the_same_network() -> None:
    sentences = [["Ann", "left"], ["Rome", "calls", "Bob", "again"]]
    given = ConllSentences(
        tokens=tuple(map(tuple, sentences)),
        columns=((("N", "V"),), (("N", "V", "N", "R"),)),
        tags=(("B-x", "O"), ("B-y", "O", "B-x", "O")),
    )
    features = WordFeatures(size=5, character_size=4, affix_size=3, buckets=32)
    network = Recurrent(hidden_size=6, bidirectional=True)
    training = Training(max_steps=2, validation=0)
    tagger = Tagger(features=features, network=network, training=training, device="cpu").fit(given)
    answers = tagger._answers
    own, peer = answers.members[0], Peer(answers.members[0]).eval()
    table, (values,) = encoded([given], answers.vocabulary, features)
    batch = TaggedExamples(values).batch(np.arange(2))
    rows, lengths = torch.from_numpy(batch.values), torch.tensor([2, 4])
    with torch.inference_mode():
        torch.testing.assert_close(peer.encode(table), own.encode(table))
        emissions = own.emissions(own.encode(table), table, rows, lengths)
        paths, _ = own.crf.decode(emissions, lengths=lengths)
        assert torch.equal(peer(peer.encode(table), rows, lengths), paths)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}")
def test_what_is_scored_in_choosing_is_not_trained_on() -> None:
    train, held = tagging.conll_parts(validate=True)
    assert (len(train), len(held)) == (8036, 900)
    assert not set(train.lines) & set(held.lines)
    assert train.source == held.source
    assert "train" in train.source
