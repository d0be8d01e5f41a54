"""Every option of the recurrent layers in ONNX Runtime, beside the layers themselves.

All layers stand in one graph: the time of an export goes by the call, hardly by the layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tidegate import nn
from tidegate.errors import ShapeError, SpecError, UnsupportedError
from tidegate.export import Exported, to_onnx
from tidegate.export.verify import Session

LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm, two layers": ("LSTM", {"num_layers": 2}),
    "lstm, peephole": ("LSTM", {"peephole": True, "bidirectional": True}),
    "lstm, activations": ("LSTM", {"activation": "relu", "recurrent_activation": "hard_sigmoid", "bias": False}),
    "lstm, layer norm": ("LSTM", {"layer_norm": True, "peephole": True}),
    "lstm, projection": ("LSTM", {"proj_size": 3, "bidirectional": True}),
    "lstm, zoneout": ("LSTM", {"zoneout_hidden": 0.1, "zoneout_cell": 0.2, "recurrent_dropout": 0.3}),
    "lstm, backwards": ("LSTM", {"go_backwards": True, "return_sequences": False}),
    "gru": ("GRU", {}),
    "gru, activations": ("GRU", {"activation": "softsign", "recurrent_activation": "hard_sigmoid"}),
    "gru, linear": ("GRU", {"activation": "linear", "bidirectional": True, "merge_mode": "mul"}),
    "gru, reset before": ("GRU", {"reset_after": False, "bidirectional": True, "merge_mode": "sum"}),
    "gru, layer norm": ("GRU", {"layer_norm": True, "bidirectional": True, "return_sequences": False}),
    "gru, zoneout": ("GRU", {"zoneout_hidden": 0.3, "reset_after": False, "activation": "hard_sigmoid"}),
}
OWN_OPERATOR = {"LSTM": 7, "GRU": 6}  # directions of the layers that ONNX's operators can say
SCANS = 7


class Together(torch.nn.Module):
    """All layers on the same input: outputs and states of each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList(
            getattr(nn, kind)(4, 5, batch_first=True, **options) for kind, options in LAYERS.values()
        )

    def forward(self, values: Tensor, lengths: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        for layer in self.layers:
            output, states = layer(values, lengths=lengths)
            found += [output, *(states if isinstance(states, tuple) else (states,))]
        return found


@pytest.fixture(scope="module")
def together() -> Together:
    return Together().eval()


@pytest.fixture(scope="module")
def graph(together: Together) -> Exported:
    torch.manual_seed(1)
    return to_onnx(together, {"values": torch.randn(3, 6, 4), "lengths": torch.tensor([6, 3, 0])})


def test_a_layer_is_onnx_own_operator_where_that_can_say_it_and_a_scan_elsewhere(graph: Exported) -> None:
    assert {name: graph.nodes[name] for name in OWN_OPERATOR} == OWN_OPERATOR
    assert graph.nodes["Scan"] == SCANS
    assert "Loop" not in graph.nodes


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (2, 7), (4, 23)])
def test_every_option_gives_the_numbers_of_the_layer(
    graph: Exported, together: Together, batch: int, time: int
) -> None:
    generator = torch.Generator().manual_seed(batch)
    values = torch.randn(batch, time, 4, generator=generator)
    lengths = torch.arange(batch) * time // max(batch - 1, 1)  # 0 among them
    found = Session(graph.content).run({"values": values.numpy(), "lengths": lengths.numpy()})
    with torch.no_grad():
        expected = together(values, lengths)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=2e-5, rtol=2e-5)


