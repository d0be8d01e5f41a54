"""Streams: kept, gone on from, ended, expired, and bounded in number."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tidegate import Forecaster
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds.forecaster import ServedForecaster
from tidegate.serve.limits import Limits
from tidegate.serve.sequences import Sequences, sequence_of
from tidegate.serve.served import Asked


@pytest.fixture
def served(model: Forecaster) -> ServedForecaster:
    return ServedForecaster(model)


def asked(values: np.ndarray, **parameters: Any) -> Asked:
    return Asked(inputs={"values": values}, parameters=parameters)


def put(sequences: Sequences, served: ServedForecaster, key: str, values: np.ndarray, **parameters: Any) -> np.ndarray:
    """Give the rows that a request of a stream is answered from, and keep them."""
    full = sequences.continued(served, asked(values, **parameters), key)
    sequences.keep(full, key)
    return full.inputs["values"]


def test_rows_add_up_to_what_is_read(served: ServedForecaster, values: np.ndarray) -> None:
    sequences, series = Sequences(Limits()), values[:1]
    put(sequences, served, "a", series[:, :10], sequence_start=True)
    np.testing.assert_array_equal(put(sequences, served, "a", series[:, 10:12]), series[:, :12])
    np.testing.assert_array_equal(put(sequences, served, "a", series[:, 12:40]), series[:, 22:40])  # the context of 18
    np.testing.assert_array_equal(put(sequences, served, "a", series[:, :5], sequence_start=True), series[:, :5])


def test_what_is_kept_is_no_view_of_a_message(served: ServedForecaster, values: np.ndarray) -> None:
    sequences, message = Sequences(Limits()), values[:1].copy()
    put(sequences, served, "a", message, sequence_start=True)
    message[:] = 0
    kept = put(sequences, served, "a", values[:1, :1])
    np.testing.assert_array_equal(kept[:, :-1], values[:1, -17:])


def test_nothing_is_kept_before_it_is_said(served: ServedForecaster, values: np.ndarray) -> None:
    sequences = Sequences(Limits())
    put(sequences, served, "a", values[:1, :10], sequence_start=True)
    sequences.continued(served, asked(values[:1, 10:20]), "a")  # refused afterwards: the queue was full
    np.testing.assert_array_equal(put(sequences, served, "a", values[:1, 10:11]), values[:1, :11])


def test_a_stream_ends(served: ServedForecaster, values: np.ndarray) -> None:
    sequences = Sequences(Limits())
    put(sequences, served, "a", values[:1], sequence_start=True)
    put(sequences, served, "a", values[:1, :1], sequence_end=True)
    assert len(sequences) == 0
    with pytest.raises(
        RequestError, match=r"^sequence 'a' has not begun, or has expired; begin it with sequence_start$"
    ):
        put(sequences, served, "a", values[:1, :1])


def test_idle_streams_are_forgotten(served: ServedForecaster, values: np.ndarray) -> None:
    sequences = Sequences(Limits(sequence_idle=100, sequences=2))
    for key in ("a", "b", "a"):
        put(sequences, served, key, values[:1], sequence_start=True)
    now = time.monotonic()
    sequences.expire(now + 50)
    assert len(sequences) == 2
    with pytest.raises(RequestError) as caught:
        put(sequences, served, "c", values[:1], sequence_start=True)
    assert caught.value.status is Status.BUSY
    sequences.expire(now + 101)
    assert len(sequences) == 0


def test_a_stream_is_one_series(served: ServedForecaster, values: np.ndarray) -> None:
    with pytest.raises(
        RequestError, match=r"^a request of a sequence holds the rows of one series, without 'lengths'$"
    ):
        Sequences(Limits()).continued(served, asked(values, sequence_start=True), "a")


@pytest.mark.parametrize(("given", "key"), [(None, None), (0, None), ("", None), (7, 7), ("x", "x")])
def test_ids_are_numbers_or_text(given: Any, key: Any) -> None:
    assert sequence_of({} if given is None else {"sequence_id": given}) == key


@pytest.mark.parametrize("given", [1.5, True, "x" * 201])
def test_other_ids_are_refused(given: Any) -> None:
    with pytest.raises(RequestError, match=r"^parameter 'sequence_id' must be a whole number, or text of up to 200"):
        sequence_of({"sequence_id": given})
