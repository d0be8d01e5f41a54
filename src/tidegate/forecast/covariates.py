"""Covariates on their way into a network: standardised, masked, embedded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.data import Batch, SeriesTable
from tidegate.nn.scaling import wide

__all__ = ["CovariateInputs", "CovariateShapes", "Prepared"]

_WIDEST = 16  # numbers of an embedding
_ROUNDING = 1e-12  # of a column that does not vary: its spread is only what rounding left


@dataclasses.dataclass(frozen=True, kw_only=True)
class CovariateShapes:
    """Which covariates there are.

    Parameters
    ----------
    past, known, static
        For each column whether values are missing in the training table: such a column gets its mask beside it.
    categories
        For each categorical column how many categories there were in training.
    """

    past: tuple[bool, ...] = ()
    known: tuple[bool, ...] = ()
    static: tuple[bool, ...] = ()
    categories: tuple[int, ...] = ()

    @classmethod
    def of(cls, table: SeriesTable, vocabularies: Sequence[Sequence[str]]) -> CovariateShapes:
        """Look at the table that is trained on."""

        def missing(values: np.ndarray) -> tuple[bool, ...]:
            return tuple(np.isnan(values).any(axis=0).tolist())

        return cls(
            past=missing(table.past),
            known=missing(table.known),
            static=missing(table.static),
            categories=tuple(map(len, vocabularies)),
        )

    @property
    def widths(self) -> tuple[int, int, int]:
        """Features of past, known and static covariates as a network reads them."""
        numeric = [len(columns) + sum(columns) for columns in (self.past, self.known, self.static)]
        return numeric[0], numeric[1], numeric[2] + sum(map(_embedding_size, self.categories))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """The covariates of a batch as a network reads them; ``None`` where there are none of a kind."""

    past: Tensor | None  # [batch, context, feature]
    known: Tensor | None  # [batch, context + horizon, feature]
    static: Tensor | None  # [batch, feature]


class CovariateInputs(nn.Module):
    """Standardise numeric covariates by the training rows, and embed categories.

    Unlike targets, covariates are scaled once for all: what a temperature of 30 or a price of 9.99 means does not
    change from window to window. A missing value is the mean of its column, with a mask beside it where the training
    table had missing values in that column. A category that training did not know, and a missing one, are the
    embedding 0, which is not trained and holds zeros.
    """

    def __init__(self, shapes: CovariateShapes) -> None:
        super().__init__()
        self.shapes = shapes
        for name in ("past", "known", "static"):
            count = len(getattr(shapes, name))
            if count:
                # Every device has float32; of a mean far from 0 the second row holds what the first has no digits for.
                self.register_buffer(f"{name}_mean", torch.zeros(2, count))
                self.register_buffer(f"{name}_spread", torch.ones(count))
        self.embeddings = nn.ModuleList(
            nn.Embedding(count + 1, _embedding_size(count), padding_idx=0) for count in shapes.categories
        )

    def fit(self, table: SeriesTable) -> None:
        """Take mean and standard deviation of each numeric column from the rows that may train."""
        for name, values in (("past", table.past), ("known", table.known), ("static", table.static)):
            for column in range(values.shape[1]):
                seen = values[:, column]
                seen = seen[~np.isnan(seen)].astype(np.float64)
                if not seen.size:
                    continue
                spread = float(seen.std())
                mean = seen.mean()
                coarse = np.float32(mean)
                getattr(self, f"{name}_mean")[:, column] = torch.tensor([coarse, mean - coarse])
                getattr(self, f"{name}_spread")[column] = spread if spread > _ROUNDING * np.abs(seen).max() else 1.0

    def forward(self, batch: Batch[Tensor]) -> Prepared:
        """Prepare the covariates of a batch of windows."""
        static = [self._numeric("static", batch.static)]
        if batch.categories is not None:
            static += [layer(batch.categories[:, column]) for column, layer in enumerate(self.embeddings)]
        present = [part for part in static if part is not None]
        return Prepared(
            past=self._numeric("past", batch.past),
            known=self._numeric("known", batch.known),
            static=torch.cat(present, dim=-1) if present else None,
        )

    def _numeric(self, name: str, values: Tensor | None) -> Tensor | None:
        missing = getattr(self.shapes, name)
        if not missing:
            return None
        assert values is not None, name
        seen = ~values.isnan()
        mean, spread = getattr(self, f"{name}_mean"), getattr(self, f"{name}_spread")
        scaled = torch.where(seen, (wide(values) - mean[0] - mean[1]) / spread, 0.0).float()
        masks = [seen[..., column : column + 1].float() for column, gaps in enumerate(missing) if gaps]
        return torch.cat([scaled, *masks], dim=-1)


def _embedding_size(count: int) -> int:
    return min(_WIDEST, (count + 3) // 2)
