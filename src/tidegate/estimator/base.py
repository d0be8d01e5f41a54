"""What every estimator has: parameters that can be listed and set, and a file."""

from __future__ import annotations

import abc
import dataclasses
import inspect
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tidegate._core.devices import resolve_device
from tidegate.errors import ModelFileError, NotFittedError, SpecError
from tidegate.estimator.modelfile import ModelFile, read_model, write_model
from tidegate.estimator.storage import FLOAT32, still_stored
from tidegate.specs import from_dict
from tidegate.specs.base import from_tagged, plain

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Estimator"]


class Estimator(abc.ABC):
    """The base of every estimator.

    A constructor takes keyword arguments only and stores them under their own names, unchanged; whatever fitting
    learns is named with a trailing underscore. ``get_params`` and ``set_params`` follow scikit-learn, so its ``clone``
    works; the fields of a spec are reached with two underscores, ``network__hidden_size``.
    """

    #: The name under which the registry and model files know the class.
    kind: ClassVar[str]
    #: Constructor arguments that are specs, with the types that may stand there. Beside them such an argument may be a
    #: plain value (a name that is short for a spec), or a tuple of specs.
    specs: ClassVar[Mapping[str, type | tuple[type, ...]]]
    #: Those of them that may be ``None`` although that is not what they are by default.
    optional: ClassVar[frozenset[str]] = frozenset()
    #: How its weights lie in a file: one of `tidegate.estimator.storage.STORAGES`. Weights that were trained on since
    #: lie there as float32.
    storage_: str = FLOAT32

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the constructor's arguments; with ``deep`` also the fields of specs, as ``network__hidden_size``."""
        params = {name: getattr(self, name) for name in self._names()}
        if deep:
            for name in self.specs:
                spec = params[name]
                if dataclasses.is_dataclass(spec):
                    params |= {f"{name}__{field.name}": getattr(spec, field.name) for field in dataclasses.fields(spec)}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments, or fields of specs as ``network__hidden_size=32``.

        Raises
        ------
        SpecError
            If there is no such parameter, or a spec refuses a value; nothing is set then.
        """
        fields: dict[str, dict[str, Any]] = {}
        plain: dict[str, Any] = {}
        for name, value in params.items():
            outer, separator, inner = name.partition("__")
            if outer not in self._names() or (separator and outer not in self.specs):
                known = ", ".join(self._names())
                raise SpecError(f"{type(self).__name__} has no parameter {name!r}; it has {known}")
            if separator:
                fields.setdefault(outer, {})[inner] = value
            else:
                plain[outer] = value
        for outer, changes in fields.items():
            spec = plain.get(outer, getattr(self, outer))
            if not dataclasses.is_dataclass(spec):
                raise SpecError(f"{outer} is {spec!r}, which has no fields to set; give {outer} as one spec first")
            known_fields = {field.name for field in dataclasses.fields(spec)}
            unknown = sorted(set(changes) - known_fields)
            if unknown:
                raise SpecError(f"{outer} has no field {unknown[0]!r}; it has {', '.join(sorted(known_fields))}")
            plain[outer] = dataclasses.replace(spec, **changes)  # type: ignore[type-var]
        checked = type(self)(**{**self.get_params(deep=False), **plain})
        for name in plain:
            setattr(self, name, getattr(checked, name))
        return self

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        params = self.get_params(deep=False)
        changed = (f"{name}={value!r}" for name, value in params.items() if value != defaults[name])
        return f"{type(self).__name__}({', '.join(changed)})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one ``.safetensors`` file, whole or not at all.

        The file holds no row of the training data.

        Raises
        ------
        NotFittedError
            If it has not been fitted.
        OutputError
            If the file cannot be written.
        """
        self._require_fitted("save")
        learned, arrays = self._learned()
        params = {name: plain(value) for name, value in self.get_params(deep=False).items()}
        weights = still_stored(arrays, self.storage_)
        write_model(path, kind=self.kind, params=params, learned=learned, arrays=arrays, weights=weights)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "cpu") -> Self:
        """Read an estimator from the file that `save` wrote.

        Parameters
        ----------
        path
            The file.
        device
            Where it is to compute, whatever it was trained on.

        Raises
        ------
        SpecError
            If the machine has no such device.
        MissingFileError
            If there is no file.
        ModelFileError
            If it is truncated, altered, of a newer version, no model file, or holds another kind of estimator.
        """
        resolve_device(device)
        return cls.from_model_file(read_model(path), name=str(path), device=device)

    @classmethod
    def from_model_file(cls, file: ModelFile, *, name: str = "model", device: str = "cpu") -> Self:
        """Build an estimator from the content of a model file. Raises `ModelFileError`."""
        if file.info.kind != cls.kind:
            raise ModelFileError(f"{name!r} holds a {file.info.kind!r}, not a {cls.kind!r}; load it as what it is")
        try:
            params = {
                key: _without_lists(value) if cls._is_plain(key, value) else _described(value, cls.specs[key])
                for key, value in file.info.params.items()
            }
            estimator = cls(**{**params, "device": device})
            estimator._restore(file.info.learned, file.arrays)
            estimator._store_as(file.info.stored.weights)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelFileError(f"{name!r} does not describe a usable {cls.kind}: {error}") from error
        return estimator

    @classmethod
    def _is_plain(cls, key: str, value: Any) -> bool:
        """Say whether a parameter is no spec, or one that may be left out, and is."""
        if key not in cls.specs:
            return True
        default = inspect.signature(cls.__init__).parameters[key].default
        return value is None and (default is None or key in cls.optional)

    def _store_as(self, weights: str) -> None:
        """Say how the weights, which have been brought into that form, lie in a file."""
        from tidegate.nn.recurrent import RecurrentLayer

        self.storage_ = weights
        for network in self._networks():
            for layer in network.modules():
                if isinstance(layer, RecurrentLayer):
                    layer.int8 = weights == "int8"

    def _require_fitted(self, action: str) -> None:
        if not self._is_fitted():
            raise NotFittedError(f"this {type(self).__name__} is not fitted; call fit(…) before {action}(…)")

    @abc.abstractmethod
    def _is_fitted(self) -> bool:
        """Say whether `fit` or `load` has come to its end."""

    def _networks(self) -> Iterable[nn.Module]:
        """Give the fitted networks, or the modules that hold them, of an estimator that has any."""
        return ()

    @abc.abstractmethod
    def _learned(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """Give what fitting learned: a description of JSON types, and arrays."""

    def _shortened(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """Give what `_learned` gives, with what can be shortened beside the weights where they take few bits."""
        return self._learned()

    @abc.abstractmethod
    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Take back what `_learned` gave; whatever does not fit raises."""


def _without_lists(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # JSON has no tuples, and parameters are no lists


def _described(value: Any, types: type | tuple[type, ...]) -> Any:
    """Build the spec or the tuple of specs that a file describes; names and numbers are the constructor's to judge."""
    if isinstance(value, list):
        return tuple(_described(item, types) for item in value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(types, type):
        return from_dict(types, value)
    return from_tagged(value, types, untagged=types[0])
