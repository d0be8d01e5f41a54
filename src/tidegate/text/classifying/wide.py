"""The linear model of n-grams beside the networks: fitted, asked, written to a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegate.data.batches import IntArray
from tidegate.data.ngrams import NGrams, token_hashes
from tidegate.data.ragged import Ragged
from tidegate.data.text import Tokenizer
from tidegate.errors import DataError
from tidegate.specs.text import Wide
from tidegate.text.classifying.linear import Linear, fit_linear
from tidegate.text.classifying.mixture import likelihood

__all__ = ["PENALTIES", "WideModel", "WideTexts", "fit_wide"]

Floats = npt.NDArray[np.float64]

#: What is tried where none is asked for, from strong to weak.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
_USUAL = 0.1  # where nothing can be tried
_MOST_WEIGHTS = 10_000_000  # of all outputs: n-grams in few texts are left out beyond


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WideTexts:
    """Texts as the linear model reads them.

    Parameters
    ----------
    tokens
        The hashes of their tokens, from `tidegate.data.ngrams.token_hashes`.
    written
        The texts themselves, in small letters if tokens are.
    """

    tokens: Ragged
    written: Sequence[str]

    @classmethod
    def of(cls, texts: Sequence[str], tokens: Iterable[Sequence[str]], tokenizer: Tokenizer) -> WideTexts:
        """Write texts as their tokens are written."""
        return cls(tokens=token_hashes(tokens), written=[tokenizer.written(text) for text in texts])

    def take(self, indices: IntArray) -> WideTexts:
        """Give the texts at ``indices``, in this order."""
        return WideTexts(tokens=self.tokens.take(indices), written=[self.written[row] for row in indices.tolist()])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class WideModel:
    """A fitted linear model.

    Parameters
    ----------
    ngrams
        What it reads.
    linear
        What it makes of that.
    penalty
        With which it was fitted.
    """

    ngrams: NGrams
    linear: Linear
    penalty: float

    def logits(self, texts: WideTexts, classes: int) -> Floats:
        """Give logits ``[text, class]``."""
        return self.linear.logits(self.ngrams.columns(texts.tokens, texts.written), classes)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give it as arrays for a model file."""
        linear, keys = self.linear, self.ngrams.keys
        return {
            "wide.keys": keys if keys.dtype == np.uint32 else keys.view(np.int64),
            "wide.ratios": linear.ratios,
            "wide.weights": linear.weights,
            "wide.bias": linear.bias,
        }

    def shortened(self) -> WideModel:
        """Know n-grams by half of their keys, which is nearly as good; of two with the same half one stays."""
        if self.ngrams.keys.dtype == np.uint32:
            return self
        ngrams, kept = self.ngrams.halved()
        ratios, weights = self.linear.ratios[kept], self.linear.weights[kept]
        linear = dataclasses.replace(self.linear, ratios=ratios, weights=weights)
        return dataclasses.replace(self, ngrams=ngrams, linear=linear)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], spec: Wide, penalty: float, outputs: int) -> WideModel:
        """Take back what `to_arrays` gave. Raises `DataError` or `KeyError` for anything else."""
        keys, ratios, weights, bias = (arrays[f"wide.{name}"] for name in ("keys", "ratios", "weights", "bias"))
        shapes = (ratios.shape, weights.shape, bias.shape)
        if keys.ndim != 1 or shapes != ((len(keys), outputs), (len(keys), outputs), (outputs,)):
            raise DataError(f"expected ratios and weights [{keys.shape}, {outputs}] of the n-grams; got {shapes}")
        floats = all(array.dtype == np.float32 for array in (ratios, weights, bias))
        if keys.dtype not in (np.int64, np.uint32) or not floats:
            raise DataError("expected n-grams as int64 or uint32, their ratios and weights as float32")
        ordered = keys if keys.dtype == np.uint32 else keys.view(np.uint64)
        if (ordered[1:] <= ordered[:-1]).any():
            raise DataError("expected the keys of n-grams ascending, each once")
        return cls(
            ngrams=NGrams(keys=ordered, words=spec.words, characters=spec.characters),
            linear=Linear(ratios=ratios, weights=weights, bias=bias),
            penalty=penalty,
        )


def fit_wide(
    spec: Wide,
    texts: WideTexts,
    marks: Floats,
    *,
    several: bool,
    weight: Floats | None = None,
    held: tuple[WideTexts, npt.NDArray[Any]] | None = None,
    classes: int,
) -> WideModel:
    """Fit the linear model.

    Parameters
    ----------
    spec
        What it reads.
    texts, marks
        Of the training: 0 and 1, ``[text, output]``, one output for two classes.
    several
        Whether a text may have any number of labels.
    weight
        How much texts, or their labels, count.
    held
        Texts with what they are, codes or marks, to choose the penalty by; ``None`` takes a usual one.
    classes
        How many classes or labels there are.
    """
    ngrams = NGrams.of(
        texts.tokens,
        texts.written,
        words=spec.words,
        characters=spec.characters,
        minimum=spec.minimum,
        most=max(_MOST_WEIGHTS // marks.shape[1], 1),
    )
    if not len(ngrams):
        raise DataError(f"no n-gram is in {spec.minimum} training texts; lower the minimum of Wide(…)")
    asked = _USUAL if spec.penalty is None else spec.penalty
    penalties = PENALTIES if spec.penalty is None and held is not None else (asked,)
    fitted = fit_linear(
        ngrams.columns(texts.tokens, texts.written),
        marks,
        len(ngrams),
        several=several or classes == 2,
        penalties=penalties,
        weight=weight,
    )
    models = (
        WideModel(ngrams=ngrams, linear=linear, penalty=penalty)
        for linear, penalty in zip(fitted, penalties, strict=True)
    )
    if held is None or len(penalties) == 1:
        return next(models)
    return _likeliest(models, *held, classes=classes, several=several)


def _likeliest(
    models: Iterator[WideModel], texts: WideTexts, target: npt.NDArray[Any], *, classes: int, several: bool
) -> WideModel:
    """Take models, from strong to weak penalties, until one is less likely than the one before, which is the best."""
    best, lowest = None, np.inf
    for model in models:
        loss = likelihood(model.logits(texts, classes), target, several=several)
        if loss >= lowest:
            break
        best, lowest = model, loss
    assert best is not None
    return best
