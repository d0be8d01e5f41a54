"""Trained networks and the linear model beside them: what they say of texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tidegate.data.bucketing import in_length_order
from tidegate.data.ragged import Ragged, RaggedExamples
from tidegate.data.text import Piece, Tokenizer
from tidegate.data.vocabulary import PADDING, TokenVocabulary
from tidegate.specs.text import TextColumns
from tidegate.text.classifying.mixture import member_logits, mixed
from tidegate.text.classifying.network import TextDesign, TextNetwork
from tidegate.text.classifying.targets import Classes
from tidegate.text.classifying.wide import WideModel, WideTexts
from tidegate.training import History
from tidegate.training.feed import to_batch
from tidegate.training.members import member_outputs

__all__ = ["FittedTexts"]

Floats = npt.NDArray[np.float64]

_BATCH = 128
_BLOCK = 8_192  # texts that are read before they are answered


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FittedTexts:
    """All that a fit gives.

    Parameters
    ----------
    tokenizer, vocabulary
        How texts become codes.
    classes
        What is said of them.
    design, networks
        What the members are built from, and the members, in evaluation mode.
    wide
        The linear model, or ``None``.
    share
        Of the linear model in the mixture.
    temperature
        What logits are divided by.
    frequencies
        The share of the training texts that have each class or label, ``[class]``.
    history
        The curve of the first member's training.
    columns
        Of the file that was trained on, or ``None``.
    notes
        What was noticed in the training texts.
    """

    tokenizer: Tokenizer
    vocabulary: TokenVocabulary
    classes: Classes
    design: TextDesign
    networks: nn.ModuleList
    wide: WideModel | None
    share: float
    temperature: float
    frequencies: Floats
    history: History
    columns: TextColumns | None
    notes: tuple[str, ...]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Give the probability of each class or label, ``[text, class]``."""
        logits = torch.from_numpy(self.logits(texts) / self.temperature)
        found: Floats = (torch.sigmoid(logits) if self.classes.several else torch.softmax(logits, dim=1)).numpy()
        return found

    def logits(self, texts: Sequence[str]) -> Floats:
        """Give the logits of the mixture, before the temperature, ``[text, class]``."""
        blocks = [texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK)]
        return np.concatenate([self._block(block) for block in blocks])

    def attention(self, texts: Sequence[str]) -> list[list[tuple[Piece, float]]]:
        """Give the tokens of each text with their weights, the mean over members. Raises `UnsupportedError`."""
        pieces = [self.tokenizer.pieces(text) for text in texts]
        codes = self.vocabulary.codes([piece.token for piece in each] for each in pieces)
        weights = self._weights(codes)
        return [list(zip(each, row, strict=True)) for each, row in zip(pieces, weights, strict=True)]

    def _block(self, texts: Sequence[str]) -> Floats:
        tokens = [self.tokenizer.tokens(text) for text in texts]
        linear = None
        if self.wide is not None and self.share > 0:
            linear = self.wide.logits(WideTexts.of(texts, tokens, self.tokenizer), len(self.classes.names))
            if self.share == 1:
                return linear
        outputs = member_outputs(
            self.networks, RaggedExamples(self.vocabulary.codes(tokens), fill=PADDING), batch_size=_BATCH
        )
        network = member_logits(outputs, several=self.classes.several)
        return network if linear is None else mixed(network, linear, self.share)

    def _weights(self, codes: Ragged) -> list[list[float]]:
        source = RaggedExamples(codes, fill=PADDING)
        found: list[list[float]] = [[]] * len(codes)
        device = next(self.networks.parameters()).device
        with torch.inference_mode():
            for indices in in_length_order(codes.lengths, _BATCH):
                batch = to_batch(source.batch(indices), device)
                assert batch.lengths is not None
                total = torch.zeros(batch.values.shape, dtype=torch.float64)
                for network in self.networks:
                    assert isinstance(network, TextNetwork)
                    total += network.weights(batch.values, lengths=batch.lengths).double().cpu()
                rows = (total / len(self.networks)).tolist()
                for index, row, length in zip(indices.tolist(), rows, batch.lengths.tolist(), strict=True):
                    found[index] = row[:length]
        return found

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give weights, vocabulary, subwords and the linear model by their names in a file."""
        found = {f"network.{name}": tensor.cpu().numpy() for name, tensor in self.networks.state_dict().items()}
        found |= self.vocabulary.to_arrays() | {"frequencies": self.frequencies}
        if self.tokenizer.subwords is not None:
            found |= self.tokenizer.subwords.to_arrays()
        return found if self.wide is None else found | self.wide.to_arrays()
