"""The batches of a training, pass after pass, as tensors where the module lies; knows where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from tidegate.data.batches import Batch
from tidegate.errors import DataError, SpecError

__all__ = ["Feed", "generator_state", "set_generator_state", "to_batch"]

_OPTIONAL = tuple(name for name in Batch.__dataclass_fields__ if name != "values")
_END: Any = object()


@runtime_checkable
class _Restartable(Protocol):
    """Batches that can be begun anywhere: `Batches`, `ContinuousBatches` and what behaves like them."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Any) -> None: ...


class Feed:
    """Hands out the batches of one pass after another.

    Parameters
    ----------
    batches
        `Batches`, `ContinuousBatches`, a DataLoader or another iterable that can be gone through again and again, of
        `Batch`, ``(X, y)`` or ``(X, y, weight)``.
    device
        Where the tensors go.

    Attributes
    ----------
    passes : int
        Passes completed.
    position : int
        Batches handed out in the present pass.
    declared_length : int or None
        Batches a pass, as the batches themselves say; ``None`` if they do not.
    length : int or None
        The same, and what was counted at the end of the first pass.

    Raises
    ------
    SpecError
        If ``batches`` can be gone through only once.
    """

    def __init__(self, batches: Iterable[Any], device: torch.device) -> None:
        if isinstance(batches, Iterator):  # not by iter(batches): there a DataLoader draws a seed
            raise SpecError(
                f"a {type(batches).__name__} can be gone through only once; give Batches, a DataLoader or a list"
            )
        self.batches = batches
        self.device = device
        self.passes = 0
        self.position = 0
        self.declared_length = self.length = _length(batches)
        self.continuous = bool(getattr(batches, "continuous", False))
        self._iterator: Iterator[Any] | None = None
        self._ahead: Any = _END  # the next batch, looked at where only that tells whether there is one
        self._generators: list[Tensor] = []  # when this pass began

    def __iter__(self) -> Iterator[Batch[Tensor]]:
        """Go through one pass."""
        for item in self.batches:
            yield to_batch(item, self.device)

    def next(self) -> Batch[Tensor]:
        """Hand out the next batch, beginning a pass where the last one ended. Raises `DataError` if there is none."""
        if self._iterator is None:
            self._begin()
        item = self._ahead if self._ahead is not _END else next(self._iter, _END)
        if item is _END:
            raise DataError(
                f"the batches ended after {self.position}"
                + (f", though their length is {self.length}" if self.length else "; there is nothing to train on")
            )
        self._ahead = _END
        self.position += 1
        if self.length is None:
            self._ahead = next(self._iter, _END)
            if self._ahead is _END:
                self._end()
        elif self.position == self.length:
            if next(self._iter, _END) is not _END:
                raise DataError(f"the batches go on after {self.length}, though that is their length")
            self._end()
        return to_batch(item, self.device)

    def state_dict(self) -> dict[str, Any]:
        """Say where the feed stands."""
        state: dict[str, Any] = {"passes": self.passes, "position": self.position, "length": self.length}
        if isinstance(self.batches, _Restartable):
            state["batches"] = self.batches.state_dict()
            state["seed"] = getattr(self.batches, "seed", None)
        else:
            state["generators"] = self._generators if self.position else []
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Other iterables than Tidegate's are begun again with the generators of that pass, and gone through to the
        place; torch's own generator is left as the caller finds it.
        """
        self.passes, self.position, self.length = state["passes"], state["position"], state["length"]
        self._iterator = None
        if isinstance(self.batches, _Restartable):
            if state["seed"] is not None:
                self.batches.seed = state["seed"]  # type: ignore[attr-defined]  # without a seed= the first run drew one
            self.batches.load_state_dict(state["batches"])
        elif self.position:
            present = torch.get_rng_state()
            self._replay(state["generators"])
            torch.set_rng_state(present)

    @property
    def _iter(self) -> Iterator[Any]:
        assert self._iterator is not None
        return self._iterator

    def _begin(self) -> None:
        if not isinstance(self.batches, _Restartable):
            own = _own_generator(self.batches)
            self._generators = [torch.get_rng_state(), *([own.get_state()] if own is not None else [])]
        self._iterator = iter(self.batches)

    def _end(self) -> None:
        self.length = self.length or self.position
        self.passes += 1
        self.position = 0
        self._iterator = None

    def _replay(self, generators: list[Tensor]) -> None:
        torch.set_rng_state(generators[0])
        own = _own_generator(self.batches)
        if own is not None and len(generators) > 1:
            own.set_state(generators[1])
        self._begin()
        for _ in range(self.position):
            next(self._iter, None)
        if self.length is None:
            self._ahead = next(self._iter, _END)


def to_batch(item: Any, device: torch.device) -> Batch[Tensor]:
    """Turn a `Batch`, ``(X, y)`` or ``(X, y, weight)`` of arrays or tensors into tensors on ``device``.

    Raises
    ------
    DataError
        If it is none of these.
    """
    if isinstance(item, Batch):
        fields = {name: _to_tensor(getattr(item, name), device) for name in _OPTIONAL}
        return Batch(values=_tensor(item.values, device), **fields)
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        parts = [_tensor(part, device) for part in item]
        return Batch(values=parts[0], target=parts[1], weight=parts[2] if len(parts) == 3 else None)
    raise DataError(
        f"a batch must be a tidegate.data.Batch, (X, y) or (X, y, weight); got a {type(item).__name__}"
        + (f" of {len(item)}" if isinstance(item, tuple | list) else "")
    )


def generator_state(device: torch.device) -> dict[str, Tensor]:
    """Give the state of torch's generators that a training on ``device`` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_generator_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Put torch's generators back to ``states``."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["mps"])


def _to_tensor(array: Any, device: torch.device) -> Tensor | None:
    return None if array is None else _tensor(array, device)


def _tensor(array: Any, device: torch.device) -> Tensor:
    if isinstance(array, np.ndarray):
        # Copied into memory that torch has aligned: products of the same numbers may differ in the last bit elsewhere.
        tensor = torch.tensor(array)
    elif isinstance(array, Tensor):
        tensor = array
    else:
        raise DataError(f"a batch must hold arrays or tensors; got a {type(array).__name__}")
    if device.type == "mps" and tensor.dtype == torch.float64:
        tensor = tensor.float()  # all that device has
    return tensor.to(device, non_blocking=True)


def _length(batches: Iterable[Any]) -> int | None:
    try:
        return len(batches)  # type: ignore[arg-type]
    except TypeError:
        return None


def _own_generator(batches: Iterable[Any]) -> torch.Generator | None:
    for holder in (batches, getattr(batches, "sampler", None)):
        generator = getattr(holder, "generator", None)
        if isinstance(generator, torch.Generator):
            return generator
    return None
