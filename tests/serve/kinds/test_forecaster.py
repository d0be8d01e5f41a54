"""What a forecaster says over the wire is what ``predict`` says, to the bit, and nearly so among others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tidegate import Columns, Direct, Forecaster, Recurrent, Recursive, Smoothing, Training, Uncertainty
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds import load_served
from tidegate.serve.kinds.forecaster import PROBABILITIES, ServedForecaster
from tidegate.serve.served import Asked, Rows, joined

MOST = 100
ROWS = 60  # of each series
FIRST = pd.Timestamp("2024-01-01")


@dataclasses.dataclass(frozen=True)
class Variant:
    """A kind of forecaster: its options, and the columns that it reads."""

    options: Mapping[str, Any]
    columns: tuple[str, ...] = ("y",)


VARIANTS = {
    "direct": Variant({}),
    "segments of a season": Variant({"strategy": Direct(segment=6)}),
    "quantiles": Variant({"uncertainty": Uncertainty(head="quantiles")}),
    "calibrated": Variant({"uncertainty": Uncertainty(calibration=8)}),
    "sampled paths": Variant({"strategy": Recursive(samples=20), "uncertainty": Uncertainty(head="gaussian")}),
    "an ensemble": Variant({"members": 2}),
    "two targets": Variant({"columns": Columns(targets=("y", "z"))}, ("y", "z")),
    "past": Variant({"columns": Columns(past=("visits",))}, ("y", "visits")),
    "known": Variant({"columns": Columns(known=("price",))}, ("y", "price")),
    "static": Variant({"columns": Columns(static=("kind", "size"))}, ("y", "kind", "size")),
    "calendar": Variant({"columns": Columns(calendar=("weekday",), fourier=1)}),
    "everything": Variant(
        {
            "columns": Columns(
                past=("visits",), known=("price",), static=("kind", "size"), calendar=("weekday",), fourier=1
            )
        },
        ("y", "visits", "price", "kind", "size"),
    ),
    "smoothing of each series": Variant({"strategy": Smoothing(per_series=True)}),
}


def fitted(variant: Variant, frame: pd.DataFrame) -> Forecaster:
    small = {
        "horizon": 4,
        "season": 6,
        "context": 18,
        "network": Recurrent(hidden_size=8),
        "training": Training(max_steps=5, batch_size=16),
        "device": "cpu",
    }
    return Forecaster(**{**small, **variant.options}).fit(frame[["unique_id", "ds", *variant.columns]])


def ahead(rows: int) -> pd.DataFrame:
    """The price of the four days behind the rows."""
    days = [FIRST + pd.Timedelta(days=rows + step) for step in range(4)]
    parts = [pd.DataFrame({"unique_id": f"s{number}", "ds": days, "price": 8.5}) for number in range(3)]
    return pd.concat(parts, ignore_index=True)


def inputs_of(frame: pd.DataFrame, served: ServedForecaster, model: Forecaster, rows: int) -> dict[str, np.ndarray]:
    """Give the first rows of each series as a client would."""
    head = frame.groupby("unique_id").head(rows)

    def block(names: tuple[str, ...]) -> np.ndarray:
        return np.ascontiguousarray(head[list(names)].to_numpy(float).reshape(3, rows, len(names)))

    columns = model.columns_
    last = FIRST + pd.Timedelta(days=rows - 1)
    known = block(("price",))
    given = {
        "values": block(columns.targets),
        "past": block(("visits",)),
        "known": np.concatenate([known, np.full((3, 4, 1), 8.5)], axis=1),
        "static": np.array([[2.0], [3.0], [4.0]]),
        "categories": np.array([[b"even"], [b"odd"], [b"even"]], object),
        "time": np.array([last.isoformat().encode()] * 3, object),
        "series": np.array([b"s0", b"s1", b"s2"], object),
    }
    return {spec.name: given[spec.name] for spec in served.signature.inputs if spec.name in given}


def ask(
    served: ServedForecaster, inputs: Mapping[str, np.ndarray], outputs: tuple[str, ...] = (), **parameters: Any
) -> Rows:
    return served.prepare(Asked(inputs=inputs, parameters=parameters, outputs=outputs), MOST)


def predicted(model: Forecaster, frame: pd.DataFrame, variant: Variant, rows: int) -> np.ndarray:
    head = frame.groupby("unique_id").head(rows)[["unique_id", "ds", *variant.columns]]
    made = model.predict(head, future=ahead(rows) if "price" in variant.columns else None)
    names = [f"{name}_hat" for name in model.columns_.targets]
    return np.asarray(made[names].to_numpy().reshape(3, 4, len(names)))


@pytest.mark.parametrize("name", VARIANTS)
def test_answers_are_those_of_predict(name: str, frame: pd.DataFrame) -> None:
    variant = VARIANTS[name]
    model = fitted(variant, frame)
    served = ServedForecaster(model)
    for rows in (ROWS, model.least_):  # with more rows than the context, and with padding
        answer = served.run(ask(served, inputs_of(frame, served, model, rows)))
        expected = predicted(model, frame, variant, rows)
        assert np.array_equal(answer.outputs["forecast"], expected), rows


@pytest.mark.parametrize("name", ["direct", "everything", "quantiles", "sampled paths", "smoothing of each series"])
def test_rows_of_several_requests_are_answered_alike(name: str, frame: pd.DataFrame) -> None:
    model = fitted(VARIANTS[name], frame)
    served = ServedForecaster(model)
    inputs = inputs_of(frame, served, model, ROWS)
    alone = [
        ask(served, {key: array[row : row + 1] for key, array in inputs.items()}, ("forecast",)) for row in range(3)
    ]
    assert len({rows.key for rows in alone}) == 1
    assert alone[0].key is not None
    together = served.run(joined(alone))
    for row in range(3):
        each = served.run(alone[row]).outputs["forecast"]
        np.testing.assert_allclose(together.rows(row, row + 1).outputs["forecast"], each, rtol=1e-5)


@pytest.mark.parametrize("name", ["quantiles", "calibrated", "sampled paths"])
def test_quantiles_are_those_of_predict(name: str, frame: pd.DataFrame) -> None:
    model = fitted(VARIANTS[name], frame)
    served = ServedForecaster(model)
    rows = ask(served, inputs_of(frame, served, model, ROWS), ("quantiles",), quantiles="0.1,0.9")
    assert (rows.key is None) == (name == "sampled paths")  # paths are drawn for a batch: each request by itself
    answer = served.run(rows)
    made = model.predict(frame[["unique_id", "ds", "y"]], levels=[80])
    expected = made[["y_hat_lo_80", "y_hat_hi_80"]].to_numpy().reshape(3, 4, 1, 2)
    np.testing.assert_array_equal(answer.outputs["quantiles"], expected)
    assert answer.parameters == {"quantiles": "0.1,0.9"}
    assert list(answer.outputs) == ["quantiles"]


def test_quantiles_by_default(frame: pd.DataFrame) -> None:
    model = fitted(VARIANTS["quantiles"], frame)
    served = ServedForecaster(model)
    answer = served.run(ask(served, inputs_of(frame, served, model, ROWS)))
    assert answer.outputs["quantiles"].shape == (3, 4, 1, len(PROBABILITIES))
    assert answer.parameters == {"quantiles": "0.025,0.1,0.5,0.9,0.975"}


def test_missing_values_are_missing(model: Forecaster, frame: pd.DataFrame, values: np.ndarray) -> None:
    gaps = values.copy()
    gaps[:, [50, 55]] = np.nan
    served = ServedForecaster(model)
    told = frame[["unique_id", "ds"]].assign(y=gaps.ravel())
    expected = model.predict(told)["y_hat"].to_numpy().reshape(3, 4, 1)
    np.testing.assert_array_equal(served.run(ask(served, {"values": gaps})).outputs["forecast"], expected)


def test_lengths_say_where_rows_end(frame: pd.DataFrame) -> None:
    model = fitted(VARIANTS["everything"], frame)
    served = ServedForecaster(model)
    lengths = [60, 30, 16]
    full = inputs_of(frame, served, model, ROWS)
    ragged = {name: array.copy() for name, array in full.items()}
    singles = []
    for row, length in enumerate(lengths):
        ragged["values"][row, length:] = 1e6  # what lies behind a row's end is not read
        ragged["known"][row, length : length + 4] = 8.5
        stamp = (FIRST + pd.Timedelta(days=length - 1)).isoformat().encode()
        ragged["time"][row] = stamp
        cut = {"values": length, "past": length, "known": length + 4}
        single = {
            name: ragged[name][row : row + 1, : cut[name]] if name in cut else ragged[name][row : row + 1]
            for name in ragged
        }
        singles.append(ask(served, single))
    rows = ask(served, ragged | {"lengths": np.array(lengths)})
    expected = joined(singles)
    for name, part in expected.parts.items():
        if isinstance(part, np.ndarray):
            np.testing.assert_array_equal(rows.parts[name], part, err_msg=name)


def test_float32_is_taken(model: Forecaster, values: np.ndarray) -> None:
    served = ServedForecaster(model)
    single = values.astype(np.float32)
    answer = served.run(ask(served, {"values": single}))
    expected = served.run(ask(served, {"values": single.astype(np.float64)}))
    np.testing.assert_array_equal(answer.outputs["forecast"], expected.outputs["forecast"])


def test_a_sequence_answers_as_all_its_rows_would(frame: pd.DataFrame) -> None:
    model = fitted(VARIANTS["everything"], frame)
    served = ServedForecaster(model)
    full = {name: array[:1] for name, array in inputs_of(frame, served, model, ROWS).items()}

    def stretch(first: int, last: int) -> dict[str, np.ndarray]:
        stamp = (FIRST + pd.Timedelta(days=last - 1)).isoformat().encode()
        return {
            **full,
            "values": full["values"][:, first:last],
            "past": full["past"][:, first:last],
            "known": full["known"][:, first : last + 4],
            "time": np.array([stamp], object),
        }

    kept = None
    for first, last in ((0, 20), (20, 21), (21, 40), (40, 60)):
        kept = served.continued(kept, Asked(inputs=stretch(first, last), parameters={}))
        told = served.run(ask(served, kept))
        np.testing.assert_array_equal(
            told.outputs["forecast"], served.run(ask(served, stretch(0, last))).outputs["forecast"]
        )
        assert kept["values"].shape[1] <= 20  # no more is kept than an answer reads


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (
            {"values": np.zeros((1, 30))},
            Status.INVALID,
            "input 'values' must have 3 dimensions, [-1, -1, 1] (-1 is any size); got [1, 30]",
        ),
        (
            {"values": np.zeros((1, 30, 2))},
            Status.INVALID,
            "input 'values' must have the shape [-1, -1, 1] (-1 is any size of at least 1); got [1, 30, 2]",
        ),
        (
            {"values": np.zeros((0, 30, 1))},
            Status.INVALID,
            "input 'values' must have the shape [-1, -1, 1] (-1 is any size of at least 1); got [0, 30, 1]",
        ),
        ({"values": np.zeros((1, 30, 1), np.int64)}, Status.INVALID, "input 'values' must be FP64 or FP32; got INT64"),
        ({"values": np.zeros((101, 30, 1))}, Status.LARGE, "the request has 101 rows; at most 100 are taken at once"),
        (
            {"values": np.zeros((1, 1, 1))},
            Status.INVALID,
            "a row of input 'values' has 1 steps; the model needs 4 at least",
        ),
        (
            {"values": np.full((1, 30, 1), np.nan)},
            Status.INVALID,
            "row 0 of input 'values' holds no value in the window that is read; all are NaN",
        ),
        (
            {"values": np.full((1, 30, 1), np.inf)},
            Status.INVALID,
            "input 'values' must hold finite numbers up to 1e+15, NaN where missing; it holds inf",
        ),
        ({"other": np.zeros((1, 1))}, Status.INVALID, "there is no input 'other'; there are values, lengths, time"),
        (
            {"lengths": np.array([31])},
            Status.INVALID,
            "input 'lengths' must lie between 1 and 30, the steps of 'values'; got 31",
        ),
        (
            {"lengths": np.array([20, 20])},
            Status.INVALID,
            "input 'lengths' has 2 rows, but 'values' has 1; give as many",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(
    model: Forecaster, change: Mapping[str, np.ndarray], status: Status, message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        ask(ServedForecaster(model), {"values": np.zeros((1, 30, 1)), **change})
    assert (caught.value.status, caught.value.message) == (status, message)


def test_what_is_absent_is_named(model: Forecaster) -> None:
    with pytest.raises(RequestError, match=r"^input 'values' is missing; the model needs values$"):
        ask(ServedForecaster(model), {})


def test_unknown_outputs_are_refused(model: Forecaster, values: np.ndarray) -> None:
    with pytest.raises(RequestError, match=r"^there is no output 'quantiles'; there are forecast$"):
        ask(ServedForecaster(model), {"values": values}, ("quantiles",))


@pytest.mark.parametrize("given", ["0.9,0.1", "0,0.5", "a", "", "nan"])
def test_quantiles_ascend(frame: pd.DataFrame, values: np.ndarray, given: str) -> None:
    served = ServedForecaster(fitted(VARIANTS["quantiles"], frame))
    with pytest.raises(RequestError) as caught:
        ask(served, {"values": values}, quantiles=given)
    assert caught.value.message == (
        "parameter 'quantiles' must be up to 99 ascending probabilities between 0 and 1, such as '0.1,0.5,0.9'; "
        f"got {given!r}"
    )


def test_covariates_ahead_are_needed(known_model: Forecaster, values: np.ndarray) -> None:
    served = ServedForecaster(known_model)
    price = np.full((3, 64, 1), 9.0)
    with pytest.raises(RequestError, match=r"^input 'known' has 60 steps; 64 are needed beside 'values'$"):
        ask(served, {"values": values, "known": price[:, :60]})
    price[1, 62] = np.nan
    with pytest.raises(RequestError, match=r"^input 'known' is NaN within the 4 steps ahead, where it must be known$"):
        ask(served, {"values": values, "known": price})


@pytest.mark.parametrize("stamp", [b"yesterday", b"\xff", b""])
def test_time_stamps_are_read_strictly(frame: pd.DataFrame, values: np.ndarray, stamp: bytes) -> None:
    served = ServedForecaster(fitted(VARIANTS["calendar"], frame))
    with pytest.raises(RequestError, match=r"^input 'time' cannot be read: column 'time', row 0"):
        ask(served, {"values": values[:1], "time": np.array([stamp], object)})


def test_values_outside_the_domain_are_refused(frame: pd.DataFrame, values: np.ndarray) -> None:
    from tidegate import Scaling

    served = ServedForecaster(fitted(Variant({"scaling": Scaling(transform="log")}), frame))
    with pytest.raises(
        RequestError, match=r"^the transform of the model needs values above 0; input 'values' holds -1$"
    ):
        ask(served, {"values": np.full((1, 30, 1), -1.0)})


def test_people_get_what_predict_gives(model: Forecaster, frame: pd.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path / "m.safetensors")
    served = load_served(tmp_path / "m.safetensors")
    plain = frame[["unique_id", "ds", "y"]]
    rows = plain.assign(ds=plain["ds"].dt.strftime("%Y-%m-%d")).to_dict("records")
    answer = served.from_rows({"rows": rows})["rows"]
    expected = model.predict(plain)
    assert [row["y_hat"] for row in answer] == expected["y_hat"].tolist()
    assert answer[0]["unique_id"] == "s0"
    assert answer[0]["ds"] == "2024-03-01T00:00:00"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "the body needs 'rows': a list of objects, one a row"),
        ({"rows": [1]}, "rows[0] must be an object with the columns of the model; got 1"),
        ({"rows": {}}, "the body may hold the lists 'rows', 'future', 'levels'; got 'rows' of another kind"),
        ({"row": []}, "the body may hold the lists 'rows', 'future', 'levels'; got 'row' of another kind"),
    ],
)
def test_bad_rows_say_what_is_wrong(model: Forecaster, body: Mapping[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        ServedForecaster(model).from_rows(body)
    assert (caught.value.status, caught.value.message) == (Status.INVALID, message)


def test_rows_without_a_column_are_refused_as_predict_does(model: Forecaster) -> None:
    with pytest.raises(RequestError, match="column"):
        ServedForecaster(model).from_rows({"rows": [{"unique_id": "a", "y": 1.0}]})
