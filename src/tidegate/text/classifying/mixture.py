"""How much the linear model counts beside the networks, chosen on examples that neither was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from tidegate.nn.temperature import fit_temperature

__all__ = ["chosen_share", "likelihood", "member_logits", "mixed"]

Floats = npt.NDArray[np.float64]

_SHARES = np.linspace(0, 1, 21)


def member_logits(outputs: npt.NDArray[np.float32], *, several: bool) -> Floats:
    """Give the logits ``[text, output]`` of the mean probabilities of networks ``[member, text, output]``."""
    logits = torch.from_numpy(outputs).double()
    if several:
        count = float(np.log(len(outputs)))
        there = functional.logsigmoid(logits).logsumexp(dim=0) - count
        absent = functional.logsigmoid(-logits).logsumexp(dim=0) - count
        found: Floats = (there - absent).numpy()
        return found
    logs = torch.log_softmax(logits, dim=2).logsumexp(dim=0) - float(np.log(len(outputs)))
    means: Floats = logs.numpy()
    return means


def mixed(network: Floats, linear: Floats, share: float) -> Floats:
    """Mix logits: probabilities are multiplied, to the powers 1 − share and share, and brought to the sum of 1."""
    return (1 - share) * network + share * linear


def chosen_share(network: Floats, linear: Floats, target: npt.NDArray[Any], *, several: bool) -> float:
    """Find the share of the linear model at which the mixture is the likeliest, each at its best temperature.

    Parameters
    ----------
    network, linear
        Logits ``[text, class]`` of both, of texts that neither was trained on.
    target
        Codes ``[text]``, or with ``several`` 0 and 1 ``[text, label]``.

    Returns
    -------
    float
        A multiple of 0.05; of equally good ones the smallest.
    """
    losses = []
    for share in _SHARES:
        logits = mixed(network, linear, float(share))
        temperature = fit_temperature(logits, target, multi_label=several)
        losses.append(likelihood(logits / temperature, target, several=several))
    return float(_SHARES[int(np.argmin(losses))])


def likelihood(logits: Floats, target: npt.NDArray[Any], *, several: bool) -> float:
    """Give the mean negative logarithm of the probability of what came."""
    z = torch.from_numpy(logits)
    if several:
        return float(functional.binary_cross_entropy_with_logits(z, torch.from_numpy(target).double()))
    return float(functional.cross_entropy(z, torch.from_numpy(target)))
