"""Hashed neighbours: which are read, that padding changes nothing, and what is summed."""

from __future__ import annotations

import torch

from tidegate.text.tagging.context import ContextScores


def test_the_templates_of_crf_plus_plus() -> None:
    assert len(ContextScores(64, 0, 3, 0.0).templates) == 7
    assert len(ContextScores(64, 2, 3, 0.0).templates) == 7 + 2 * 12


def test_scores_are_sums_over_features() -> None:
    layer = ContextScores(50, 1, 3, 0.5).eval()
    torch.nn.init.normal_(layer.entries.weight)
    codes, lengths = torch.randint(0, 9, (2, 5, 2)), torch.tensor([5, 3])
    found = layer(codes, lengths)
    features = layer.features(codes, lengths)
    for row in range(2):
        for step in range(5):
            summed = sum(layer.scores(layer.entries.weight[bucket]) for bucket in features[row, step])
            torch.testing.assert_close(found[row, step], summed)


def test_a_feature_sees_its_neighbours_and_no_others() -> None:
    layer = ContextScores(2**20, 0, 3, 0.0)
    codes = torch.arange(6).reshape(1, 6, 1)
    changed = codes.clone()
    changed[0, 5] = 99
    same = layer.features(codes, torch.tensor([6])) == layer.features(changed, torch.tensor([6]))
    assert same[0, :3].all()
    assert (~same[0]).sum(dim=1).tolist() == [0, 0, 0, 1, 2, 3]


def test_padding_changes_nothing() -> None:
    layer = ContextScores(2**20, 1, 3, 0.0)
    codes = torch.randint(0, 9, (1, 4, 2))
    padded = torch.cat([codes, torch.randint(0, 9, (1, 3, 2))], dim=1)
    assert torch.equal(layer.features(padded, torch.tensor([4]))[:, :4], layer.features(codes, torch.tensor([4])))


def test_in_training_features_are_left_out() -> None:
    layer = ContextScores(50, 0, 3, 0.5)
    torch.nn.init.ones_(layer.entries.weight)
    torch.nn.init.constant_(layer.scores.weight, 1 / layer.scores.in_features)
    counts = layer(torch.zeros(1, 1000, 1, dtype=torch.int64), torch.tensor([1000]))[0, :, 0] / 2
    assert counts.unique().tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert abs(counts.mean() - 3.5) < 0.2
