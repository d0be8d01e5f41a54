"""What reads the outputs of a network in each kind of estimator, and so has to shrink with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from tidegate.compress.structure import Structure
from tidegate.compress.units import Features, Span, kept_sizes, read, width
from tidegate.errors import UnsupportedError
from tidegate.estimator import Estimator

__all__ = ["structure_of"]


def structure_of(estimator: Estimator, share: float) -> Structure:
    """Find the groups of units of a fitted estimator, each of which loses a share.

    The tensors are called as in the estimator's file.

    Raises
    ------
    UnsupportedError
        If there is no pruning of its kind, or of a part of its network.
    """
    if estimator.kind not in _KINDS:
        raise UnsupportedError(
            f"a model of kind {estimator.kind!r} cannot be pruned; only {', '.join(map(repr, _KINDS))}"
        )
    structure = Structure(share)
    _KINDS[estimator.kind](structure, estimator)
    return structure


def _forecaster(structure: Structure, model: Any) -> None:
    for index, member in enumerate(model.network_.networks):
        _strategy(structure, member.strategy, f"members.{index}.strategy")


def _strategy(structure: Structure, module: nn.Module, name: str) -> None:
    from tidegate.forecast.strategies.direct import DirectStrategy
    from tidegate.forecast.strategies.encoder_decoder import EncoderDecoderStrategy
    from tidegate.forecast.strategies.recursive import RecursiveStrategy
    from tidegate.forecast.strategies.segments import SegmentsStrategy
    from tidegate.forecast.strategies.smoothing import SmoothingStrategy

    match module:
        case DirectStrategy() | SmoothingStrategy():
            _at_once(structure, module, name)
        case RecursiveStrategy():
            read(structure.network(module.network, f"{name}.network"), f"{name}.head.weight")
        case EncoderDecoderStrategy():
            _encoder_decoder(structure, module, name)
        case SegmentsStrategy():
            _segments(structure, module, name)
        case _:
            raise UnsupportedError(f"a forecaster with a {type(module).__name__} cannot be pruned")


def _at_once(structure: Structure, module: Any, name: str) -> None:
    """Note a head that reads the last output, and the gate of a highway."""
    from tidegate.forecast.strategies.direct import StepwiseHead

    features = _summed_up(structure, module.network, f"{name}.network")
    read(features, f"{name}.head.{'spread.' if isinstance(module.head, StepwiseHead) else ''}weight")
    if module.highway is not None and module.highway.gate is not None:
        read(features, f"{name}.highway.gate.weight")


def _summed_up(structure: Structure, module: nn.Module, name: str) -> Features:
    """Go through a network whose steps become one vector, of two directions a half each."""
    features = structure.network(module, name)
    if module.bidirectional and any(2 * span.size != width(features) for span in features):
        raise UnsupportedError(
            "channels of a convolution behind a bidirectional part cannot be pruned: they are taken for two halves, "
            "one of each direction; train a network that ends with a recurrent part"
        )
    return features


def _encoder_decoder(structure: Structure, module: Any, name: str) -> None:
    """Note both networks: the decoder goes on from the encoder's state, so that they lose the same units."""
    encoder, decoder = module.encoder, module.decoder
    encoded, groups = structure.stack(encoder, f"{name}.encoder", (Span(encoder.input_size),))
    decoded, _ = structure.stack(decoder, f"{name}.decoder", (Span(decoder.input_size),), shared=groups)
    if module.attention is None:
        read(decoded, f"{name}.head.weight")
        return
    read((*decoded, *encoded), f"{name}.head.weight")  # beside its output, a mean of the encoder's
    score = f"{name}.attention.score"
    hidden = structure.narrowed(width(encoded), encoded)
    for part, features in (("key", encoded), ("query", decoded)):
        hidden.use(f"{score}.{part}.weight", 0)
        read(features, f"{score}.{part}.weight")
    structure.factors[f"{score}.key.weight"] = math.sqrt(hidden.keep / hidden.units)  # scores are divided by √units


def _segments(structure: Structure, module: Any, name: str) -> None:
    """Note the network, and what stands before it: a vector for each segment, as wide as its first layer."""
    layer = module.network.layers[0]
    sizes = [each.hidden_size for each in module.network.layers for _ in range(each.num_layers)]
    embedded = structure.group(layer.input_size, kept_sizes(sizes, structure.share)[0])
    for inner in ("embed", "condition"):
        if getattr(module, inner) is not None:
            embedded.use(f"{name}.{inner}.weight", 0)
            embedded.use(f"{name}.{inner}.bias", 0, weighs=False)
    embedded.use(f"{name}.marks", 1)
    features = structure.network(module.network, f"{name}.network", (Span(layer.input_size, embedded),))
    read(features, f"{name}.head.weight")


def _series(structure: Structure, model: Any) -> None:
    for index, network in enumerate(model.fitted_.networks):
        _pooled(structure, network.body, f"{index}.body")


def _texts(structure: Structure, model: Any) -> None:
    for index, network in enumerate(model.fitted_.networks):
        _pooled(structure, network.pooled, f"network.{index}.pooled")


def _pooled(structure: Structure, module: Any, name: str) -> None:
    features = _summed_up(structure, module.network, f"{name}.network")
    pooled = (*features, *features) if module.pooling.kind == "mean_max" else features
    if module.pooling.kind == "attention":
        score = f"{name}.pooling.attention.score"
        hidden = structure.narrowed(module.pooling.size, features)
        hidden.use(f"{score}.key.weight", 0)
        hidden.use(f"{score}.key.bias", 0, weighs=False)
        hidden.use(f"{score}.energy.weight", 1)
        read(features, f"{score}.key.weight")
    read(pooled, f"{name}.output.weight")


def _tagger(structure: Structure, model: Any) -> None:
    """Note what reads the sentence; the network of letters is a feature of words, and stays."""
    for index, network in enumerate(model.fitted_.networks):
        name = f"network.{index}"
        read(structure.network(network.network, f"{name}.network"), f"{name}.outputs.weight")


def _detector(structure: Structure, model: Any) -> None:
    from tidegate.anomaly.network import Reconstruction

    for index, network in enumerate(model.network_.networks):
        name = f"network.members.{index}"
        if isinstance(network, Reconstruction):
            read(_summed_up(structure, network.encoder, f"{name}.encoder"), f"{name}.bottleneck.weight")
            read(structure.network(network.decoder, f"{name}.decoder"), f"{name}.dense.weight")
        else:
            read(_summed_up(structure, network.recurrent, f"{name}.recurrent"), f"{name}.dense.weight")


#: How the groups of each kind of estimator are found.
_KINDS: Mapping[str, Callable[[Structure, Any], None]] = {
    "forecaster": _forecaster,
    "sequence_classifier": _series,
    "sequence_regressor": _series,
    "text_classifier": _texts,
    "tagger": _tagger,
    "anomaly_detector": _detector,
}
