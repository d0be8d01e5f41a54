"""Forecasters over the wire: windows in, forecasts and quantiles out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tidegate._core.seeds import derive_seed
from tidegate.data import Batch
from tidegate.forecast import Forecaster
from tidegate.kernels.packing import packed_context
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.kinds.forecast_rows import forecast_rows
from tidegate.serve.kinds.windows import WindowInputs
from tidegate.serve.served import Answer, Asked, Rows, Signature
from tidegate.serve.tensors import TensorSpec
from tidegate.specs.strategies import Recursive
from tidegate.training.feed import to_batch

__all__ = ["PROBABILITIES", "ServedForecaster", "serve"]

#: The quantiles that are given where a request names no others.
PROBABILITIES = (0.025, 0.1, 0.5, 0.9, 0.975)
_MOST_PROBABILITIES = 99
_FORECAST, _QUANTILES = "forecast", "quantiles"


class ServedForecaster:
    """A fitted forecaster, ready to answer.

    What it answers for the rows of one request is, to the bit, what `Forecaster.predict` answers for the same rows.
    Rows of several requests go through the network together; that may change the last bits.

    Parameters
    ----------
    model
        Fitted.
    """

    kind = Forecaster.kind

    def __init__(self, model: Forecaster) -> None:
        self._model = model
        self._inputs = WindowInputs(model)
        self._network = model.network_
        self._device = next(self._network.parameters()).device
        calibrated = self._network.calibration is not None
        self._spread = calibrated or not self._network.needs_calibration
        # Sampled paths depend on the place in the batch, so their quantiles are found for each request by itself.
        sampled = any(isinstance(network.design.strategy, Recursive) for network in self._network.networks)
        self._sampled = sampled and not self._network.needs_calibration
        self._seed = derive_seed(model.seed, "paths")
        self._variables = packed_context(self._network)  # packed once, for the life of the model
        self.signature = Signature(self._inputs.specs, self._outputs())

    def _outputs(self) -> list[TensorSpec]:
        targets = len(self._model.columns_.targets)
        shape = (-1, self._model.horizon, targets)
        outputs = [TensorSpec(name=_FORECAST, datatypes=("FP64",), shape=shape)]
        if self._spread:
            outputs.append(TensorSpec(name=_QUANTILES, datatypes=("FP64",), shape=(*shape, -1)))
        return outputs

    def prepare(self, asked: Asked, most_rows: int) -> Rows:
        """Check a request and cut its windows; see `tidegate.serve.served.Served`."""
        count = self.signature.check(asked, most_rows)
        parts = self._inputs.cut(asked, count)
        point = not asked.outputs or _FORECAST in asked.outputs
        spread = self._spread and (not asked.outputs or _QUANTILES in asked.outputs)
        probabilities = self._probabilities(asked) if spread else ()
        alone = spread and self._sampled
        return Rows(
            key=None if alone else (point, probabilities), count=count, parts={**parts, "_": [(point, probabilities)]}
        )

    def run(self, rows: Rows) -> Answer:
        """Forecast windows."""
        (point, probabilities), *_ = rows.parts["_"]
        fields = {name: part for name, part in rows.parts.items() if name != "_"}
        batch = to_batch(Batch(**fields), self._device)
        outputs = self._variables.run(self._ask, batch, point, probabilities)
        said = {_QUANTILES: ",".join(f"{each:g}" for each in probabilities)} if probabilities else {}
        return Answer(outputs=outputs, parameters=said)

    def continued(self, kept: Mapping[str, np.ndarray] | None, asked: Asked) -> Mapping[str, np.ndarray]:
        """Append rows to those that a sequence keeps; see `tidegate.serve.served.Served`."""
        return self._inputs.continued(kept, asked)

    def from_rows(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Forecast rows of JSON; see `tidegate.serve.kinds.forecast_rows`."""
        return forecast_rows(self._model, body)

    def _ask(self, batch: Batch[Tensor], point: bool, probabilities: tuple[float, ...]) -> dict[str, np.ndarray]:
        outputs = {}
        with torch.inference_mode():
            if point:
                outputs[_FORECAST] = self._network(batch).double().cpu().numpy()
            if probabilities:
                wanted = torch.tensor(probabilities, dtype=torch.float64, device=self._device)
                generator = torch.Generator(device=self._device).manual_seed(self._seed)
                outputs[_QUANTILES] = self._network.quantiles(batch, wanted, generator).double().cpu().numpy()
        return outputs

    @staticmethod
    def _probabilities(asked: Asked) -> tuple[float, ...]:
        given = asked.parameters.get(_QUANTILES)
        if given is None:
            return PROBABILITIES
        try:
            found = tuple(float(part) for part in str(given).split(","))
        except ValueError:
            found = ()
        ascending = all(low < high for low, high in zip((0.0, *found), (*found, 1.0), strict=True))
        if not found or not ascending or len(found) > _MOST_PROBABILITIES:
            raise RequestError(
                Status.INVALID,
                f"parameter 'quantiles' must be up to {_MOST_PROBABILITIES} ascending probabilities between 0 and 1, "
                f"such as '0.1,0.5,0.9'; got {str(given)[:80]!r}",
            )
        return found


def serve(path: str | os.PathLike[str], *, device: str = "cpu") -> ServedForecaster:
    """Read a forecaster from its file. Raises `ModelFileError`."""
    return ServedForecaster(Forecaster.load(path, device=device))
