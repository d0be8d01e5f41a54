"""A classifier of texts as one graph: embeddings, networks, the linear model of n-grams, their mixture, calibration.

Strings are no part of it: what a graph reads are numbers, which `inputs_of` makes of texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.data.text import TextLike, read_texts
from tidegate.data.vocabulary import PADDING
from tidegate.errors import SpecError
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.ports import Port
from tidegate.export.program import for_inference
from tidegate.specs.base import plain
from tidegate.text import TextClassifier
from tidegate.text.classifying.fitted import FittedTexts
from tidegate.text.classifying.linear import Linear
from tidegate.text.classifying.wide import WideTexts

__all__ = ["exportable", "inputs_of"]

_TIMES = (1, 6, 17)  # tokens
_NONE = -1  # where a text has no further n-gram


def exportable(model: TextClassifier, levels: Sequence[float] | None = None) -> Exportable:
    """Make a classifier of texts ready for export. Raises `SpecError` for ``levels``."""
    if levels:
        raise SpecError("levels are intervals of forecasts; a classifier of texts has none: leave them out")
    fitted = model.fitted_
    inputs = _inputs(fitted)
    module = _Probabilities(fitted, [port.name for port in inputs])

    def reference(given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            return (module(*(given[port.name] for port in inputs)),)

    each = "each may be any number from 0 to 1" if fitted.classes.several else "they sum to 1"
    return Exportable(
        kind=model.kind,
        module=module,
        positional=len(inputs),
        inputs=inputs,
        outputs=(
            Port(name="probabilities", meaning=f"in the order of the file's list of classes, {each}: [batch, class]"),
        ),
        reference=reference,
        sample=lambda generator, batch, time: _sample(fitted, generator, batch, time),
        times=_TIMES,
        metadata={
            "params": {name: plain(value) for name, value in model.get_params(deep=False).items()},
            "classes": list(fitted.classes.names),
            "several": fitted.classes.several,
            "tokens": list(fitted.vocabulary.tokens),
        },
    )


def inputs_of(model: TextClassifier, texts: TextLike) -> Arrays:
    """Give the graph's inputs for texts. Raises `DataError` as `TextClassifier.predict_proba`."""
    fitted = model.fitted_
    given = read_texts(texts)
    tokens = [fitted.tokenizer.tokens(text) for text in given]
    rows = np.arange(len(given))
    codes, lengths = fitted.vocabulary.codes(tokens).padded(rows, fill=PADDING)
    arrays = {"tokens": codes.astype(np.int64), "lengths": lengths}
    if fitted.wide is not None:
        wide = WideTexts.of(given, tokens, fitted.tokenizer)
        columns = fitted.wide.ngrams.columns(wide.tokens, wide.written)
        arrays["ngrams"] = columns.padded(rows, fill=_NONE)[0]
    return {port.name: arrays[port.name] for port in _inputs(fitted)}


def _inputs(fitted: FittedTexts) -> tuple[Port, ...]:
    """Name what is read: networks read tokens, the linear model n-grams; one that has no share is left out."""
    ports: list[Port] = []
    if fitted.wide is None or fitted.share < 1:
        ports += [
            Port(
                name="tokens", axes=("batch", "time"), meaning="place in the file's list of tokens, from 2; 1 unknown"
            ),
            Port(name="lengths", axes=("batch",), meaning="tokens of each text, from the first; at least 1"),
        ]
    if fitted.wide is not None and fitted.share > 0:
        meaning = f"places of the n-grams that each text has, each once; {_NONE} behind the last"
        ports.append(Port(name="ngrams", axes=("batch", "ngram"), meaning=meaning))
    return tuple(ports)


class _Probabilities(nn.Module):
    """Networks and linear model, mixed, and made as sure as they are right."""

    def __init__(self, fitted: FittedTexts, names: Sequence[str]) -> None:
        super().__init__()
        self._names, self._several = tuple(names), fitted.classes.several
        self._share = fitted.share if fitted.wide is not None else 0.0
        self._temperature = fitted.temperature
        self.members = for_inference(fitted.networks) if "tokens" in names else None
        self.wide: nn.Module | None = None
        if "ngrams" in names:
            assert fitted.wide is not None
            self.wide = _Wide(fitted.wide.linear, len(fitted.classes.names))

    def forward(self, *tensors: Tensor) -> Tensor:
        """Give ``[batch, class]`` of float64."""
        given = dict(zip(self._names, tensors, strict=True))
        parts: list[Tensor] = []
        if self.members is not None:
            network = self._network(given["tokens"], given["lengths"])
            parts.append(network if self.wide is None else (1 - self._share) * network)
        if self.wide is not None:
            linear: Tensor = self.wide(given["ngrams"])
            parts.append(linear if self.members is None else self._share * linear)
        logits = sum(parts[1:], start=parts[0]) / self._temperature
        return torch.sigmoid(logits) if self._several else torch.softmax(logits, dim=1)

    def _network(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Give the logits of the members' mean probability, as `mixture.member_logits` does."""
        assert isinstance(self.members, nn.ModuleList)
        logits = torch.stack([member(tokens, lengths=lengths) for member in self.members]).double()
        count = math.log(len(self.members))
        if self._several:
            there = functional.logsigmoid(logits).logsumexp(dim=0) - count
            return there - (functional.logsigmoid(-logits).logsumexp(dim=0) - count)
        return torch.log_softmax(logits, dim=2).logsumexp(dim=0) - count


class _Wide(nn.Module):
    """The linear model: `Linear.logits` on a table of n-grams."""

    ratios: Tensor
    weights: Tensor
    bias: Tensor

    def __init__(self, linear: Linear, classes: int) -> None:
        super().__init__()
        self._first = linear.bias.shape[0] != classes  # whether the first of two classes is still to be put in front
        for name in ("ratios", "weights", "bias"):
            self.register_buffer(name, torch.from_numpy(np.array(getattr(linear, name))))

    def forward(self, ngrams: Tensor) -> Tensor:
        """Give logits ``[batch, class]`` of float64."""
        there = (ngrams >= 0).unsqueeze(-1)
        rows = ngrams.clamp_min(0)
        ratios = torch.where(there, functional.embedding(rows, self.ratios).double(), 0.0)
        weights = functional.embedding(rows, self.weights).double()
        norms = (ratios * ratios).sum(1).sqrt()
        found = (ratios * weights).sum(1) / torch.where(norms > 0, norms, 1.0) + self.bias.double()
        return torch.cat([torch.zeros_like(found), found], dim=1) if self._first else found


def _sample(fitted: FittedTexts, generator: np.random.Generator, batch: int, time: int) -> Arrays:
    """Draw codes: known and unknown tokens; n-grams of a text each once, and none of some texts."""
    lengths = np.full(batch, time)
    lengths[1::2] = generator.integers(1, time + 1, size=len(lengths[1::2]))
    tokens = generator.integers(1, len(fitted.vocabulary), size=(batch, time))
    arrays = {"tokens": np.where(np.arange(time) < lengths[:, None], tokens, PADDING), "lengths": lengths}
    if fitted.wide is not None:
        known = len(fitted.wide.ngrams)
        drawn = np.stack([generator.permutation(max(known, 2 * time))[: 2 * time] for _ in range(batch)])
        arrays["ngrams"] = np.sort(np.where(drawn < known, drawn, _NONE), axis=1)[:, ::-1].copy()
        arrays["ngrams"][2:3] = _NONE
    return {port.name: arrays[port.name] for port in _inputs(fitted)}
