"""From a vector a step to one vector a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tidegate.errors import SpecError, UnsupportedError
from tidegate.nn.attention import Attention
from tidegate.nn.masks import valid_steps
from tidegate.specs import checks
from tidegate.specs.pooling import POOLINGS

__all__ = ["Pooling"]


class Pooling(nn.Module):
    """Pool the outputs of a network over the steps of each sequence.

    Parameters
    ----------
    size
        Features of a step.
    kind
        One of `tidegate.specs.pooling.POOLINGS`:

        ==================  ==========================================================================================
        ``"last"``          the last valid step; of a ``bidirectional`` network the forward half of it, and the
                            backward half of the first step, where each direction has read everything
        ``"mean"``          the mean over valid steps
        ``"max"``           the largest value of each feature
        ``"mean_max"``      both, one after the other: twice the features
        ``"attention"``     a mean with learned weights (additive attention with a query of its own; Yang et al., 2016)
        ==================  ==========================================================================================
    bidirectional
        Whether the second half of the features reads backwards; only ``"last"`` asks.

    Attributes
    ----------
    output_size
        Features of the pooled vector.

    Raises
    ------
    SpecError
        If ``kind`` is unknown, or ``bidirectional`` features cannot be halved.

    Notes
    -----
    A sequence of length 0 is pooled to zeros.

    Examples
    --------
    >>> outputs = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> Pooling(1, "mean")(outputs, lengths=torch.tensor([2]))
    tensor([[2.]])
    """

    def __init__(self, size: int, kind: str = "attention", *, bidirectional: bool = False) -> None:
        super().__init__()
        checks.whole("size", size)
        checks.one_of("pooling", kind, POOLINGS)
        checks.flag("bidirectional", bidirectional)
        if bidirectional and size % 2:
            raise SpecError(f"a bidirectional network has an even number of features; got {size}")
        self.size, self.kind, self.bidirectional = size, kind, bidirectional
        self.output_size = 2 * size if kind == "mean_max" else size
        self.attention = Attention(size, score="additive") if kind == "attention" else None

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Pool ``x`` [batch, time, size] to [batch, output_size]; ``lengths`` [batch] says which steps count."""
        if self.attention is not None:
            pooled: Tensor = self.attention(x, lengths=lengths)
            return pooled
        if self.kind == "last":
            return self._last(x, lengths)
        if self.kind == "mean_max":
            return torch.cat([_mean(x, lengths), _max(x, lengths)], dim=-1)
        return _mean(x, lengths) if self.kind == "mean" else _max(x, lengths)

    def weights(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the weight of each step, [batch, time], at least 0; a row sums to 1, or to 0 without any step.

        Raises
        ------
        UnsupportedError
            If the steps are pooled otherwise than by attention.
        """
        if self.attention is None:
            raise UnsupportedError(f"pooling by {self.kind!r} gives steps no weights; take pooling='attention'")
        weights: Tensor = self.attention(x, lengths=lengths, return_weights=True)[1]
        return weights

    def _last(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            last = x[:, -1]
        else:
            row = torch.arange(x.shape[0], device=x.device)
            last = x[row, (lengths.to(x.device) - 1).clamp(min=0)] * (lengths.to(x.device) > 0).unsqueeze(1)
        if not self.bidirectional:
            return last
        half = self.size // 2
        first = x[:, 0, half:]
        if lengths is not None:
            first = first * (lengths.to(x.device) > 0).unsqueeze(1)
        return torch.cat([last[:, :half], first], dim=-1)

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"{self.size}, {self.kind!r}, bidirectional={self.bidirectional}"


def _mean(x: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return x.mean(dim=1)
    inside = valid_steps(lengths, x).unsqueeze(-1)  # [batch, time, 1]
    total = x.masked_fill(~inside, 0).sum(dim=1)
    return total / lengths.to(x.device).clamp(min=1).unsqueeze(1)


def _max(x: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return x.amax(dim=1)
    inside = valid_steps(lengths, x).unsqueeze(-1)
    highest = x.masked_fill(~inside, -torch.inf).amax(dim=1)
    return highest.masked_fill(~inside.any(dim=1), 0)
