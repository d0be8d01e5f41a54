"""Training steps, layers and ragged batches beside torch's own layers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurrences.rows import Figure, Row, Settings, compare
from tidegate import nn
from tidegate.kernels.bench import (
    SHAPES,
    Contender,
    Network,
    Shape,
    layer_pass,
    require_agreement,
    training_step,
)

__all__ = ["bfloat16", "gru_step", "layer_only", "networks", "ragged", "step", "wide"]

_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
_WIDE = (
    (Shape(name="256, 100 steps, 8 features, batch 64", features=8, units=(256,), steps=100, batch=64), 1.3),
    (Shape(name="512, 100 steps, 512 features, batch 64", features=512, units=(512,), steps=100, batch=64), 1.1),
)


def networks(
    cell: str, shape: Shape, *, final: bool = False, embedding: bool = False, batch_first: bool = True
) -> tuple[Network, Network]:
    """Build a network of our layers and one of torch's, with the same weights.

    With ``final`` ours are told so (``return_sequences=False``); torch's are read at their final hidden state, which
    costs them less than to cut the last step out of the output.
    """
    own, theirs = getattr(nn, cell), getattr(torch.nn, cell)
    last = functools.partial(own, return_sequences=False, return_state=False) if final else own
    ours = Network(shape, own, last=last, final=final, embedding=embedding, batch_first=batch_first)
    other = Network(shape, theirs, final=final, embedding=embedding, batch_first=batch_first)
    other.load_state_dict(ours.state_dict())
    return ours, other


def _training(cell: str, shape: Shape, settings: Settings, *, final: bool) -> Figure:
    ours, theirs = networks(cell, shape, final=final, embedding=True)
    x = shape.words() if shape.vocabulary else shape.values()
    require_agreement(ours(x), theirs(x), tolerance=_TOLERANCE[torch.float32], what=shape.name)
    contenders = training_step(ours, lambda: ours(x)), training_step(theirs, lambda: theirs(x))
    return compare(shape.name, contenders[0], {"torch": contenders[1]}, settings)["torch"]


def _steps(cell: str, settings: Settings, *, target: float, floor: float | None) -> Iterator[Row]:
    for final, read in ((False, "whole output"), (True, "final output")):
        yield Row(
            what=f"training step, {cell}, {read}, against torch",
            figures=[_training(cell, shape, settings, final=final) for shape in SHAPES],
            target=target,
            floor=floor,
        )


def step(settings: Settings) -> Iterator[Row]:
    """Compare the training step of LSTMs, embedding and Adam included, with the output read whole and at its end."""
    yield from _steps("LSTM", settings, target=2.0, floor=1.2)


def gru_step(settings: Settings) -> Iterator[Row]:
    """Compare the training step of GRUs."""
    yield from _steps("GRU", settings, target=4.0, floor=None)


def _pass(cell: str, shape: Shape, settings: Settings) -> Figure:
    ours, theirs = networks(cell, shape)
    x = shape.values().requires_grad_(shape.vocabulary > 0)  # an embedding below would ask for it
    require_agreement(ours(x), theirs(x), tolerance=_TOLERANCE[torch.float32], what=shape.name)
    return compare(shape.name, layer_pass(ours, x), {"torch": layer_pass(theirs, x)}, settings)["torch"]


def layer_only(settings: Settings) -> Iterator[Row]:
    """Compare forward and backward of the layers alone: no embedding, no loss, no optimiser."""
    for cell, target in (("LSTM", 2.2), ("GRU", None)):
        figures = [_pass(cell, shape, settings) for shape in SHAPES]
        yield Row(what=f"layer only, forward and backward, {cell}, against torch", figures=figures, target=target)


def ragged(settings: Settings) -> Iterator[Row]:
    """Compare the training step on a ragged batch, which torch has to pack."""
    shape = dataclasses.replace(SHAPES[3], name="128, 8 features, lengths uniform in 1…100")
    lengths = torch.randint(1, shape.steps + 1, (shape.batch,), generator=torch.Generator().manual_seed(0))
    lengths[0] = shape.steps  # so that the padded outputs have one shape
    x = shape.values()
    for cell, target in (("LSTM", 5.0), ("GRU", None)):
        ours, theirs = (network.layers[0] for network in networks(cell, shape))

        def padded(layer: Callable[..., Any] = ours) -> Tensor:
            output: Tensor = layer(x, lengths=lengths)[0]
            return output

        def packed(layer: Callable[..., Any] = theirs) -> Tensor:
            answer = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[0]
            return pad_packed_sequence(answer, batch_first=True)[0]

        require_agreement(padded(), packed(), tolerance=_TOLERANCE[torch.float32], what=shape.name)
        contenders = training_step(ours, padded), training_step(theirs, packed)
        figure = compare(shape.name, contenders[0], {"torch": contenders[1]}, settings)["torch"]
        yield Row(what=f"ragged batch, training step, {cell}, against torch packed", figures=[figure], target=target)


def _wide(shape: Shape, dtype: torch.dtype, settings: Settings) -> Figure:
    ours, theirs = (network.to(dtype) for network in networks("LSTM", shape))
    x = shape.values(dtype=dtype)
    require_agreement(ours(x), theirs(x), tolerance=_TOLERANCE[dtype], what=f"{shape.name}, {dtype}")
    contenders: tuple[Contender, Contender] = (
        training_step(ours, lambda: ours(x)),
        training_step(theirs, lambda: theirs(x)),
    )
    return compare(shape.name, contenders[0], {"torch": contenders[1]}, settings)["torch"]


def wide(settings: Settings) -> Iterator[Row]:
    """Compare the training step of wide LSTMs in float32."""
    for shape, target in _WIDE:
        figure = _wide(shape, torch.float32, settings)
        what = f"training step, LSTM {shape.units[0]}, float32, against torch"
        yield Row(what=what, figures=[figure], target=target)


def bfloat16(settings: Settings) -> Iterator[Row]:
    """Compare the same with parameters and inputs in bfloat16."""
    for shape, _ in _WIDE:
        figure = _wide(shape, torch.bfloat16, settings)
        what = f"training step, LSTM {shape.units[0]}, bfloat16, against torch"
        yield Row(what=what, figures=[figure], target=0.95)
