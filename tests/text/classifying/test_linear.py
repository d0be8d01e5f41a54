from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from tidegate.data.ragged import Ragged
from tidegate.text.classifying.linear import Linear, fit_linear, log_count_ratios

NGRAMS = 12


def problem(texts: int = 60, classes: int = 2, seed: int = 0) -> tuple[Ragged, npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, texts)
    rows = []
    for code in codes:
        likely = rng.random(NGRAMS) < np.where(np.arange(NGRAMS) % classes == code, 0.6, 0.3)
        rows.append(np.flatnonzero(likely))
    rows[0] = rows[0][:0]  # a text without any n-gram that is known
    return Ragged.of(rows), codes


def dense(columns: Ragged) -> npt.NDArray[np.float64]:
    found = np.zeros((len(columns), NGRAMS))
    for row in range(len(columns)):
        found[row, columns[row]] = 1
    return found


def scaled(columns: Ragged, ratios: npt.NDArray[np.float32], output: int) -> npt.NDArray[np.float64]:
    found = dense(columns) * ratios[:, output]
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(norms > 0, norms, 1)


def test_ratios_by_hand() -> None:
    columns = Ragged.of([np.array([0, 1]), np.array([0]), np.array([1, 2])])
    ratios = log_count_ratios(columns, np.array([[1.0], [1.0], [0.0]]), 3)
    # in the class 2, 1, 0 texts, elsewhere 0, 1, 1; from 1 on: 3, 2, 1 of 6 and 1, 2, 2 of 5
    np.testing.assert_allclose(ratios[:, 0], np.log([3 / 6 * 5, 2 / 6 * 5 / 2, 1 / 6 * 5 / 2]), rtol=1e-6)


@pytest.mark.parametrize("penalty", [1.0, 0.1])
def test_two_classes_as_scikit_learn_fits_them(penalty: float) -> None:
    columns, codes = problem()
    (fitted,) = fit_linear(columns, codes[:, None].astype(float), NGRAMS, several=True, penalties=(penalty,))
    X = sparse.csr_matrix(scaled(columns, fitted.ratios, 0))
    oracle = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(X, codes)
    np.testing.assert_allclose(fitted.weights[:, 0], oracle.coef_[0], atol=1e-3)
    np.testing.assert_allclose(fitted.bias, oracle.intercept_, atol=1e-3)
    logits = fitted.logits(columns, 2)
    assert (logits[:, 0] == 0).all()
    np.testing.assert_allclose(logits[:, 1], oracle.decision_function(X), atol=1e-3)


def test_weighted_texts_count_as_if_they_were_there_as_often() -> None:
    columns, codes = problem()
    counts = 1 + np.arange(len(codes)) % 3
    target = codes[:, None].astype(float)
    (weighted,) = fit_linear(columns, target, NGRAMS, several=True, penalties=(0.5,), weight=counts.astype(float))
    X = scaled(columns, weighted.ratios, 0)
    oracle = LogisticRegression(C=2, tol=1e-10, max_iter=10_000).fit(X, codes, sample_weight=counts)
    np.testing.assert_allclose(weighted.weights[:, 0], oracle.coef_[0], atol=1e-3)


@pytest.mark.parametrize("several", [True, False])
def test_many_outputs_are_where_the_slope_of_the_plain_loss_is_zero(several: bool) -> None:
    columns, codes = problem(classes=3)
    target = np.eye(3)[codes]
    if several:
        target[::4] = 1 - target[::4]
    (fitted,) = fit_linear(columns, target, NGRAMS, several=several, penalties=(0.3,))
    weights = torch.tensor(fitted.weights, dtype=torch.float64, requires_grad=True)
    bias = torch.tensor(fitted.bias, dtype=torch.float64, requires_grad=True)
    inputs = torch.from_numpy(np.stack([scaled(columns, fitted.ratios, output) for output in range(3)]))
    logits = torch.einsum("onf,fo->no", inputs, weights) + bias
    wanted = torch.from_numpy(target)
    if several:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
    else:
        loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
    (loss + 0.3 / 2 * weights.square().sum()).backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    assert bias.grad is not None
    assert weights.grad.abs().max() < 1e-3
    assert bias.grad.abs().max() < 1e-3
    np.testing.assert_allclose(fitted.logits(columns, 3), logits.detach().numpy(), atol=1e-12)


def test_weaker_penalties_go_on_from_stronger_ones() -> None:
    columns, codes = problem()
    target = codes[:, None].astype(float)
    path = list(fit_linear(columns, target, NGRAMS, several=True, penalties=(1.0, 0.1)))
    (alone,) = fit_linear(columns, target, NGRAMS, several=True, penalties=(0.1,))
    assert len(path) == 2
    np.testing.assert_allclose(path[1].weights, alone.weights, atol=5e-3)
    assert np.abs(path[0].weights).sum() < np.abs(path[1].weights).sum()


def test_an_answer_does_not_depend_on_its_company() -> None:
    columns, codes = problem()
    (fitted,) = fit_linear(columns, codes[:, None].astype(float), NGRAMS, several=True, penalties=(0.1,))
    together = fitted.logits(columns, 2)
    alone = [fitted.logits(columns.take(np.array([row])), 2)[0] for row in range(len(columns))]
    assert together.tobytes() == np.stack(alone).tobytes()


def test_a_text_of_unknown_ngrams_has_the_bias() -> None:
    linear = Linear(
        ratios=np.ones((2, 1), np.float32), weights=np.ones((2, 1), np.float32), bias=np.array([0.5], np.float32)
    )
    assert linear.logits(Ragged.of([np.array([], np.int64), np.array([0, 1])]), 2).tolist() == [
        [0, 0.5],
        [0, 0.5 + 2 / np.sqrt(2)],
    ]
