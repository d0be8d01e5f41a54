"""What estimators of whole series take where nothing else is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from tidegate.specs import Convolution, Parallel, Recurrent, Training

__all__ = ["NETWORK", "TRAINING", "with_recurrent"]

#: LSTM-FCN (Karim et al., 2018): a recurrent layer beside convolutions.
NETWORK = Parallel(
    branches=(
        Recurrent(hidden_size=32, bidirectional=True),
        tuple(
            Convolution(channels=channels, kernel_size=kernel, causal=False, norm="batch")
            for channels, kernel in ((64, 8), (128, 5), (64, 3))
        ),
    )
)

TRAINING = Training(batch_size=16, validation=0.0, schedule="one_cycle", learning_rate=2e-3)


def with_recurrent(**changes: Any) -> Parallel:
    """Give the default network with other fields of its recurrent branch. Raises `SpecError` for what cannot be."""
    recurrent, *others = NETWORK.branches
    assert isinstance(recurrent, Recurrent)
    return Parallel(branches=(dataclasses.replace(recurrent, **changes), *others))
