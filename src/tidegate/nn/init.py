"""How the parameters of recurrent layers start.

============== ================================ ============================ ======================
scheme         input weights                    recurrent weights            biases
============== ================================ ============================ ======================
``torch``      uniform ±1/√H                    uniform ±1/√H                uniform ±1/√H
``keras``      Glorot uniform, all gates as one orthogonal, all gates as one 0 (see below)
``xavier``     Glorot uniform, gate by gate     Glorot uniform, gate by gate 0
``he``         He normal, gate by gate          He normal, gate by gate      0
``orthogonal`` orthogonal, gate by gate         orthogonal, gate by gate     0
============== ================================ ============================ ======================

With ``keras`` a layer opens the forget gate of an LSTM, which Keras calls ``unit_forget_bias`` and does by default.
The projection's weights start as the recurrent ones, as one block. Peepholes start uniform ±1/√H with ``torch``
and at 0 elsewhere; norms start as the identity. Glorot & Bengio (2010), He et al. (2015), Saxe et al. (2014); for the
forget gate Jozefowicz et al. (2015).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import init

from tidegate.specs import checks

__all__ = ["SCHEMES", "Layer", "initialise"]

_Fill = Callable[[Tensor, int], object]
_FORGET_BIAS = {"bias_ih": 1.0, "bias_hh": 0.0}


def _uniform(tensor: Tensor, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size)
    init.uniform_(tensor, -bound, bound)


def _zero(tensor: Tensor, _: int) -> None:
    init.zeros_(tensor)


def _by_gate(fill: Callable[[Tensor], object]) -> _Fill:
    def fill_blocks(tensor: Tensor, hidden_size: int) -> None:
        for block in tensor.split_with_sizes([hidden_size] * (tensor.shape[0] // hidden_size)):
            fill(block)

    return fill_blocks


def _as_one(fill: Callable[[Tensor], object]) -> _Fill:
    return lambda tensor, _: fill(tensor)


def _orthogonal(tensor: Tensor) -> None:
    if tensor.dtype in (torch.bfloat16, torch.float16):  # torch decomposes no matrix of half precision
        tensor.copy_(init.orthogonal_(torch.empty_like(tensor, dtype=torch.float32)))
    else:
        init.orthogonal_(tensor)


def _he(tensor: Tensor) -> None:
    init.kaiming_normal_(tensor, nonlinearity="relu")


class _Scheme:
    """What a scheme does to each kind of parameter."""

    def __init__(self, ih: _Fill, hh: _Fill, hr: _Fill, *, rest: _Fill = _zero) -> None:
        self.kinds: Mapping[str, _Fill] = {
            "weight_ih": ih,
            "weight_hh": hh,
            "weight_hr": hr,
            "bias_ih": rest,
            "bias_hh": rest,
            "weight_peephole": rest,
            "weight_norm": _as_one(init.ones_),
            "bias_norm": _zero,
        }


SCHEMES: Mapping[str, _Scheme] = {
    "torch": _Scheme(_uniform, _uniform, _uniform, rest=_uniform),
    "keras": _Scheme(_as_one(init.xavier_uniform_), _as_one(_orthogonal), _as_one(_orthogonal)),
    "xavier": _Scheme(_by_gate(init.xavier_uniform_), _by_gate(init.xavier_uniform_), _as_one(init.xavier_uniform_)),
    "he": _Scheme(_by_gate(_he), _by_gate(_he), _as_one(_he)),
    "orthogonal": _Scheme(_by_gate(_orthogonal), _by_gate(_orthogonal), _as_one(_orthogonal)),
}


class Layer(Protocol):
    """A recurrent layer whose parameters bear torch's names, Tidegate's or torch's own."""

    hidden_size: int

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Give names and parameters, in the order of the draws."""
        ...


def initialise(layer: Layer, scheme: str, *, unit_forget_bias: bool = False) -> None:
    """Fill the parameters of a recurrent layer, in place, from torch's generator.

    Parameters
    ----------
    layer
        An `nn.LSTM` or `nn.GRU`, Tidegate's or torch's. With ``"torch"`` both draw the same numbers from one seed.
    scheme
        ``"torch"``, ``"keras"``, ``"xavier"``, ``"he"`` or ``"orthogonal"``; see the table of this module.
    unit_forget_bias
        Put 1 into the forget gate's ``bias_ih`` and 0 into its ``bias_hh``; for an LSTM.

    Raises
    ------
    SpecError
        If the scheme is another.

    Examples
    --------
    >>> from tidegate import nn
    >>> layer = nn.GRU(3, 5)
    >>> initialise(layer, "orthogonal")
    >>> block = layer.weight_hh_l0[:5]
    >>> bool(torch.allclose(block @ block.mT, torch.eye(5), atol=1e-5))
    True
    """
    checks.one_of("init", scheme, tuple(SCHEMES))
    kinds = SCHEMES[scheme].kinds
    with torch.no_grad():
        for name, parameter in layer.named_parameters(recurse=False):
            kind = next(kind for kind in kinds if name.startswith(kind))
            kinds[kind](parameter, layer.hidden_size)
            if unit_forget_bias and kind in _FORGET_BIAS:
                parameter[layer.hidden_size : 2 * layer.hidden_size].fill_(_FORGET_BIAS[kind])
