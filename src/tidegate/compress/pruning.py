"""Whole units taken out of a trained network, which then is a smaller network."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from tidegate._core.version import __version__
from tidegate.compress.readers import structure_of
from tidegate.compress.units import kept, kept_sizes
from tidegate.errors import SpecError
from tidegate.estimator import Estimator
from tidegate.estimator.modelfile import ModelFile, ModelInfo
from tidegate.specs import Recurrent, checks
from tidegate.specs.base import plain
from tidegate.specs.parts import Convolution, Dilated, Parallel

__all__ = ["prune", "smaller"]

E = TypeVar("E", bound=Estimator)


def prune(estimator: E, *, units: float = 0.5) -> E:
    """Take the weakest units out of the networks of a fitted estimator.

    A unit goes as a whole: its rows in the matrices of all gates, its column in the recurrent ones, its column in
    whatever reads it (Wen et al., 2018), so that every layer is really smaller, and faster on any machine. What is
    left is an estimator like another with a smaller ``network``: it is saved, exported and served like any. It has
    forgotten much: ``fine_tune`` it with the data of its training, for some hundred steps at a third of its rate.

    Units are those of recurrent layers and the channels of convolutions; those that read the letters of a tagger's
    words are features, and stay. How much one matters is the magnitude of its weights (Han et al., 2015; Li et al.,
    2017, for channels): the sum, over all tensors that have a row or a column of it, of the squares there, in units of
    their mean over the units of its layer; biases and norms do not count. Each layer, each direction and each member
    makes a choice of its own; where states or outputs are handed from layer to layer or added up, one choice serves
    all.

    Parameters
    ----------
    estimator
        Fitted. It stays as it is.
    units
        The share of the units of each layer that goes, between 0 and 1; what stays is rounded up, and at least one.

    Returns
    -------
    Estimator
        Another of the same class, on the same device. Whatever else was learned is as it was (scaling, vocabulary,
        classes, thresholds, calibration, the curve of the training); what a model file does not hold (notes, rows given
        to ``update``) is not there, and weights that took fewer bits take 32 again.

    Raises
    ------
    SpecError
        If ``units`` is no number between 0 and 1, or so small that every layer keeps all of its units.
    NotFittedError
        If the estimator has not been fitted.
    UnsupportedError
        If there is no pruning of its kind, or a part of its network needs all of the features before it, as
        self-attention does.

    References
    ----------
    Han et al. (2015), "Learning both weights and connections for efficient neural networks". Li et al. (2017), "Pruning
    filters for efficient ConvNets". Wen et al. (2018), "Learning intrinsic sparse structures within long short-term
    memory".

    Examples
    --------
    >>> import tidegate as tg
    >>> frame = tg.datasets.airline_passengers()
    >>> model = tg.Forecaster(horizon=12, training=tg.Training(max_steps=20)).fit(frame)
    >>> half = prune(model, units=0.5)
    >>> model.network.hidden_size, half.network.hidden_size
    (64, 32)
    >>> half.fine_tune(frame, max_steps=20, learning_rate=1e-3, schedule="cosine").predict(frame).shape
    (12, 3)
    """
    checks.number("units", units)
    if not 0 < units < 1:
        raise SpecError(f"units must be the share that goes, more than 0 and less than 1; got {units!r}")
    estimator._require_fitted("prune")
    structure = structure_of(estimator, units)
    params = estimator.get_params(deep=False)
    network = smaller(params["network"], units)
    if network == params["network"]:
        raise SpecError(
            f"units={units:g} takes no unit out of any layer, as what stays is rounded up; give a larger share"
        )
    learned, arrays = estimator._learned()
    info = ModelInfo(
        kind=estimator.kind,
        params={name: plain(value) for name, value in {**params, "network": network}.items()},
        learned=learned,
        tidegate=__version__,
        format_version=1,
        shapes={},
        digest="",
        size=0,
    )
    file = ModelFile(info=info, arrays=structure.pruned(arrays))
    return type(estimator).from_model_file(file, name="the pruned model", device=params["device"])


def smaller(network: Any, share: float) -> Any:
    """Describe a network, or a part of one, without a share of the units of each layer.

    >>> smaller(Recurrent(hidden_size=(64, 32), cell="gru"), 0.5).hidden_size
    (32, 16)
    """
    match network:
        case tuple():
            return tuple(smaller(part, share) for part in network)
        case Recurrent():
            sizes = kept_sizes(network.sizes, share)
            several = isinstance(network.hidden_size, tuple)
            return dataclasses.replace(network, hidden_size=sizes if several else sizes[0])
        case Dilated():
            return dataclasses.replace(network, hidden_size=kept(network.hidden_size, share))
        case Convolution():
            return dataclasses.replace(network, channels=kept(network.channels, share))
        case Parallel():
            return dataclasses.replace(network, branches=smaller(network.branches, share))
        case _:
            return network
