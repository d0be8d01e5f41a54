"""Every estimator with every cell and option: exported, or refused with the reason.

All options stand side by side in one network, as branches of a `Parallel`: an export costs by the graph, hardly by the
layer. What each layer's numbers are in a graph is held in `test_recurrent`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import tidegate as tg
from tidegate.errors import UnsupportedError
from tidegate.estimator import Estimator
from tidegate.export import export_onnx, to_onnx
from tidegate.export.kinds import KINDS, exportable
from tidegate.nn.heads import make_head
from tidegate.specs.uncertainty import HEADS

SIZE = 2
CELLS = ("lstm", "gru")
OPTIONS: tuple[dict[str, Any], ...] = (
    {"bidirectional": True},
    {"layer_norm": True},
    {"activation": "relu"},
    {"num_layers": 2, "norm": "layer", "dropout": 0.2},
    {"num_layers": 2, "norm": "batch", "recurrent_dropout": 0.2, "input_dropout": 0.1},
)
ALL = bool(os.environ.get("TIDEGATE_MATRIX"))  # all options with both cells in every estimator: minutes


def branches(place: int) -> tuple[Any, ...]:
    """Give both cells, and a third of what else there is; with ``ALL`` all of it."""
    small: dict[str, Any] = {"hidden_size": SIZE}
    more: list[Any] = [tg.Recurrent(cell=cell, **small, **options) for options in OPTIONS for cell in CELLS]
    more += [tg.Recurrent(peephole=True, **small), tg.Recurrent(peephole=True, activation="softsign", **small)]
    more += [tg.Dilated(cell=cell, dilations=(1, 3), **small) for cell in CELLS]
    more += [(tg.Convolution(channels=SIZE, norm="batch"), tg.Recurrent(cell=cell, **small)) for cell in CELLS]
    more += [(tg.Recurrent(cell=cell, **small), tg.SelfAttention(heads=1)) for cell in CELLS]
    plain = [tg.Recurrent(cell=cell, **small) for cell in CELLS]
    return (*plain, *(more if ALL else more[place % 6 :: 6]))


def operators(parts: tuple[Any, ...]) -> dict[str, int]:
    """Count what each direction of each layer must become: ONNX's own operator, or with layer norm a Scan."""
    counts = {"LSTM": 0, "GRU": 0, "Scan": 0}
    for part in parts:
        if isinstance(part, tuple):
            for name, count in operators(part).items():
                counts[name] += count
        elif isinstance(part, tg.Dilated):
            counts[part.cell.upper()] += len(part.dilations)
        elif isinstance(part, tg.Recurrent):
            counts["Scan" if part.layer_norm else part.cell.upper()] += part.num_layers * (1 + part.bidirectional)
    return counts


GENERATOR = np.random.default_rng(0)
ROWS = [GENERATOR.normal(loc=index % 2, size=(6 + index % 3, 2)) for index in range(8)]
WAVE = 20 + 5 * np.sin(np.arange(40) * 2 * np.pi / 4) + GENERATOR.normal(size=40)
FRAME = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 40), "ds": np.tile(np.arange(40), 2), "y": np.tile(WAVE, 2)})
SENTENCES, TAGS = [["The", "tide"], ["gates", "close", "now"]] * 3, [["B-NP", "I-NP"], ["B-NP", "B-VP", "O"]] * 3
ONE_STEP: dict[str, Any] = {"training": tg.Training(max_steps=1, batch_size=4), "device": "cpu"}


def forecaster(**options: Any) -> tg.Forecaster:
    return tg.Forecaster(**{"horizon": 2, "context": 8, "season": 4, **ONE_STEP, **options}).fit(FRAME)


def tagger(network: Any) -> Estimator:
    features = tg.WordFeatures(size=2, characters=None, affixes=(), shape=False)
    return tg.Tagger(features=features, network=network, **ONE_STEP).fit(SENTENCES, TAGS)


def text_classifier(network: Any) -> Estimator:
    model = tg.TextClassifier(embedding=tg.Embedding(size=2), network=network, wide=None, **ONE_STEP)
    return model.fit([" ".join(tokens) for tokens in SENTENCES], ["out", "in"] * 3)


ESTIMATORS: dict[str, Callable[[Any], Estimator]] = {
    "anomaly_detector": lambda network: tg.AnomalyDetector(
        method="prediction", context=5, network=network, **ONE_STEP
    ).fit(WAVE),
    "forecaster": lambda network: forecaster(network=network, strategy="direct"),
    "sequence_classifier": lambda network: tg.SequenceClassifier(network=network, **ONE_STEP).fit(ROWS, ["a", "b"] * 4),
    "sequence_regressor": lambda network: tg.SequenceRegressor(network=network, **ONE_STEP).fit(ROWS, np.arange(8.0)),
    "tagger": tagger,
    "text_classifier": text_classifier,
}


def test_every_kind_of_estimator_is_walked() -> None:
    assert set(ESTIMATORS) == set(KINDS)


@pytest.mark.parametrize(("place", "kind"), list(enumerate(ESTIMATORS)))
def test_every_estimator_with_every_cell_and_option(place: int, kind: str) -> None:
    parts = branches(place)
    graph = export_onnx(ESTIMATORS[kind](tg.Parallel(branches=parts)))
    expected = operators(parts)
    expected["Scan"] += 2 if kind == "tagger" else 0  # the best path, forth and back
    assert {name: graph.nodes.get(name, 0) for name in expected} == expected
    assert "Loop" not in graph.nodes
    assert graph.worst < 1e-5
    assert len({trial.time for trial in graph.trials}) == 3


STRATEGIES: tuple[Any, ...] = ("direct", "recursive", "encoder_decoder", "segments", "smoothing")
POINT, BOTH = ["forecast"], ["forecast", "quantiles"]
COUNTS: dict[str, Any] = {"scaling": tg.Scaling(method="mean", output="centre")}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_with_every_head_is_exported_or_refused(strategy: str, head: str) -> None:
    """What goes into a graph is settled before it is traced; graphs of all strategies are in `test_forecaster`."""
    counts = head == "negative_binomial"
    options: dict[str, Any] = {"strategy": strategy, "uncertainty": tg.Uncertainty(head=head)}
    if counts and strategy == "smoothing":  # which has a scaling of its own
        return
    model = forecaster(network=tg.Recurrent(hidden_size=2), **options, **(COUNTS if counts else {}))
    if counts:
        with pytest.raises(UnsupportedError, match="a head 'negative_binomial' searches for its quantiles"):
            exportable(model)
        return
    drawn = strategy == "recursive" and head != "point"
    made = exportable(model)
    assert [port.name for port in made.outputs] == (POINT if head == "point" or drawn else BOTH)
    assert len(made.notes) == drawn
    if drawn:
        with pytest.raises(UnsupportedError, match="intervals of a recursive model are drawn at random, path by path"):
            exportable(model, [80])


class StudentT(torch.nn.Module):
    """The head whose functions ONNX lacks."""

    def forward(self, raw: Tensor, probabilities: Tensor) -> Tensor:
        head = make_head(tg.Uncertainty(head="student_t"), "mae")
        return head.quantiles(raw, probabilities, torch.ones(1))


def test_a_head_of_functions_that_onnx_lacks_gives_its_numbers() -> None:
    probabilities = torch.tensor([0.025, 0.1, 0.9])
    torch.manual_seed(0)
    graph = to_onnx(
        StudentT(), {"raw": torch.randn(2, 4, 3), "probabilities": probabilities}, axes={"probabilities": ()}
    )
    assert graph.worst < 1e-6
