"""Whole units out of trained networks: the right ones, all of their weights, in every structure."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tidegate as tg
from tidegate.compress import prune
from tidegate.compress.pruning import smaller
from tidegate.errors import NotFittedError, SpecError, UnsupportedError
from tidegate.estimator import Estimator, load
from tidegate.specs import Convolution, Dilated, Parallel, Recurrent, SelfAttention, Smoothing
from tidegate.specs.pooling import POOLINGS
from tidegate.text.tagging.sentences import read_sentences

from .conftest import Problem, rebuilt, with_twins

ONE_STEP = tg.Training(max_steps=1, batch_size=8, validation=0.0)


def forecaster(**options: Any) -> tg.Forecaster:
    return tg.Forecaster(
        **{
            "horizon": 4,
            "context": 12,
            "season": 3,
            "network": Recurrent(hidden_size=6),
            "training": ONE_STEP,
            "device": "cpu",
            **options,
        }
    )


def parted(*network: Any) -> tg.Forecaster:
    return forecaster(network=network[0] if len(network) == 1 else network)


def classifier(**options: Any) -> tg.SequenceClassifier:
    given: dict[str, Any] = {"network": Recurrent(hidden_size=6), "training": ONE_STEP, "device": "cpu"}
    return tg.SequenceClassifier(**{**given, **options})


def detector(**options: Any) -> tg.AnomalyDetector:
    given: dict[str, Any] = {"context": 8, "training": ONE_STEP, "device": "cpu"}
    return tg.AnomalyDetector(**{**given, **options})


KNOWN = tg.Columns(static=("kind",), known=("z",))
BOTH_WAYS = Recurrent(hidden_size=6, bidirectional=True)
STRUCTURES: dict[str, Estimator] = {
    "LSTM": forecaster(),
    "every option of a cell": parted(Recurrent(hidden_size=6, peephole=True, layer_norm=True, num_layers=2)),
    "GRU, layers of unlike sizes, norms": parted(
        Recurrent(cell="gru", hidden_size=(8, 4, 6), bidirectional=True, norm="layer", layer_norm=True)
    ),
    "batch norms": parted(Recurrent(hidden_size=6, num_layers=2, norm="batch", bidirectional=True)),
    "layers of several directions in one module": parted(dataclasses.replace(BOTH_WAYS, cell="gru", num_layers=3)),
    "members": forecaster(members=3),
    "dilated, residual": parted(Dilated(hidden_size=6, dilations=(1, 2, 3))),
    "dilated": parted(Dilated(cell="gru", hidden_size=6, dilations=(1, 2), residual=False)),
    "convolutions about it": parted(
        Convolution(channels=4, layers=2, norm="batch"), Recurrent(hidden_size=6), Convolution(channels=6)
    ),
    "convolutions behind both ways": tg.Tagger(
        network=(Convolution(channels=4), BOTH_WAYS, Convolution(channels=6)), training=ONE_STEP, device="cpu"
    ),
    "branches": parted(
        Convolution(channels=4),
        Parallel(branches=(BOTH_WAYS, (Convolution(channels=4, norm="batch"), Recurrent(cell="gru", hidden_size=2)))),
        Recurrent(hidden_size=4),
    ),
    "attention before any unit": parted(SelfAttention(heads=1), Recurrent(hidden_size=4)),
    "direct, with a gate": forecaster(network=BOTH_WAYS, strategy=tg.Direct(experts=3)),
    "direct, known covariates": forecaster(columns=KNOWN),
    "direct, targets apart": forecaster(
        columns=tg.Columns(targets=("y", "z")), strategy=tg.Direct(channels="independent")
    ),
    "recursive": forecaster(strategy="recursive", network=Recurrent(cell="gru", hidden_size=(4, 6)), columns=KNOWN),
    "encoder and decoder": forecaster(
        strategy=tg.EncoderDecoder(attention=False), network=Recurrent(hidden_size=(6, 4)), columns=KNOWN
    ),
    "encoder, decoder, attention": forecaster(
        strategy="encoder_decoder", network=Recurrent(cell="gru", hidden_size=6, num_layers=2)
    ),
    "segments": forecaster(strategy=tg.Segments(length=3), network=Recurrent(hidden_size=(6, 4)), columns=KNOWN),
    "smoothing": forecaster(strategy=Smoothing(highway=6, experts=2), network=Dilated(hidden_size=4, dilations=(1, 2))),
    **{f"pooled by {kind}": classifier(network=BOTH_WAYS, pooling=kind, members=2) for kind in POOLINGS},
    "regressor with the usual network": tg.SequenceRegressor(training=ONE_STEP, device="cpu"),
    "texts": tg.TextClassifier(network=BOTH_WAYS, training=ONE_STEP, device="cpu", members=2),
    "sentences": tg.Tagger(network=BOTH_WAYS, training=ONE_STEP, device="cpu", members=2),
    "autoencoder": detector(network=BOTH_WAYS, members=2),
    "prediction": detector(
        method=tg.Prediction(horizon=2, season=3, linear=True), network=Recurrent(cell="gru", hidden_size=4)
    ),
}


def answers(model: Any, problem: Problem) -> np.ndarray:
    """Give what the networks of a model say, in numbers."""
    match model.kind:
        case "forecaster":
            found = model.predict(
                problem.ask,
                future=None if not model.columns.known else _future(problem.ask, model.horizon),
            )
            return np.asarray(found[[name for name in found if name.endswith("_hat")]])
        case "anomaly_detector":
            return np.asarray(model.decision_function(problem.ask))
        case "sequence_regressor":
            return np.asarray(model.predict(problem.ask))
        case "tagger":
            with torch.inference_mode():
                batches = model._answers._emissions(read_sentences(problem.ask, width=0))
                return np.concatenate([scores.numpy().ravel() for _, scores, _ in batches])
        case _:
            return np.asarray(model.predict_proba(problem.ask))


def _future(frame: Any, horizon: int) -> Any:
    import pandas as pd

    rows = [
        {"unique_id": name, "ds": part["ds"].max() + pd.Timedelta(days=step), "z": step / 3}
        for name, part in frame.groupby("unique_id")
        for step in range(1, horizon + 1)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_model_without_its_silent_twins_answers_as_before(structure: str, problems: dict[str, Problem]) -> None:
    model: Any = STRUCTURES[structure]
    problem = problems[model.kind]
    model = with_twins(type(model)(**model.get_params(deep=False)).fit(*problem.fit))
    pruned = prune(model, units=0.5)
    assert pruned.network == smaller(model.network, 0.5) != model.network
    expected = answers(model, problem)
    assert expected.size
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(answers(pruned, problem), expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@pytest.fixture(scope="module")
def series(problems: dict[str, Problem]) -> Any:
    """A fitted classifier, not to be changed, of two members with different weak units."""
    model = classifier(network=Recurrent(cell="gru", hidden_size=4), members=2, pooling="mean")
    model.fit(*problems["sequence_classifier"].fit)
    arrays = model._learned()[1]
    for member, weak in enumerate(((0, 2), (1, 3))):
        stack = f"{member}.body.network.layers.0"
        for unit in weak:
            arrays[f"{stack}.weight_hh_l0"][unit::4] /= 4
            arrays[f"{stack}.weight_ih_l0"][unit::4] /= 4
    return rebuilt(model, arrays)


def test_rows_and_columns_of_the_weak_units_are_taken_out_and_nothing_else(series: Any) -> None:
    before, after = series._learned()[1], prune(series)._learned()[1]
    assert before.keys() == after.keys()
    for member, left in enumerate(([1, 3], [0, 2])):
        rows = [4 * gate + unit for gate in range(3) for unit in left]
        stack = f"{member}.body.network.layers.0"
        expected = {
            f"{stack}.weight_ih_l0": before[f"{stack}.weight_ih_l0"][rows],
            f"{stack}.weight_hh_l0": before[f"{stack}.weight_hh_l0"][rows][:, left],
            f"{stack}.bias_ih_l0": before[f"{stack}.bias_ih_l0"][rows],
            f"{stack}.bias_hh_l0": before[f"{stack}.bias_hh_l0"][rows],
            f"{member}.body.output.weight": before[f"{member}.body.output.weight"][:, left],
            f"{member}.body.output.bias": before[f"{member}.body.output.bias"],
        }
        for name, array in expected.items():
            np.testing.assert_array_equal(after[name], array)
            assert after[name].dtype == array.dtype


def test_the_given_model_stays_and_the_other_knows_what_it_knew(series: Any) -> None:
    before = {name: array.copy() for name, array in series._learned()[1].items()}
    pruned = prune(series, units=0.25)
    assert series.network.hidden_size == 4
    for name, array in series._learned()[1].items():
        np.testing.assert_array_equal(array, before[name])
    assert pruned.network == Recurrent(cell="gru", hidden_size=3)
    assert {**pruned.get_params(deep=False), "network": None} == {**series.get_params(deep=False), "network": None}
    assert pruned.classes_.tolist() == ["a", "b"]
    assert pruned.history_.to_dict() == series.history_.to_dict()


def test_a_pruned_model_is_saved_and_pruned_again_like_any(
    series: Any, problems: dict[str, Problem], tmp_path: Path
) -> None:
    problem = problems["sequence_classifier"]
    pruned = prune(series)
    pruned.save(tmp_path / "small.safetensors")
    loaded: Any = load(tmp_path / "small.safetensors")
    np.testing.assert_array_equal(answers(loaded, problem), answers(pruned, problem))
    assert prune(loaded, units=0.9).network.hidden_size == 1


def test_networks_in_smaller_words() -> None:
    attention = SelfAttention(heads=1)
    network = (
        attention,
        Convolution(channels=5),
        Parallel(branches=(Dilated(hidden_size=8), (Recurrent(hidden_size=3, num_layers=2), Convolution(channels=4)))),
        Recurrent(hidden_size=(6, 5), bidirectional=True),
    )
    assert smaller(network, 0.5) == (
        attention,
        Convolution(channels=3),
        Parallel(branches=(Dilated(hidden_size=4), (Recurrent(hidden_size=2, num_layers=2), Convolution(channels=2)))),
        Recurrent(hidden_size=(4, 3), bidirectional=True),
    )


@pytest.mark.parametrize("units", [0, 1, -0.5, 2, float("nan"), "half", True, None])
def test_a_share_that_cannot_be_is_refused(series: Any, units: Any) -> None:
    with pytest.raises(SpecError) as error:
        prune(series, units=units)
    assert str(error.value) in (
        f"units must be the share that goes, more than 0 and less than 1; got {units!r}",
        f"units must be a finite number; got {units!r}",
    )


def test_a_share_that_takes_nothing_is_refused(series: Any) -> None:
    with pytest.raises(SpecError) as error:
        prune(series, units=0.2)
    assert str(error.value) == (
        "units=0.2 takes no unit out of any layer, as what stays is rounded up; give a larger share"
    )


def test_before_fit_there_is_nothing_to_prune() -> None:
    with pytest.raises(NotFittedError) as error:
        prune(forecaster())
    assert str(error.value) == "this Forecaster is not fitted; call fit(…) before prune(…)"


def test_units_that_self_attention_reads_are_refused(problems: dict[str, Problem]) -> None:
    model = parted(Recurrent(hidden_size=4), SelfAttention(heads=2)).fit(*problems["forecaster"].fit)
    with pytest.raises(UnsupportedError) as error:
        prune(model)
    assert str(error.value) == (
        "units cannot be pruned before SelfAttention, which adds to the features that it reads and shares them among "
        "its heads; train a network of recurrent layers and convolutions instead, or a smaller one"
    )


def test_channels_that_are_read_by_halves_are_refused(problems: dict[str, Problem]) -> None:
    model = parted(BOTH_WAYS, Convolution(channels=4)).fit(*problems["forecaster"].fit)
    with pytest.raises(UnsupportedError) as error:
        prune(model)
    assert str(error.value) == (
        "channels of a convolution behind a bidirectional part cannot be pruned: they are taken for two halves, one of "
        "each direction; train a network that ends with a recurrent part"
    )


def test_a_kind_of_its_own_is_refused(series: Any) -> None:
    class Foreign(tg.SequenceClassifier):
        kind = "foreign"

    foreign = Foreign(**series.get_params(deep=False))
    foreign._take(series.fitted_, series.labels_, 1.0)
    with pytest.raises(UnsupportedError) as error:
        prune(foreign)
    assert str(error.value) == (
        "a model of kind 'foreign' cannot be pruned; only 'forecaster', 'sequence_classifier', 'sequence_regressor', "
        "'text_classifier', 'tagger', 'anomaly_detector'"
    )
