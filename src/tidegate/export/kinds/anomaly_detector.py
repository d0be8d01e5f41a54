"""A detector as one graph: whole series in; windows, networks, errors and scores inside.

What goes on from score to score (the likelihood, a dynamic threshold's mean) and the threshold itself stay outside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.anomaly import AnomalyDetector
from tidegate.anomaly.judge import Judge, combined
from tidegate.anomaly.network import Design, Detection
from tidegate.anomaly.scorer import Scorer
from tidegate.anomaly.tables import read_data
from tidegate.data import Batch
from tidegate.errors import SpecError
from tidegate.export.exportable import Arrays, Exportable
from tidegate.export.ports import Port
from tidegate.export.program import for_inference
from tidegate.specs import Columns
from tidegate.specs.base import plain
from tidegate.specs.detection import Prediction

__all__ = ["exportable"]

_NOTE = (
    "the scores of this detector follow from all errors before them, number by number (likelihood, or the mean of a "
    "dynamic threshold), which is left out: 'combined' is what goes into that"
)


def exportable(model: AnomalyDetector, levels: Sequence[float] | None = None) -> Exportable:
    """Make a detector ready for export. Raises `SpecError` for ``levels``."""
    if levels:
        raise SpecError("levels are intervals of forecasts; a detector has none: leave them out")
    design, judges = model.network_.design, (model._judge(False), model._judge(True))
    network = for_inference(model.network_)
    assert isinstance(network, Detection)
    filtered = bool(judges[0].filters)
    context = design.context
    return Exportable(
        kind=model.kind,
        module=_Scores(network, judges),
        positional=4,
        inputs=_inputs(design),
        outputs=_outputs("combined" if filtered else "scores"),
        reference=lambda given: _reference(network, judges, given),
        sample=lambda generator, batch, time: _sample(design, generator, batch, time),
        times=tuple(sorted({max(context // 2, 1), context + 2, 2 * context + 3})),
        metadata=_metadata(model, judges),
        notes=(_NOTE,) if filtered else (),
    )


def _inputs(design: Design) -> tuple[Port, ...]:
    axes = ("batch", "time", design.targets)
    return (
        Port(name="values", axes=axes, meaning="the series, in the units of the data"),
        Port(name="observed", axes=axes, meaning="false where a value is missing"),
        Port(name="lengths", axes=("batch",), meaning="valid steps of each series, from the first"),
        Port(name="series", axes=("batch",), meaning="place among the series trained on, −1 for another"),
    )


def _outputs(name: str) -> tuple[Port, ...]:
    what = "of each step" if name == "scores" else "of each step, before what follows from score to score"
    every, before = "by all windows that cover it", "by windows that end there or before"
    return (
        Port(
            name="errors", meaning=f"of each step {every}, in units of its series, NaN for none: [batch, time, target]"
        ),
        Port(name="errors_causal", meaning=f"of each step {before}: [batch, time, target]"),
        Port(name=name, meaning=f"{what}, {every}, NaN where nothing can be judged: [batch, time]"),
        Port(name=f"{name}_causal", meaning=f"{what}, {before}: [batch, time]"),
    )


class _Scores(nn.Module):
    """All windows of all series at once, and what becomes of their errors."""

    scale: Tensor

    def __init__(self, network: Detection, judges: Sequence[Judge]) -> None:
        super().__init__()
        self.network = network
        scale = np.stack([judge.scale for judge in judges])
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)

    def forward(
        self, values: Tensor, observed: Tensor, lengths: Tensor, series: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give errors ``[batch, time, target]`` and scores ``[batch, time]``, of all windows and of earlier ones."""
        steps = torch.arange(values.shape[1])
        observed = observed & (steps < lengths.unsqueeze(1)).unsqueeze(2)
        values = torch.where(observed, values, 0.0)
        made = self._windows(values, observed, series)  # [batch, time, step, target]: of the windows that begin there
        truth, _ = self.network.units(Batch(values=values, observed=observed, series=series))
        design = self.network.design
        back = torch.arange(design.steps)
        begin = steps.unsqueeze(1) - design.first - back  # [time, step]: the window whose step that is
        whole = (begin >= 0) & (begin + design.context <= lengths[:, None, None])  # [batch, time, step]
        places = (begin.clamp_min(0) * design.steps + back).flatten()
        beside = _split(made.flatten(1, 2).index_select(1, places), 1, design.steps)
        errors = (truth.unsqueeze(2) - beside).abs()
        judged = whole.unsqueeze(3) & observed.unsqueeze(2)
        covered = _average(errors, judged, design.together)
        if isinstance(design.method, Prediction):
            causal = covered
        else:  # the last step of the window that ends there
            causal = torch.where(judged[:, :, -1], errors[:, :, -1], math.nan)
        covered = _smoothed(covered, design.method.smoothing, lengths)
        return covered, causal, _combined(covered, self.scale[0]), _combined(causal, self.scale[1])

    def _windows(self, values: Tensor, observed: Tensor, series: Tensor) -> Tensor:
        """Run the networks over a window from each step on; what lies past the end is not looked at later."""
        context, time = self.network.design.context, values.shape[1]
        rows = (torch.arange(time).unsqueeze(1) + torch.arange(context)).clamp_max(time - 1).flatten()
        windows, seen = (_split(part.index_select(1, rows), 1, context).flatten(0, 1) for part in (values, observed))
        codes = series.unsqueeze(1).expand(-1, time).flatten()
        made: Tensor = self.network(Batch(values=windows, observed=seen, series=codes))
        return _split(made.double(), 0, time)


