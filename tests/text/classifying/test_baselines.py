from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from tidegate.text.classifying.baselines import NaiveBayes
from tidegate.text.classifying.targets import Classes

TEXTS = ["win cash now", "cash cash prize", "home soon", "home by seven now", "tide turns"] * 2
LABELS = ["spam", "spam", "ham", "ham", "sea"] * 2
ASKED = ["cash at home", "prize tide tide", "nothing known"]


def test_it_is_that_of_scikit_learn() -> None:
    found = NaiveBayes.of(TEXTS, LABELS, Classes.of(LABELS)).probabilities(ASKED[:2])
    counts = CountVectorizer()
    # Padding and the unknown have a code here, and so a share of the smoothing.
    oracle = MultinomialNB().fit(np.pad(counts.fit_transform(TEXTS).toarray(), ((0, 0), (0, 2))), LABELS)
    priors = 1 + np.array([4, 2, 4])
    oracle.class_log_prior_ = np.log(priors / priors.sum())
    wanted = oracle.predict_proba(np.pad(counts.transform(ASKED[:2]).toarray(), ((0, 0), (0, 2))))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_unknown_words_leave_the_shares_of_the_classes() -> None:
    found = NaiveBayes.of(TEXTS, LABELS, Classes.of(LABELS)).probabilities(ASKED[2:])
    np.testing.assert_allclose(found, [[5 / 13, 3 / 13, 5 / 13]])


def test_each_of_several_labels_by_itself() -> None:
    labels = [["cash"] if "cash" in text else [] for text in TEXTS]
    bayes = NaiveBayes.of(TEXTS, labels, Classes.of(labels))
    found = bayes.probabilities(["cash", "home"])
    assert found.shape == (2, 1)
    assert found[0, 0] > 0.5 > found[1, 0]
    assert bayes.probabilities(["cash"]) == pytest.approx(found[:1])
