"""Which detector the options describe."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from tidegate.errors import SpecError
from tidegate.specs import Autoencoder, Columns, Likelihood, Prediction

if TYPE_CHECKING:
    from tidegate.anomaly import AnomalyDetector

__all__ = ["DetectorFlags", "build_detector"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectorFlags:
    """The options that describe a detector; what is ``None`` is left to its defaults."""

    method: Annotated[str | None, Option("--method", help="autoencoder (default) or prediction.")] = None
    context: Annotated[int | None, Option("--context", help="Steps of a window.")] = None
    bottleneck: Annotated[
        int | None, Option("--bottleneck", help="Numbers that a window passes through: autoencoder.")
    ] = None
    horizon: Annotated[int | None, Option("--horizon", help="Steps that are predicted: prediction.")] = None
    threshold: Annotated[
        str | None, Option("--threshold", help="Rate of contamination (0.01), contamination, quantile, spot, dynamic.")
    ] = None
    likelihood: Annotated[
        bool, Option("--likelihood", help="Judge errors by those before them, where the data drift.")
    ] = False
    scaling: Annotated[
        str | None, Option("--scaling", help="Inside a window: none, centred, standard, robust, minmax, ….")
    ] = None
    transform: Annotated[str | None, Option("--transform", help="identity (default), log or log1p.")] = None
    cell: Annotated[str | None, Option("--cell", help="lstm (default) or gru.")] = None
    hidden_size: Annotated[int | None, Option("--hidden-size", help="Units of a layer.")] = None
    layers: Annotated[int | None, Option("--layers", help="Recurrent layers.")] = None
    members: Annotated[int | None, Option("--members", help="Networks, which are averaged.")] = None
    epochs: Annotated[int | None, Option("--epochs", help="Passes over the data at most.")] = None
    max_steps: Annotated[int | None, Option("--max-steps", help="Optimiser steps at most.")] = None
    batch_size: Annotated[int | None, Option("--batch-size", help="Windows a step.")] = None
    learning_rate: Annotated[float | None, Option("--learning-rate", help="Of the optimiser; the peak.")] = None
    seed: Annotated[int, Option("--seed", help="Same seed, same data, same machine: same result.")] = 0
    device: Annotated[str, Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"


def build_detector(flags: DetectorFlags, *, columns: Columns) -> AnomalyDetector:
    """Make the detector that the options describe; defaults stay the detector's own.

    Raises
    ------
    SpecError
        If an option, or a combination, cannot be.
    """
    from tidegate.anomaly import AnomalyDetector

    plain = {
        "method": _method(flags),
        "context": flags.context,
        "threshold": _threshold(flags.threshold),
        "likelihood": Likelihood() if flags.likelihood else None,
        "members": flags.members,
    }
    nested = {
        "scaling__method": flags.scaling,
        "scaling__transform": flags.transform,
        "network__cell": flags.cell,
        "network__hidden_size": flags.hidden_size,
        "network__num_layers": flags.layers,
        "training__epochs": flags.epochs,
        "training__max_steps": flags.max_steps,
        "training__batch_size": flags.batch_size,
        "training__learning_rate": flags.learning_rate,
    }
    model = AnomalyDetector(columns=columns, seed=flags.seed, device=flags.device, **_given(plain))
    return model.set_params(**_given(nested))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _method(flags: DetectorFlags) -> Autoencoder | Prediction | str | None:
    """Give the method with the option that only it has."""
    if flags.bottleneck is not None and flags.horizon is not None:
        raise SpecError("--bottleneck is an option of an autoencoder, --horizon of a prediction; give one of them")
    if flags.bottleneck is not None:
        if flags.method not in (None, Autoencoder.kind):
            raise SpecError(f"--bottleneck is an option of an autoencoder; --method is {flags.method}")
        return Autoencoder(bottleneck=flags.bottleneck)
    if flags.horizon is not None:
        if flags.method != Prediction.kind:
            raise SpecError("--horizon is an option of a prediction; give --method prediction with it")
        return Prediction(horizon=flags.horizon)
    return flags.method


def _threshold(text: str | None) -> float | str | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