def _average(errors: Tensor, judged: Tensor, together: str) -> Tensor:
    """Give the median or the mean over windows, of ``[batch, time, step, target]``, as `covering_errors` does."""
    count = judged.sum(2, keepdim=True)
    if together == "mean":
        found = torch.where(judged, errors, 0.0).sum(2, keepdim=True) / count.clamp_min(1)
    elif errors.shape[2] == 1:
        found = errors
    else:
        ordered = torch.where(judged, errors, math.inf).sort(dim=2).values
        low, high = (count - 1).clamp_min(0) // 2, count.clamp_min(1) // 2
        found = (ordered.gather(2, low) + ordered.gather(2, high)) / 2
    return torch.where(count > 0, found, math.nan).squeeze(2)


def _smoothed(errors: Tensor, rows: int, lengths: Tensor) -> Tensor:
    """Give the root mean square of ``rows`` errors around each, as `covering.smoothed` does."""
    if rows == 1:
        return errors
    seen = ~errors.isnan()
    start = torch.arange(errors.shape[1]) - (rows - 1) // 2
    first = start.clamp_min(0).expand(errors.shape[0], -1)
    last = torch.minimum(start + rows, lengths.unsqueeze(1)).clamp_min(0)

    def around(values: Tensor) -> Tensor:
        total = torch.cat([torch.zeros_like(values[:, :1]), values.cumsum(1)], dim=1)
        ends = (
            place.clamp_max(errors.shape[1]).unsqueeze(2).expand(-1, -1, errors.shape[2]) for place in (last, first)
        )
        late, early = (total.gather(1, place) for place in ends)
        return late - early

    square, count = around(torch.where(seen, errors, 0.0).square()), around(seen.to(errors.dtype))
    return torch.where(seen, (square.clamp_min(0.0) / count.clamp_min(1.0)).sqrt(), math.nan)


def _combined(errors: Tensor, scale: Tensor) -> Tensor:
    """Give the root mean square over variables, as `judge.combined` does."""
    seen = ~errors.isnan()
    count = seen.sum(2)
    squares = torch.where(seen, errors / scale, 0.0).square().sum(2)
    return torch.where(count > 0, (squares / count.clamp_min(1)).sqrt(), math.nan)


def _reference(network: Detection, judges: Sequence[Judge], given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Score series by series, as the model itself does."""
    scorer, design = Scorer(network), network.design
    shape = given["values"].shape
    errors = np.full((2, *shape), np.nan)
    scores = np.full((2, *shape[:2]), np.nan)
    for row, length in enumerate(given["lengths"].tolist()):
        if length >= design.context:
            seen = given["observed"][row, :length].numpy()
            values = np.where(seen, given["values"][row, :length].numpy(), np.nan)
            found = scorer.errors(read_data(values, Columns()), 0, int(given["series"][row]))
            for place, part in enumerate((found.batch, found.causal)):
                errors[place, row, :length] = part
                scores[place, row, :length] = combined(part, judges[place].scale)
    return tuple(map(torch.from_numpy, (*errors, *scores)))


def _sample(design: Design, generator: np.random.Generator, batch: int, time: int) -> Arrays:
    """Draw positive series, which any transform can take, with gaps; rows of several lengths among them."""
    shape = (batch, time, design.targets)
    lengths = np.full(batch, time)
    lengths[1::2] = generator.integers(1, time + 1, size=len(lengths[1::2]))
    observed = generator.random(shape) > 0.1
    observed[:, 0] = True
    return {
        "values": 20 + 5 * generator.random((batch, 1, design.targets)) + generator.normal(size=shape),
        "observed": observed,
        "lengths": lengths,
        "series": generator.integers(-1, design.series, size=batch),
    }


def _metadata(model: AnomalyDetector, judges: Sequence[Judge]) -> dict[str, Any]:
    return {
        "params": {name: plain(value) for name, value in model.get_params(deep=False).items()},
        "targets": list(model.columns_.targets),
        "series": list(model.settled_.ids),
        "context": model.network_.design.context,
        "threshold": model.threshold_,
        "threshold_causal": model.threshold_causal_,
        "error_scale": judges[0].scale.tolist(),
        "error_scale_causal": judges[1].scale.tolist(),
    }


def _split(values: Tensor, axis: int, size: int) -> Tensor:
    """Split an axis in two, the second of a size."""
    found: Tensor = values.unflatten(axis, (-1, size))  # type: ignore[no-untyped-call]
    return found
