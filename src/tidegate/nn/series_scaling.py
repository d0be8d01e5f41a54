"""Scaling by the training rows of each series, kept in the network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.nn.scaling import wide
from tidegate.nn.transforms import Identity, make_transform
from tidegate.specs import Scaling

__all__ = ["SeriesScaling"]

_ROUNDING = 1e-12  # below this share of the level a spread is what rounding left
_CONSTANT = 1e-2  # share of its level that a constant series is measured in


class SeriesScaling(nn.Module):
    """Bring values into units of their series: ``(transform(values) − loc) / scale``.

    Mean and standard deviation of each series are measured once, by `fit`, and lie in buffers. A series that was not
    there then is measured by the median of those that were. Unlike scaling inside a window this tells a network
    whether a window lies higher, or moves more, than its series does as a rule.

    Parameters
    ----------
    spec
        Gives the transform; with ``"boxcox"`` its power too.
    series, targets
        How many there are in training.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, spec: Scaling, *, series: int, targets: int) -> None:
        super().__init__()
        self.transform = make_transform(spec.transform, spec.power)
        shape = (series + 1, targets)  # the last row serves series that were never seen
        self.register_buffer("loc", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(shape, dtype=torch.float64))

    def fit(self, values: np.ndarray, offsets: np.ndarray) -> None:
        """Measure series that lie one behind the other.

        Parameters
        ----------
        values
            ``[row, target]`` in the units of the data, NaN where missing.
        offsets
            ``[series + 1]``: where each begins and ends.
        """
        transformed = self.transform.forward(torch.from_numpy(values)).numpy()
        for index in range(len(offsets) - 1):
            loc, scale = _measured(transformed[offsets[index] : offsets[index + 1]])
            self.loc[index], self.scale[index] = torch.from_numpy(loc), torch.from_numpy(scale)
        self.loc[-1] = self.loc[:-1].nanmedian(0).values.nan_to_num(0.0)
        self.scale[-1] = self.scale[:-1].nanmedian(0).values.nan_to_num(1.0)
        for part in (self.loc, self.scale):  # a target that a series has no value of
            part.copy_(torch.where(part.isnan(), part[-1:], part))

    def one_by_one(self, series: int) -> Callable[[np.ndarray], np.ndarray]:
        """Give a function from one step of one series, ``[target]``, to the same in its units.

        It does what `forward` does, where torch's calls would cost more than all else. NaN stays.
        """
        loc, scale = (part[series].cpu().numpy().copy() for part in (self.loc, self.scale))
        transform = None if isinstance(self.transform, Identity) else self.transform

        def units(values: np.ndarray) -> np.ndarray:
            if transform is not None:
                values = transform.forward(torch.from_numpy(values)).numpy()
            result: np.ndarray = (values - loc) / scale
            return result

        return units

    def forward(self, values: Tensor, observed: Tensor, series: Tensor) -> Tensor:
        """Scale ``values`` [batch, time, target] of ``series`` [batch] (−1: never seen); 0 where not ``observed``."""
        safe = torch.where(observed, wide(values), 1.0)
        loc, scale = (wide(part)[series].unsqueeze(1) for part in (self.loc, self.scale))
        return torch.where(observed, (self.transform.forward(safe) - loc) / scale, 0.0)


def _measured(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give loc and scale of each target; NaN where it has no value."""
    observed = ~np.isnan(rows)
    count = observed.sum(0)
    with np.errstate(invalid="ignore"):
        loc = np.where(observed, rows, 0.0).sum(0) / np.where(count, count, np.nan)
        scale = np.sqrt((np.where(observed, rows - loc, 0.0) ** 2).sum(0) / np.where(count, count, np.nan))
        level = np.where(observed, np.abs(rows), 0.0).sum(0) / np.where(count, count, np.nan)
    constant = scale <= level * _ROUNDING
    return loc, np.where(constant, np.where(level > 0, level * _CONSTANT, 1.0), scale)
