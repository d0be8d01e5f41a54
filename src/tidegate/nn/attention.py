"""Attention over the steps of a sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError, SpecError
from tidegate.nn.masks import valid_steps
from tidegate.specs import checks

__all__ = ["SCORES", "Attention"]

SCORES = ("scaled_dot_product", "additive")


class Attention(nn.Module):
    r"""A weighted mean of the steps of a sequence, weighted by how well each step's key answers a query.

    .. math:: c_i = \sum_t w_{it} v_t, \qquad w_i = \operatorname{softmax}_t(e_{it})

    with the energies :math:`e_{it}` of one of two scores:

    - ``"scaled_dot_product"`` (Vaswani et al., 2017, "Attention is all you need"): :math:`q_i \cdot k_t / \sqrt{d}`,
      of the queries and keys as they are, or, with ``hidden_size``, of linear projections of both;
    - ``"additive"`` (Bahdanau et al., 2015, "Neural machine translation by jointly learning to align and
      translate"): :math:`a \cdot \tanh(W_q q_i + W_k k_t + b)`.

    The values themselves are never projected, so that the result stays a mean of what is attended to.

    Without a ``query_size`` the module pools: the query is a learned parameter and the result one vector a
    sequence, the "attention layer" that tutorials put between a recurrent encoder and a head. (Additive pooling
    needs no query at all: it would be one more constant beside the bias; Raffel & Ellis, 2016.)

    Parameters
    ----------
    size
        Features of the keys.
    query_size
        Features of the queries; ``None`` to pool.
    score
        One of `SCORES`.
    hidden_size
        Features of the space in which queries and keys are compared. ``None`` compares them as they are for
        ``"scaled_dot_product"`` (``query_size`` must then equal ``size``), and is ``size`` for ``"additive"``.
    dropout
        Probability of dropping a weight in training; the others are scaled by 1/(1 − dropout).

    Raises
    ------
    SpecError
        If an option cannot be, by name.

    Examples
    --------
    Pooling the outputs of an encoder, and looking at what it attended to:

    >>> pool = Attention(8, score="additive")
    >>> outputs = torch.randn(2, 5, 8)
    >>> pool(outputs).shape
    torch.Size([2, 8])
    >>> pooled, weights = pool(outputs, lengths=torch.tensor([5, 3]), return_weights=True)
    >>> weights.shape, weights[1, 3:]
    (torch.Size([2, 5]), tensor([0., 0.], grad_fn=<SliceBackward0>))

    A decoder's state that asks an encoder of another size:

    >>> align = Attention(8, query_size=6, score="additive", hidden_size=10)
    >>> align(outputs, torch.randn(2, 6)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        size: int,
        query_size: int | None = None,
        *,
        score: str = "scaled_dot_product",
        hidden_size: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        checks.one_of("score", score, SCORES)
        checks.probability("dropout", dropout)
        checks.whole("size", size)
        for name, given in (("query_size", query_size), ("hidden_size", hidden_size)):
            if given is not None:
                checks.whole(name, given)
        self.size, self.query_size, self.dropout = size, query_size, dropout
        self.score: _Additive | _DotProduct
        if score == "additive":
            self.score = _Additive(size, query_size, hidden_size or size)
        else:
            self.score = _DotProduct(size, query_size, hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew: Glorot & Bengio's (2010) uniform, biases 0."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(
        self,
        values: Tensor,
        query: Tensor | None = None,
        *,
        keys: Tensor | None = None,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attend.

        Parameters
        ----------
        values
            What is averaged [batch, time, feature]: an encoder's outputs. They come first so that a module that
            pools can stand in `torch.nn.Sequential`.
        query
            What is asked [batch, query_time, query_size], or one query a sequence [batch, query_size]. Given
            exactly when the module has a ``query_size``.
        keys
            What the query is compared with [batch, time, size]; ``None`` for the values themselves.
        lengths
            Whole numbers [batch]: how many steps of ``values`` count; the others get no weight.
        mask
            Booleans [batch, time] or [batch, query_time, time], true where a query may attend; combined with
            ``lengths`` if both are given. A causal mask is of the second form.
        return_weights
            Return the weights too.

        Returns
        -------
        output : Tensor
            [batch, query_time, feature]; [batch, feature] for one query a sequence and when pooling. Zeros where
            a query may attend to nothing.
        weights : Tensor
            Only with ``return_weights``: [batch, query_time, time] (or [batch, time]), before dropout. They sum to
            1 over time, or are all 0 where a query may attend to nothing.

        Raises
        ------
        ShapeError
            If a tensor is not of the shape or dtype above.

        Notes
        -----
        The dot product runs on torch's fused attention when no weights are asked for. That has no second
        derivative; with ``return_weights=True`` there is one.
        """
        keys = values if keys is None else keys
        self._check_shapes(values, query, keys)
        one = query is None or query.dim() == 2
        queries = query[:, None] if query is not None and one else query  # [batch, query_time, query_size]
        allowed = _allowed(keys, 1 if queries is None else queries.shape[1], lengths, mask)
        dropout = self.dropout if self.training else 0.0
        if isinstance(self.score, _DotProduct) and not return_weights:
            output = _fused(*self.score.compared(queries, keys), values, allowed, dropout)
            return output[:, 0] if one else output
        weights = _softmax(self.score(queries, keys), allowed)  # [batch, query_time, time]
        output = functional.dropout(weights, dropout) @ values  # [batch, query_time, feature]
        if one:
            output, weights = output[:, 0], weights[:, 0]
        return (output, weights) if return_weights else output

    def _check_shapes(self, values: Tensor, query: Tensor | None, keys: Tensor) -> None:
        if values.dim() != 3 or keys.dim() != 3 or keys.shape != (*values.shape[:2], self.size):
            what = "values and keys" if keys is not values else "values, which are also the keys,"
            raise ShapeError(
                f"expected {what} of shape [batch, time, feature] with {self.size} features in the keys; "
                f"got values {list(values.shape)}, keys {list(keys.shape)}"
            )
        if self.query_size is None:
            if query is not None:
                raise ShapeError("this attention pools with a query of its own; give it a query_size to take yours")
            return
        if query is None:
            raise ShapeError(f"expected a query of {self.query_size} features; leave query_size out to pool without")
        if query.dim() not in (2, 3) or (query.shape[0], query.shape[-1]) != (values.shape[0], self.query_size):
            raise ShapeError(
                f"expected a query of shape [{values.shape[0]}, query_time, {self.query_size}] or "
                f"[{values.shape[0]}, {self.query_size}]; got {list(query.shape)}"
            )

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"{self.size}, query_size={self.query_size}, dropout={self.dropout}"


class _Additive(nn.Module):
    """Energies a·tanh(W_q q + W_k k + b)."""

    def __init__(self, size: int, query_size: int | None, hidden_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(size, hidden_size)
        self.query = None if query_size is None else nn.Linear(query_size, hidden_size, bias=False)
        self.energy = nn.Linear(hidden_size, 1, bias=False)

    def forward(self, queries: Tensor | None, keys: Tensor) -> Tensor:
        summed = self.key(keys)[:, None]  # [batch, 1, time, hidden]
        if self.query is not None:
            summed = summed + self.query(queries)[:, :, None]  # [batch, query_time, time, hidden]
        energies: Tensor = self.energy(summed.tanh())
        return energies.squeeze(-1)  # [batch, query_time, time]


class _DotProduct(nn.Module):
    """Energies q·k / √d, with or without projections of q and k; a query of its own if it is given none."""

    def __init__(self, size: int, query_size: int | None, hidden_size: int | None) -> None:
        super().__init__()
        if hidden_size is None and query_size not in (None, size):
            raise SpecError(
                f"queries of {query_size} features cannot be multiplied with keys of {size}; "
                "give a hidden_size to project both to, or score='additive'"
            )
        self.key = None if hidden_size is None else nn.Linear(size, hidden_size, bias=False)
        self.query: nn.Linear | nn.Parameter | None = None
        if query_size is None:
            self.query = nn.Parameter(torch.empty(1, hidden_size or size))
        elif hidden_size is not None:
            self.query = nn.Linear(query_size, hidden_size, bias=False)

    def compared(self, queries: Tensor | None, keys: Tensor) -> tuple[Tensor, Tensor]:
        if self.key is not None:
            keys = self.key(keys)
        if isinstance(self.query, nn.Linear):
            queries = self.query(queries)
        elif self.query is not None:
            queries = self.query.expand(keys.shape[0], 1, -1)
        assert queries is not None  # the module has a query of its own, or was given some
        return queries, keys  # [batch, query_time, hidden], [batch, time, hidden]

    def forward(self, queries: Tensor | None, keys: Tensor) -> Tensor:
        queries, keys = self.compared(queries, keys)
        return queries @ keys.mT / math.sqrt(keys.shape[-1])  # [batch, query_time, time]


def _allowed(keys: Tensor, query_time: int, lengths: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Combine the ways to say where a query may attend: booleans [batch, 1 or query_time, time]."""
    batch, time, _ = keys.shape
    allowed = None if lengths is None else valid_steps(lengths, keys)[:, None]
    if mask is None:
        return allowed
    if mask.dtype != torch.bool or mask.shape not in ((batch, time), (batch, query_time, time)):
        raise ShapeError(
            f"expected a mask of booleans, of shape [{batch}, {time}] or [{batch}, {query_time}, {time}]; "
            f"got {mask.dtype} of shape {list(mask.shape)}"
        )
    mask = mask[:, None] if mask.dim() == 2 else mask
    return mask if allowed is None else mask & allowed


def _softmax(energies: Tensor, allowed: Tensor | None) -> Tensor:
    if allowed is None:
        return energies.softmax(-1)
    # A row without any step would be 0/0, in the gradient too: let it see all steps, then take its weights away.
    opened = allowed | ~allowed.any(-1, keepdim=True)
    return energies.masked_fill(~opened, -math.inf).softmax(-1) * allowed


def _fused(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None, dropout: float) -> Tensor:
    """Do all at once; the dimension of one head is what torch's faster implementations ask for."""
    some = None if allowed is None else allowed.any(-1, keepdim=True)  # [batch, 1 or query_time, 1]
    opened = None if allowed is None or some is None else (allowed | ~some)[:, None]
    output = functional.scaled_dot_product_attention(
        queries[:, None], keys[:, None], values[:, None], attn_mask=opened, dropout_p=dropout
    )[:, 0]
    return output if some is None else output.where(some, output.new_zeros(()))
