"""A network that says one thing of a whole sequence."""

from __future__ import annotations

from torch import Tensor, nn

from tidegate.errors import SpecError
from tidegate.nn.network import Network
from tidegate.nn.pooling import Pooling
from tidegate.specs import checks

__all__ = ["PooledNetwork"]


class PooledNetwork(nn.Module):
    """Parts that read a sequence, pooling over its steps, and a linear map to the outputs.

    Parameters
    ----------
    network
        What `build_network` gives.
    pooling
        As wide as the network's output.
    outputs
        Numbers a sequence: the logits of classes, or what is regressed.
    dropout
        Probability of zeroing an element of the network's output, and of the pooled vector.

    Raises
    ------
    SpecError
        If pooling and network differ in width, or an option is out of its range.

    Examples
    --------
    >>> import torch
    >>> from tidegate.nn import build_network
    >>> from tidegate.specs import Recurrent
    >>> network = build_network(Recurrent(hidden_size=8, bidirectional=True), input_size=3)
    >>> classifier = PooledNetwork(network, Pooling(16, "attention"), outputs=4)
    >>> classifier(torch.randn(2, 7, 3), lengths=torch.tensor([7, 5])).shape
    torch.Size([2, 4])
    """

    def __init__(self, network: Network, pooling: Pooling, outputs: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        checks.whole("outputs", outputs)
        checks.probability("dropout", dropout)
        if pooling.size != network.output_size:
            raise SpecError(f"pooling takes {pooling.size} features, the network gives {network.output_size}")
        self.network, self.pooling = network, pooling
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(pooling.output_size, outputs)

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the outputs [batch, outputs] of sequences [batch, time, feature] of ``lengths`` [batch]."""
        steps, _ = self.network(x, lengths=lengths)
        pooled = self.pooling(self.dropout(steps), lengths=lengths)
        outputs: Tensor = self.output(self.dropout(pooled))
        return outputs

    def weights(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the weight of each step, [batch, time]; see `Pooling.weights`. Raises `UnsupportedError`."""
        steps, _ = self.network(x, lengths=lengths)
        return self.pooling.weights(steps, lengths=lengths)