def test_what_lies_past_a_length_reaches_nothing(graph: Exported) -> None:
    session = Session(graph.content)
    values, lengths = np.zeros((2, 5, 4), np.float32), np.array([3, 5])
    spoilt = values.copy()
    spoilt[0, 3:] = np.nan
    for one, other in zip(
        session.run({"values": values, "lengths": lengths}),
        session.run({"values": spoilt, "lengths": lengths}),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_weights_are_converted_beforehand(graph: Exported) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(graph.content)
    onnx.checker.check_model(model, full_check=True)
    constants = {tensor.name for tensor in model.graph.initializer}
    recurrent = [node for node in model.graph.node if node.op_type in OWN_OPERATOR]
    assert recurrent
    assert all({name for name in node.input[1:4] if name} <= constants for node in recurrent)


def test_inputs_and_outputs_are_named_and_typed(graph: Exported) -> None:
    assert [(port["name"], port["dtype"], port["axes"]) for port in graph.inputs] == [
        ("values", "float", ["batch", "time", 4]),
        ("lengths", "int64", ["batch"]),
    ]
    assert graph.outputs[0]["name"] == "output_0"
    assert graph.outputs[0]["axes"] == ["batch", "time", 5]
    assert (graph.opset, graph.ir_version) == (18, 10)
    assert graph.worst < 1e-5
    assert {trial.batch for trial in graph.trials} == {1, 5}
    assert len({trial.time for trial in graph.trials}) == 3
    assert any(trial.ragged for trial in graph.trials)


def test_time_first_and_an_initial_state() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 5)
    states = torch.randn(1, 2, 5), torch.randn(1, 2, 5)

    class Started(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, values: Tensor, h_0: Tensor, c_0: Tensor) -> Tensor:
            output: Tensor = self.layer(values, (h_0, c_0))[0]
            return output

    example = {"values": torch.randn(6, 2, 3), "h_0": states[0], "c_0": states[1]}
    axes = {"values": ("time", "batch"), "h_0": (None, "batch"), "c_0": (None, "batch")}
    graph = to_onnx(Started(), example, axes=axes, outputs=["y"])
    assert [port["name"] for port in graph.outputs] == ["y"]
    assert graph.outputs[0]["axes"] == ["time", "batch", 5]
    assert graph.nodes["LSTM"] == 1


class Tagged(torch.nn.Module):
    """The best path, as a tagger wants it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        allowed = torch.ones(4, 4, dtype=torch.bool)
        allowed[1, 2] = False
        self.crf = nn.CRF(4, allowed_transitions=allowed)

    def forward(self, emissions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return self.crf.decode(emissions, lengths=lengths)


def test_the_best_path_is_found_by_two_scans() -> None:
    torch.manual_seed(1)
    example = {"emissions": torch.randn(3, 6, 4), "lengths": torch.tensor([6, 2, 1])}
    graph = to_onnx(Tagged(), example, outputs=["paths", "scores"])
    assert graph.nodes["Scan"] == 2
    assert [(port["dtype"], port["axes"]) for port in graph.outputs] == [
        ("int64", ["batch", "time"]),
        ("float", ["batch"]),
    ]
    assert graph.worst < 1e-6
    assert any(trial.ragged for trial in graph.trials)


def test_a_stateful_layer_is_refused() -> None:
    layer = nn.GRU(3, 5, batch_first=True, stateful=True)
    with pytest.raises(UnsupportedError, match="a stateful layer cannot be exported: a program keeps no state"):
        to_onnx(layer, {"input": torch.zeros(2, 4, 3)})


@pytest.mark.parametrize(
    ("example", "options", "error", "message"),
    [
        ({}, {}, SpecError, "expected an example of each input, by name; got none"),
        (
            {"input": torch.zeros(2, 4, 3, dtype=torch.float64)},
            {},
            ShapeError,
            "expected float32 throughout; input 'input' is of torch.float64: convert it with .float()",
        ),
        (
            {"input": torch.zeros(2, 4, 3)},
            {"axes": {"x": ("batch",)}},
            SpecError,
            "axes names 'x', of which there is no example; there are input",
        ),
        (
            {"input": torch.zeros(2, 4, 3)},
            {"outputs": ["a", "b"]},
            SpecError,
            "expected 1 names of outputs, as many as the module gives; got 2",
        ),
    ],
)
def test_bad_requests(
    example: dict[str, Tensor], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    layer = nn.GRU(3, 5, batch_first=True, return_state=False)
    with pytest.raises(error) as caught:
        to_onnx(layer, example, **options)
    assert str(caught.value) == message
