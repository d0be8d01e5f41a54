import numpy as np
import pytest

from tidegate.anomaly.evaluation import evaluate_labels
from tidegate.anomaly.judge import Verdict
from tidegate.anomaly.tables import read_data
from tidegate.errors import DataError
from tidegate.metrics import auc_pr, vus_pr
from tidegate.specs import Columns

VALUES = np.array([0.0, 1.0, 0.0, 9.0, 0.0, -1.0, 0.0, np.nan, 0.0, 8.0])
SCORE = np.array([0.1, 0.2, 0.9, 0.8, 0.1, 0.3, 0.2, np.nan, 0.1, 0.3])
LABELS = np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 1])


def verdict() -> Verdict:
    return Verdict(score=SCORE, threshold=np.full(10, 0.25), is_anomaly=SCORE > 0.25, shares=np.ones((10, 1)))


def evaluate(labels: object = LABELS) -> dict[str, dict[str, float]]:
    return evaluate_labels(read_data(VALUES, Columns()), [verdict()], labels, least=0.05, width=2, seed=0)  # type: ignore[arg-type]


def test_the_detector_beside_two_that_know_nothing() -> None:
    found = evaluate()
    score = np.where(np.isnan(SCORE), 0.05, SCORE)
    own = found["tidegate"]
    assert own["AUC-PR"] == auc_pr(LABELS, score)
    assert own["VUS-PR"] == vus_pr(LABELS, score, 2)
    assert (own["event precision"], own["event recall"], own["delay"]) == (2 / 3, 1.0, 0.0)
    assert own["event F1"] == pytest.approx(0.8)
    # as many rows are flagged, those furthest from the mean: 9, 8, and two of the others, the first of them
    assert found["deviation"]["event recall"] == 1.0
    assert found["deviation"]["delay"] == pytest.approx(0.5)
    assert set(found["random"]) == set(own)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:9], "expected a label a row, 10 of them; got 9"),
        (LABELS * 2, "labels must be 0 or 1; row 2 has 2"),
        (np.array(["x"] * 10), "labels must be 0 or 1; got some that are no numbers"),
        (np.full(10, np.nan), "labels must be 0 or 1; row 0 has nan"),
        (np.zeros(10), "no series has both anomalies and rows that are none by its labels; scores would say nothing"),
    ],
)
def test_labels_that_cannot_be(labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as caught:
        evaluate(labels)
    assert str(caught.value) == message
