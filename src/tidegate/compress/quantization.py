"""Weights of a fitted estimator in fewer bits."""

from __future__ import annotations

from typing import TypeVar

from tidegate.estimator import Estimator
from tidegate.estimator.modelfile import as_read
from tidegate.specs.base import plain

__all__ = ["quantize"]

E = TypeVar("E", bound=Estimator)


def quantize(estimator: E, weights: str = "int8") -> E:
    """Give an estimator whose weights take fewer bits in its file; the one that was given stays as it is.

    It answers as it will once its file is read again, so that it can be scored before it is saved. Matrices of weights
    are stored in fewer bits; biases, norms and statistics stay as they are.

    ========== ============== =================================================================================
    weights    bytes a weight what becomes of it
    ========== ============== =================================================================================
    int8       1              255 levels, symmetric about 0, with a scale for each row: a channel of the output, or
                              the embedding of a word; a scale for each column in long tables of less than 32
                              columns
    bfloat16   2              8 bits of precision, the range of float32
    float16    2              11 bits of precision, up to 65,504
    ========== ============== =================================================================================

    A recurrent layer with int8 weights runs on kernels for whole numbers wherever its weights are packed (predictions
    of forecasters, detectors and taggers, streams, servers); what it reads is brought to 8 bits step by step. The rest
    computes in float32. With int8, the linear model of a text classifier also knows its n-grams by 32 bits, not 64.

    Parameters
    ----------
    estimator
        A fitted one.
    weights
        ``"int8"``, ``"bfloat16"`` or ``"float16"``; ``"float32"`` gives all bits back, but not what they were.

    Raises
    ------
    NotFittedError
        Before ``fit`` or ``load``.
    SpecError
        If there is no such form, or a weight is too large for float16.

    References
    ----------
    Jacob et al. (2018), "Quantization and training of neural networks for efficient integer-arithmetic-only inference".

    Examples
    --------
    >>> import tidegate as tg
    >>> frame = tg.datasets.airline_passengers()
    >>> model = tg.Forecaster(horizon=12, training=tg.Training(max_steps=20)).fit(frame)
    >>> small = quantize(model, "int8")
    >>> small.storage_, bool(abs(small.score(frame) / model.score(frame) - 1) < 0.01)
    ('int8', True)
    """
    estimator._require_fitted("quantize")
    learned, arrays = estimator._shortened() if weights == "int8" else estimator._learned()
    params = {name: plain(value) for name, value in estimator.get_params(deep=False).items()}
    file = as_read(kind=estimator.kind, params=params, learned=learned, arrays=arrays, weights=weights)
    device: str = estimator.get_params(deep=False)["device"]
    return type(estimator).from_model_file(file, device=device)
