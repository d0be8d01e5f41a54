"""A detector's sequences answer what `AnomalyDetector.stream` says, whatever becomes of single requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate import AnomalyDetector
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds import load_served
from tidegate.serve.limits import Limits
from tidegate.serve.sequences import Sequences
from tidegate.serve.served import Answer, Asked, Served
from tidegate.testing.examples import ESTIMATORS, example_frame


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model: Any = next(iter(ESTIMATORS["anomaly_detector"].values()))()
    file = tmp_path_factory.mktemp("detector") / "model.safetensors"
    model.fit(example_frame()).save(file)
    return file


@pytest.fixture(scope="module")
def served(path: Path) -> Served:
    return load_served(path)


def expected(path: Path, values: np.ndarray) -> tuple[list[float], list[bool]]:
    stream = AnomalyDetector.load(path).stream()
    pairs = [(stream.score_one(value), stream.is_anomaly) for value in values]
    return [score for score, _ in pairs], [found for _, found in pairs]


def asked(values: np.ndarray, *, start: bool = False) -> Asked:
    parameters = {"sequence_id": 7, **({"sequence_start": True} if start else {})}
    return Asked(inputs={"values": values[np.newaxis]}, parameters=parameters)


def let_in(served: Served, sequences: Sequences, values: np.ndarray, *, start: bool = False) -> Any:
    """Do what the engine does before the queue, and give what waits in it."""
    request = sequences.continued(served, asked(values, start=start), 7)
    rows = served.prepare(request, 100)
    sequences.keep(request, 7)
    return rows


def walk() -> np.ndarray:
    values = np.random.default_rng(0).normal(100, 5, (60, 1))
    values[45] = 400.0
    values[20] = np.nan
    return values


def together(answers: list[Answer]) -> tuple[np.ndarray, np.ndarray]:
    names = ("score", "is_anomaly")
    score, found = (np.concatenate([each.outputs[name] for each in answers], axis=1)[0] for name in names)
    return score, found


def test_a_sequence_is_a_stream(served: Served, path: Path) -> None:
    sequences, values = Sequences(Limits()), walk()
    parts = np.split(values, [1, 25, 26, 50])
    answers = [served.run(let_in(served, sequences, part, start=not row)) for row, part in enumerate(parts)]
    score, found = together(answers)
    of_stream = expected(path, values)
    np.testing.assert_array_equal(score, of_stream[0])
    assert found.tolist() == of_stream[1]
    assert np.isfinite(score).any()


def test_values_of_a_request_that_was_given_up_are_of_the_stream(served: Served, path: Path) -> None:
    sequences, values = Sequences(Limits()), walk()
    first = let_in(served, sequences, values[:30], start=True)
    let_in(served, sequences, values[30:40])  # is dropped from the queue
    third = let_in(served, sequences, values[40:50])
    fourth = let_in(served, sequences, values[50:])  # all wait while the model is busy
    answers = [served.run(rows) for rows in (first, third, fourth)]
    of_stream = expected(path, values)[0]
    np.testing.assert_array_equal(together(answers)[0], of_stream[:30] + of_stream[40:])


def test_a_stream_keeps_no_more_than_it_needs(served: Served) -> None:
    sequences = Sequences(Limits())
    for row in range(5):
        rows = let_in(served, sequences, np.full((10, 1), 100.0), start=not row)
        assert rows.parts["values"].shape == (10, 1)  # the others have been taken
        served.run(rows)


def test_a_stream_ends_with_its_model(served: Served, path: Path) -> None:
    sequences = Sequences(Limits())
    served.run(let_in(served, sequences, walk()[:5], start=True))
    with pytest.raises(RequestError) as caught:
        let_in(load_served(path), sequences, walk()[5:])
    assert caught.value.status is Status.UNFIT
    assert caught.value.message == (
        "the model was replaced since the sequence began; begin it anew with sequence_start"
    )


def test_values_that_wait_are_bounded(served: Served) -> None:
    sequences, values = Sequences(Limits()), np.full((16_384, 1), 100.0)
    with pytest.raises(RequestError) as caught:
        let_in(served, sequences, np.full((16_385, 1), 100.0), start=True)
    assert (caught.value.status, caught.value.message) == (
        Status.LARGE,
        "a request of a sequence holds at most 16384 values; it has 16385",
    )
    let_in(served, sequences, values, start=True)
    let_in(served, sequences, values)  # and neither is answered
    with pytest.raises(RequestError) as caught:
        let_in(served, sequences, values[:1])
    assert (caught.value.status, caught.value.message) == (
        Status.BUSY,
        "32768 values of the sequence wait already, of requests without an answer; wait for those in the queue, or "
        "begin the sequence anew with sequence_start",
    )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"values": np.zeros((2, 3, 1))}, "a request of a sequence holds the values of one series, without 'lengths'"),
        (
            {"values": np.full((1, 3, 1), np.inf)},
            "input 'values' must hold finite numbers up to 1e+15, NaN where missing",
        ),
    ],
)
def test_bad_values_are_refused(served: Served, inputs: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        served.continued(None, Asked(inputs=inputs, parameters={}))
    assert (caught.value.status, caught.value.message) == (Status.INVALID, message)
