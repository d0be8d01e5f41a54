"""What `train` takes as data, turned into batches; and the share of it held out for validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from tidegate.data.batches import Arrays, Batch, Batches, IntArray, Source
from tidegate.errors import SpecError
from tidegate.specs import checks

__all__ = ["as_batches", "hold_out"]

Examples: TypeAlias = Source | Dataset[Any]


@dataclasses.dataclass(frozen=True)
class _Part:
    """The examples ``start`` to ``stop`` of a source."""

    source: Source
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def batch(self, indices: IntArray) -> Batch[np.ndarray]:
        return self.source.batch(indices + self.start)


def as_batches(data: Any, *, batch_size: int, shuffle: bool, seed: int) -> Iterable[Any]:
    """Turn what `train` takes into batches.

    Parameters
    ----------
    data
        ``(X, y)`` or ``(X, y, weight)`` of arrays or tensors, a `Source`, a torch Dataset; anything else is taken to
        be batches already.
    batch_size, shuffle, seed
        How examples are dealt out. A torch Dataset is shuffled by torch's generator.
    """
    examples = _examples(data)
    if examples is None:
        return _checked_iterable(data)
    if isinstance(examples, Dataset):
        shuffle = shuffle and not isinstance(examples, IterableDataset)
        return DataLoader(examples, batch_size=batch_size, shuffle=shuffle)
    return Batches(examples, batch_size, shuffle=shuffle, seed=seed)


def hold_out(data: Any, share: float) -> tuple[Any, Any]:
    """Split off the last ``share`` of the examples, in the order given, before anything is shuffled.

    Returns
    -------
    tuple
        ``(first, last)``; ``last`` has ``round(share × examples)`` examples, at least one.

    Raises
    ------
    SpecError
        If ``share`` is not in 0 < share < 1, if ``data`` is batches already, or if nothing would be left to train on.
    """
    checks.probability("validation_split", share)
    examples = _examples(data)
    if examples is None or isinstance(examples, IterableDataset):
        raise SpecError(
            f"validation_split cannot cut a {type(data).__name__}; hold examples out beforehand and give them as "
            "validation_data"
        )
    total = len(examples)  # type: ignore[arg-type]
    held = max(1, round(share * total))
    if held >= total:
        raise SpecError(
            f"validation_split={share:g} of {total} example(s) leaves none to train on; give more data or a smaller "
            "share"
        )
    if isinstance(examples, Arrays):
        return examples.split(share)
    if isinstance(examples, Dataset):
        return Subset(examples, range(total - held)), Subset(examples, range(total - held, total))
    return _Part(examples, 0, total - held), _Part(examples, total - held, total)


def _examples(data: Any) -> Examples | None:
    if isinstance(data, tuple) and len(data) in (2, 3) and not isinstance(data[0], Batch | tuple):
        X, y, *rest = (_array(part) for part in data)
        return Arrays(X, y, weight=rest[0] if rest else None)
    if isinstance(data, Dataset):
        return data
    if hasattr(data, "__len__") and callable(getattr(data, "batch", None)):
        source: Source = data
        return source
    return None


def _array(part: Any) -> Any:
    if not isinstance(part, torch.Tensor):
        return part
    part = part.detach().cpu()
    return (part.float() if part.dtype == torch.bfloat16 else part).numpy()


def _checked_iterable(data: Any) -> Iterable[Any]:
    if isinstance(data, torch.Tensor | np.ndarray) or not isinstance(data, Iterable):
        raise SpecError(
            f"data must be (X, y), a Source, a torch Dataset, or batches (Batches, ContinuousBatches, a DataLoader, "
            f"a list of batches); got a {type(data).__name__}"
        )
    return data
