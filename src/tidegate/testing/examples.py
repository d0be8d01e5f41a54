"""How to build what cannot be built without arguments, and a table to try estimators on.

An estimator or a callback whose constructor needs no argument, and a layer that needs no more than the size of its
input, needs no example here: it is checked as soon as it is registered or exported.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from torch import Tensor, nn

from tidegate import specs
from tidegate.anomaly import AnomalyDetector
from tidegate.classify import SequenceClassifier, SequenceRegressor
from tidegate.classify.defaults import NETWORK
from tidegate.estimator import Estimator
from tidegate.forecast import Forecaster
from tidegate.nn import (
    CRF,
    GRU,
    LSTM,
    Attention,
    Convolution,
    Dilated,
    DilatedStack,
    Parallel,
    PartStack,
    PooledNetwork,
    Pooling,
    RecurrentStack,
    SelfAttention,
    build_dilated,
    build_network,
    build_stack,
)
from tidegate.specs import Columns, Member, Recurrent, Training, Uncertainty
from tidegate.specs.pooling import POOLINGS
from tidegate.testing.layers import LayerCase
from tidegate.testing.trials import ExamplesTrial, TableTrial, Trial
from tidegate.text import Tagger, TextClassifier
from tidegate.training import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    Progress,
    ReduceLROnPlateau,
    TensorBoard,
)

__all__ = ["CALLBACKS", "ESTIMATORS", "LAYERS", "SIZE", "TRIALS", "example_frame", "example_trial"]

SIZE = 3  # features of the layers' input


def example_frame(*, series: int = 3, rows: int = 30) -> pd.DataFrame:
    """Give daily series with a season of six, of levels a thousandfold apart and of different lengths.

    >>> example_frame(series=2, rows=30).groupby("unique_id").size().to_dict()
    {'a': 30, 'b': 32}
    """
    rng = np.random.default_rng(0)
    parts = []
    for index in range(series):
        steps = np.arange(rows + 2 * index)
        shape = 5 + np.sin(2 * np.pi * steps / 6 + index) + 0.1 * rng.standard_normal(len(steps))
        stamps = pd.date_range("2024-01-01", periods=len(steps), freq="D")
        parts.append(pd.DataFrame({"unique_id": chr(ord("a") + index), "ds": stamps, "y": 1000.0**index * shape}))
    return pd.concat(parts, ignore_index=True)


def _forecaster(strategy: str, **options: Any) -> Forecaster:
    return Forecaster(
        horizon=3,
        context=12,
        season=6,
        strategy=strategy,
        network=Recurrent(hidden_size=6, recurrent_dropout=0.1),
        training=Training(max_steps=4, batch_size=8, learning_rate=1e-2, validation=0.2),
        device="cpu",
        **options,
    )


def _detector(**options: Any) -> AnomalyDetector:
    training = Training(max_steps=4, batch_size=8, learning_rate=1e-2, validation=0.2)
    network = Recurrent(hidden_size=4)
    return AnomalyDetector(**{"context": 6, "network": network, "training": training, "device": "cpu", **options})


def _named_series() -> Columns:
    return Columns(static=("unique_id",), fourier=1)


def _of_series(kind: type[SequenceClassifier | SequenceRegressor], **options: Any) -> Estimator:
    training = Training(max_steps=4, batch_size=8, learning_rate=1e-2, validation=0.0)
    return kind(**{"network": Recurrent(hidden_size=4), "training": training, "device": "cpu", **options})


def example_series(target: Sequence[Any], *, rows: int = 8) -> ExamplesTrial:
    """Give series of two channels and unequal lengths, with a missing value each, to try an estimator on."""
    rng = np.random.default_rng(0)
    inputs = [rng.normal(index % 2, 1, size=(rows + index % 3, 2)) for index in range(len(target))]
    for series in inputs:
        series[3, 1] = np.nan
    return ExamplesTrial(inputs, target)


def example_sentences() -> Trial:
    """Give sentences of different lengths with their tags."""
    words = {"Ann": "B-person", "Rome": "B-place", "sails": "O", "to": "O", "York": "B-place"}
    rows = [["Ann", "sails", "to", "Rome"], ["Rome"], ["to", "York"], ["York", "sails", "Ann", "to", "Rome", "to"]] * 2
    return ExamplesTrial(rows, [[words[word] for word in row] for row in rows])


def _tagger(**options: Any) -> Tagger:
    given: dict[str, Any] = {
        "features": specs.WordFeatures(size=6, character_size=4, affix_size=3, buckets=64),
        "network": Recurrent(hidden_size=6, bidirectional=True, recurrent_dropout=0.1),
        "training": Training(max_steps=4, batch_size=3, learning_rate=1e-2, validation=0.2),
        "device": "cpu",
    }
    return Tagger(**{**given, **options})


def example_texts() -> ExamplesTrial:
    """Give short texts of two kinds.

    >>> example_texts().target[:2]
    ['ebb', 'flow']
    """
    words = {"ebb": ["falls", "out", "low"], "flow": ["rises", "in", "high"]}
    rng = np.random.default_rng(0)
    labels = ["ebb", "flow"] * 6
    texts = [" ".join(["The tide", *rng.choice(words[label], 1 + row % 4), "."]) for row, label in enumerate(labels)]
    return ExamplesTrial(texts, labels)


def _of_texts(**options: Any) -> TextClassifier:
    given: dict[str, Any] = {
        "embedding": specs.Embedding(size=6, dropout=0.2),
        "network": Recurrent(hidden_size=6, bidirectional=True, recurrent_dropout=0.1),
        "training": Training(max_steps=4, batch_size=3, learning_rate=1e-2, validation=0.2),
        "device": "cpu",
    }
    return TextClassifier(**{**given, **options})


#: kind -> label -> an unfitted estimator
ESTIMATORS: Mapping[str, Mapping[str, Callable[[], Estimator]]] = {
    "forecaster": {
        "direct": lambda: _forecaster("direct"),
        "recursive": lambda: _forecaster("recursive"),
        "encoder_decoder": lambda: _forecaster("encoder_decoder"),
        "segments": lambda: _forecaster("segments"),
        "smoothing": lambda: _forecaster("smoothing"),
        "calibrated quantiles": lambda: _forecaster(
            "direct", uncertainty=Uncertainty(head="quantiles", calibration=0.2, refit=True)
        ),
        "distribution": lambda: _forecaster("recursive", uncertainty=Uncertainty(head="student_t")),
        "ensemble": lambda: _forecaster("direct", members=(Member(), Member(context=6, loss="mse"))),
        "covariates": lambda: _forecaster("direct", columns=_named_series()),
    },
    "anomaly_detector": {
        "autoencoder": _detector,
        "prediction": lambda: _detector(method=specs.Prediction(horizon=2), threshold="dynamic"),
        "extreme values": lambda: _detector(
            threshold=specs.Spot(level=0.8, risk=0.05), likelihood=specs.Likelihood(long=20, short=2), members=2
        ),
    },
    "sequence_classifier": {
        "recurrent": lambda: _of_series(SequenceClassifier, pooling="last"),
        "beside convolutions": lambda: _of_series(SequenceClassifier, network=NETWORK),
        "calibrated ensemble": lambda: _of_series(
            SequenceClassifier, members=2, calibration=0.25, scaling="series", pooling="attention"
        ),
        "augmented": lambda: _of_series(SequenceClassifier, augmentation=specs.Augmentation(crop=0.1, time_warp=0.1)),
    },
    "sequence_regressor": {
        "recurrent": lambda: _of_series(SequenceRegressor, pooling="mean_max"),
        "ensemble": lambda: _of_series(SequenceRegressor, members=2, loss="huber", scaling=None),
    },
    "tagger": {
        "letters": _tagger,
        "convolution and neighbours": lambda: _tagger(
            features=specs.WordFeatures(size=6, characters=specs.Convolution(channels=4), buckets=64, context=128)
        ),
        "ensemble": lambda: _tagger(members=2, schemes=specs.TagSchemes(learned="iob2", predicted="iobes")),
    },
    "text_classifier": {
        "words": _of_texts,
        "characters": lambda: _of_texts(
            tokens=specs.Tokens(unit="characters", lower=False),
            network=(specs.Convolution(channels=4, causal=False), Recurrent(hidden_size=4)),
            pooling="mean_max",
            wide=specs.Wide(words=0, characters=(1, 3), penalty=0.5, share=0.5),
            calibration=0.2,
        ),
        "subwords": lambda: _of_texts(
            tokens=specs.Tokens(unit="subwords", max_vocabulary=40), wide=None, members=2, class_weight="balanced"
        ),
    },
}


def example_trial() -> Trial:
    """Give the table of `example_frame` to try an estimator on."""
    return TableTrial(example_frame())


#: kind -> data to try it on, where that is no table of series
TRIALS: Mapping[str, Callable[[], Trial]] = {
    "sequence_classifier": lambda: example_series(["ebb", "flow"] * 6),
    "sequence_regressor": lambda: example_series([float(number % 5) for number in range(12)]),
    "tagger": example_sentences,
    "text_classifier": example_texts,
}


def _output_and_states(layer: nn.Module, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, ...]:
    """Call a recurrent layer; its states come as [batch, layer · direction, unit]."""
    output, state = layer(values) if lengths is None else layer(values, lengths=lengths)
    return (output, *(part.transpose(0, 1) for part in _flat(state)))


def _flat(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else [part for item in state for part in _flat(item)]


def _ask_itself(layer: nn.Module, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, ...]:
    """Attend from the first step of the input, and give the weights too, as [batch, time, 1]."""
    output, weights = layer(values, values[:, :1].tanh(), lengths=lengths, return_weights=True)
    return output, weights.mT


def _likelihood(layer: nn.Module, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, ...]:
    """Label by the best paths; give their log-likelihood, their scores and the marginals."""
    assert isinstance(layer, CRF)
    paths, scores = layer.decode(values, lengths=lengths)
    return layer(values, paths, lengths=lengths), scores, layer.marginals(values, lengths=lengths)


def _recurrent(cls: type[LSTM | GRU], **options: Any) -> LayerCase:
    def make() -> nn.Module:
        return cls(SIZE, 4, batch_first=True, **options)

    return LayerCase(make=make, size=SIZE, call=_output_and_states)


def _final(cls: type[LSTM | GRU], **options: Any) -> LayerCase:
    def make() -> nn.Module:
        return cls(SIZE, 4, batch_first=True, return_sequences=False, return_state=False, **options)

    return LayerCase(make=make, size=SIZE)


def _stack(**options: Any) -> LayerCase:
    spec = Recurrent(hidden_size=(5, 4), **options)
    return LayerCase(make=lambda: build_stack(spec, SIZE), size=SIZE, call=_output_and_states)


def _dilated(cls: type[LSTM | GRU], dilation: int, **options: Any) -> LayerCase:
    return LayerCase(make=lambda: Dilated(cls(SIZE, 4, **options), dilation), size=SIZE, call=_output_and_states)


def _dilated_stack(**options: Any) -> LayerCase:
    spec = specs.Dilated(hidden_size=4, **options)
    return LayerCase(make=lambda: build_dilated(spec, SIZE), size=SIZE, call=_output_and_states)


def _parts(*parts: specs.parts.Part) -> LayerCase:
    return LayerCase(make=lambda: build_network(parts, SIZE), size=SIZE, call=_output_and_states)


def _convolution(**options: Any) -> LayerCase:
    return LayerCase(make=lambda: Convolution(SIZE, 4, **options), size=SIZE)


def _branches() -> Parallel:
    recurrent = specs.Recurrent(hidden_size=4, bidirectional=True)
    convolutions = (specs.Convolution(channels=4, causal=False, norm="batch"), specs.SelfAttention(heads=2))
    branches = specs.Parallel(branches=(recurrent, convolutions))
    network: Any = build_network(branches, SIZE)
    parallel: Parallel = network.parts[0]
    return parallel


def _self_attention(**options: Any) -> LayerCase:
    return LayerCase(make=lambda: SelfAttention(SIZE, heads=3, **options), size=SIZE)


def _pooled(**options: Any) -> LayerCase:
    def make() -> nn.Module:
        return PooledNetwork(build_network(Recurrent(hidden_size=4), SIZE), Pooling(4, **options), 2, dropout=0.2)

    return LayerCase(make=make, size=SIZE)


def _crf(**options: Any) -> LayerCase:
    return LayerCase(make=lambda: CRF(SIZE, **options), size=SIZE, call=_likelihood)


def _attention(**options: Any) -> LayerCase:
    return LayerCase(make=lambda: Attention(SIZE, **options), size=SIZE)


#: layer -> label -> case
LAYERS: Mapping[type[nn.Module], Mapping[str, LayerCase]] = {
    LSTM: {
        "plain": _recurrent(LSTM),
        "deep": _recurrent(LSTM, num_layers=2, bidirectional=True, dropout=0.2),
        "projected": _recurrent(LSTM, proj_size=2),
        "every option": _recurrent(
            LSTM,
            num_layers=2,
            bidirectional=True,
            merge_mode="sum",
            peephole=True,
            layer_norm=True,
            dropout=0.1,
            input_dropout=0.1,
            recurrent_dropout=0.1,
            zoneout_hidden=0.1,
            zoneout_cell=0.1,
            init="keras",
        ),
        "final output": _final(LSTM, bidirectional=True, activation="softsign"),
        "backwards": _final(LSTM, go_backwards=True),
    },
    GRU: {
        "plain": _recurrent(GRU),
        "deep": _recurrent(GRU, num_layers=2, bidirectional=True, dropout=0.2),
        "every option": _recurrent(
            GRU,
            num_layers=2,
            bidirectional=True,
            merge_mode="ave",
            layer_norm=True,
            dropout=0.1,
            input_dropout=0.1,
            recurrent_dropout=0.1,
            zoneout_hidden=0.1,
            init="keras",
        ),
        "Keras' first": _recurrent(GRU, reset_after=False),
        "final output": _final(GRU, bidirectional=True, activation="softsign"),
    },
    RecurrentStack: {
        "plain": _stack(),
        "batch norm": _stack(norm="batch", dropout=0.2),
        "layer norm": _stack(cell="gru", norm="layer", bidirectional=True, recurrent_dropout=0.1),
    },
    Dilated: {
        "LSTM": _dilated(LSTM, 2),
        "GRU": _dilated(GRU, 3, num_layers=2, dropout=0.2, recurrent_dropout=0.1),
        "nearly as long as the input": _dilated(LSTM, 6),
    },
    DilatedStack: {
        "residual": _dilated_stack(dropout=0.2),
        "plain": _dilated_stack(cell="gru", dilations=(2, 3), residual=False),
    },
    PartStack: {
        "all": _parts(
            specs.Convolution(channels=4, activation="tanh"),
            specs.Dilated(hidden_size=4, dilations=(1, 2)),
            Recurrent(cell="gru", hidden_size=4, bidirectional=True),
            specs.SelfAttention(heads=2),
        ),
    },
    Convolution: {
        "plain": _convolution(activation="linear"),
        "dilated": _convolution(kernel_size=2, dilation=3, activation="tanh"),
        "both ways": _convolution(kernel_size=4, causal=False, norm="batch"),
    },
    Parallel: {"beside convolutions": LayerCase(make=_branches, size=SIZE)},
    SelfAttention: {
        "causal": _self_attention(),
        "both ways": _self_attention(causal=False, feed_forward=5, dropout=0.3),
    },
    Attention: {
        "pooling": _attention(),
        "projected": _attention(hidden_size=5, dropout=0.2),
        "additive": _attention(score="additive"),
        "queried": LayerCase(
            make=lambda: Attention(SIZE, query_size=SIZE, score="additive", hidden_size=5), size=SIZE, call=_ask_itself
        ),
    },
    CRF: {
        "free": _crf(),
        "restricted": _crf(
            allowed_transitions=[[True, True, False], [True, True, True], [False, True, True]],
            allowed_start=[True, True, False],
        ),
    },
    PooledNetwork: {kind: _pooled(kind=kind) for kind in POOLINGS},
    nn.LayerNorm: {"plain": LayerCase(make=lambda: nn.LayerNorm(SIZE), size=SIZE, lengths=False)},
}

#: callback -> label -> how to build it, given a folder to write to
CALLBACKS: Mapping[type[Callback], Mapping[str, Callable[[Path], Callback]]] = {
    BackupAndRestore: {
        "epochs": lambda folder: BackupAndRestore(folder / "backup"),
        "steps": lambda folder: BackupAndRestore(folder / "backup", save_freq=2),
    },
    CSVLogger: {
        "new": lambda folder: CSVLogger(folder / "log.csv"),
    },
    EarlyStopping: {
        "patient": lambda _: EarlyStopping(patience=2, min_delta=0.1),
        "restoring": lambda _: EarlyStopping("loss", patience=3, restore_best_weights=True),
    },
    LearningRateScheduler: {"halving": lambda _: LearningRateScheduler(lambda _, rate: rate / 2)},
    ModelCheckpoint: {
        "best": lambda folder: ModelCheckpoint(folder / "best.safetensors", save_best_only=True),
        "steps": lambda folder: ModelCheckpoint(folder / "{step}.safetensors", save_freq=2),
    },
    Progress: {"drawn": lambda _: Progress(Console(file=io.StringIO(), force_terminal=True))},
    ReduceLROnPlateau: {"impatient": lambda _: ReduceLROnPlateau(patience=1, min_delta=0.5, cooldown=1)},
    TensorBoard: {"folder": lambda folder: TensorBoard(folder / "logs")},
}
