"""Self-attention: a block of a Transformer's encoder."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.masks import valid_steps
from tidegate.specs import checks

__all__ = ["SelfAttention"]


class SelfAttention(nn.Module):
    r"""A block of a Transformer's encoder (Vaswani et al., 2017), each norm before its branch (Xiong et al., 2020).

    .. math::
        y &= x + \operatorname{attention}(\operatorname{norm}(x)) \\
        z &= y + W_2 \operatorname{gelu}(W_1 \operatorname{norm}(y) + b_1) + b_2

    with scaled dot products in several heads, each over a share of the features. It is
    `torch.nn.TransformerEncoderLayer` with ``norm_first=True``, less the biases of queries, keys and values, whose
    part the shift of the norm plays.

    Nothing in the block tells steps apart by their place: what it reads has to, as the output of a recurrent layer or
    a convolution does.

    Parameters
    ----------
    size
        Features of input and output.
    heads
        How many attentions stand side by side; it must divide ``size``.
    feed_forward
        Units between the two linear layers of the second branch; ``None`` is 4 · ``size``.
    dropout
        Probability of dropping a weight of the attention, a unit of the feed-forward branch, and an element of what
        either branch adds.
    causal
        Let a step attend to itself and those before it only; otherwise to all.

    Raises
    ------
    SpecError
        If an option cannot be, by name.

    Notes
    -----
    torch's fused attention has no second derivative.

    Examples
    --------
    >>> import torch
    >>> block = SelfAttention(8, heads=2)
    >>> block(torch.randn(2, 5, 8), lengths=torch.tensor([5, 3])).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        size: int,
        heads: int = 4,
        *,
        feed_forward: int | None = None,
        dropout: float = 0.1,
        causal: bool = True,
    ) -> None:
        super().__init__()
        checks.whole("size", size)
        checks.whole("heads", heads)
        if size % heads:
            raise SpecError(
                f"heads must divide the features that they share; got {heads} heads for {size} features: "
                "take another number of heads, or of features in the part before"
            )
        if feed_forward is not None:
            checks.whole("feed_forward", feed_forward)
        checks.probability("dropout", dropout)
        checks.flag("causal", causal)
        hidden = 4 * size if feed_forward is None else feed_forward
        self.input_size = self.output_size = size
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.projection = nn.Linear(size, 3 * size, bias=False)  # queries, keys, values
        self.merge = nn.Linear(size, size)
        self.widen, self.narrow = nn.Linear(size, hidden), nn.Linear(hidden, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Attend, and pass on.

        Parameters
        ----------
        x
            [batch, time, feature].
        lengths
            Whole numbers [batch]: how many steps of each sequence count. Later steps reach nothing, and are 0 in the
            output.

        Returns
        -------
        Tensor
            [batch, time, feature].

        Raises
        ------
        ShapeError
            If ``x`` or ``lengths`` is not of the shape or dtype above.
        """
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            raise ShapeError(f"expected [batch, time, {self.input_size}]; got {list(x.shape)}")
        if lengths is None:
            return self._passed_on(x, None)
        valid = valid_steps(lengths, x)[:, :, None]  # [batch, time, 1]
        zero = x.new_zeros(())
        return self._passed_on(x.where(valid, zero), lengths).where(valid, zero)

    def _passed_on(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        x = x + self.dropout(self.merge(self._attended(self.norm1(x), lengths)))
        hidden = self.dropout(functional.gelu(self.widen(self.norm2(x))))
        passed_on: Tensor = x + self.dropout(self.narrow(hidden))
        return passed_on

    def _attended(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        parts = self.projection(x).unflatten(-1, (3, self.heads, -1))  # [batch, time, 3, head, feature / heads]
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # [batch, head, time, feature / heads] each
        mask = None
        if lengths is not None and not self.causal:  # no valid step comes after padding: causal, it sees none
            # A sequence without any step attends to its first, which is 0 by now: to nothing at all would be 0/0.
            mask = valid_steps(lengths.clamp(min=1), x)[:, None, None]  # [batch, 1, 1, time]
        attended = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            dropout_p=self.dropout.p if self.training else 0.0,
            is_causal=self.causal,
        )
        return attended.transpose(1, 2).flatten(2)  # [batch, time, feature]

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"{self.input_size}, heads={self.heads}, causal={self.causal}"
