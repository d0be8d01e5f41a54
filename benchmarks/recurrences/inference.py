"""Inference of the layers beside torch and ONNX Runtime, all on time-major input.

ONNX Runtime packs the weights when a session is made, so ours are packed too, by `tidegate.kernels.packed`. What a
plain call costs, in which they are packed each time, is shown as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch

from recurrences.layers import networks
from recurrences.onnx_layers import OnnxLayers
from recurrences.rows import Figure, Row, Settings, compare, installed
from tidegate import kernels
from tidegate.kernels.bench import SHAPES, Contender, Shape, inference, require_agreement

__all__ = ["one_row", "whole_batch"]

_TORCH, _ONNX = "torch", "ONNX Runtime"
_PLAIN = ", our weights packed in every call"
_REST = 0.2  # seconds before a turn: ONNX Runtime's threads go on looking for work, on the core that ours need
_SINGLE = tuple(dataclasses.replace(shape, batch=1) for shape in (SHAPES[0], SHAPES[3]))


def one_row(settings: Settings) -> Iterator[Row]:
    """Compare the inference of LSTM and GRU layers at batch 1."""
    measured = [_compare(cell, shape, settings) for cell in ("LSTM", "GRU") for shape in _SINGLE]
    for other, target in ((_TORCH, 5.0), (_TORCH + _PLAIN, None), (_ONNX, 1.3), (_ONNX + _PLAIN, None)):
        figures = [figures[other] for figures in measured if other in figures]
        if figures:
            yield Row(what=f"inference, batch 1, LSTM and GRU, against {other}", figures=figures, target=target)


def whole_batch(settings: Settings) -> Iterator[Row]:
    """Compare the inference of the five shapes' layers at batch 32."""
    for cell, target in (("LSTM", 1.2), ("GRU", 2.0)):
        measured = [_compare(cell, shape, settings) for shape in SHAPES]
        for other, wanted in ((_TORCH, None), (_TORCH + _PLAIN, None), (_ONNX, target), (_ONNX + _PLAIN, None)):
            figures = [figures[other] for figures in measured if other in figures]
            if figures:
                yield Row(what=f"inference, batch 32, {cell}, against {other}", figures=figures, target=wanted)


def _compare(cell: str, shape: Shape, settings: Settings) -> dict[str, Figure]:
    ours, theirs = (network.eval() for network in networks(cell, shape, batch_first=False))
    x = shape.values(batch_first=False)
    name = f"{cell} {shape.name}, batch {shape.batch}"
    with torch.inference_mode():
        output = ours(x)
        require_agreement(output, theirs(x), tolerance=1e-4, what=name)
        contender = inference(_bare(ours), x)
        others = {_TORCH: inference(_bare(theirs), x)}
        if installed("onnx", "onnxruntime", package="onnx onnxruntime"):
            session = OnnxLayers(cell, ours, shape, threads=settings.threads)
            require_agreement(output, session(x), tolerance=1e-5, what=f"{name}, ONNX Runtime")
            others[_ONNX] = session.contender(x)
    figures: dict[str, Figure] = {}
    for other, theirs_timed in others.items():
        pace = dataclasses.replace(settings.pace, pause=_REST) if other == _ONNX else settings.pace
        paced = dataclasses.replace(settings, pace=pace)
        figures |= compare(name, _packed(ours, contender), {other: theirs_timed}, paced)
        figures |= compare(name, contender, {other + _PLAIN: theirs_timed}, paced)
    return figures


def _packed(network: torch.nn.Module, contender: Contender) -> Contender:
    """Pack the weights once a turn, outside the clock: that is a session's making."""

    def timed(times: int) -> float:
        with kernels.packed(network):
            return contender(times)

    return timed


def _bare(network: torch.nn.Module) -> torch.nn.Module:
    """Take a single layer out of its network: a call of a module more would count at batch 1."""
    layers = network.layers
    assert isinstance(layers, torch.nn.ModuleList)
    return layers[0] if len(layers) == 1 else network
