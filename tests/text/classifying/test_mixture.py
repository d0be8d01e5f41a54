from __future__ import annotations

import numpy as np
import pytest

from tidegate.text.classifying.mixture import chosen_share, likelihood, member_logits, mixed


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    shares: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def test_members_are_averaged_as_probabilities() -> None:
    outputs = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    found = softmax(member_logits(outputs, several=False))
    np.testing.assert_allclose(found, softmax(outputs.astype(np.float64)).mean(axis=0), rtol=1e-12)
    marks = 1 / (1 + np.exp(-member_logits(outputs, several=True)))
    np.testing.assert_allclose(marks, (1 / (1 + np.exp(-outputs.astype(np.float64)))).mean(axis=0), rtol=1e-12)


def test_mixing_multiplies_powers_of_probabilities() -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 6, 3))
    product = softmax(one) ** 0.75 * softmax(two) ** 0.25
    np.testing.assert_allclose(softmax(mixed(one, two, 0.25)), product / product.sum(axis=1, keepdims=True))
    assert mixed(one, two, 0.0).tobytes() == one.tobytes()


@pytest.mark.parametrize("several", [False, True])
def test_the_share_goes_to_the_one_that_knows(several: bool) -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 400)
    good = np.stack([-(2.0 * target - 1), 2.0 * target - 1], axis=1) + rng.normal(size=(400, 2))
    noise = rng.normal(size=(400, 2))
    said = np.stack([1 - target, target], axis=1) if several else target
    assert chosen_share(noise, good, said, several=several) >= 0.9
    assert chosen_share(good, noise, said, several=several) <= 0.1
    other = np.stack([-(2.0 * target - 1), 2.0 * target - 1], axis=1) + rng.normal(size=(400, 2))
    assert 0.3 <= chosen_share(good, other, said, several=several) <= 0.7


def test_the_sureness_of_one_does_not_decide() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 400)
    one, two = (np.stack([0 * target, 2.0 * target - 1 + rng.normal(size=400)], axis=1) for _ in range(2))
    assert 0.02 < chosen_share(one, 10 * two, target, several=False) < 0.2  # 10 times as sure, a tenth of the share


def test_likelihood_by_hand() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.4, 0.6]]))
    assert likelihood(logits, np.array([0, 0]), several=False) == pytest.approx(-np.log([0.9, 0.4]).mean())
    assert likelihood(np.zeros((1, 2)), np.array([[1, 0]]), several=True) == pytest.approx(np.log(2))
