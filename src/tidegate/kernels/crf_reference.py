"""The oracle of the operators for linear-chain conditional random fields: in torch, all rows at once.

The recursions are those of hidden Markov models (Rabiner, 1989) on scores instead of probabilities, in logarithms and
in float64. A score of -inf is a probability of exactly 0. Everything here is plain torch and can be differentiated any
number of times; what lies past a row's length is never looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Chain", "decode", "expectations", "log_likelihood", "marginals"]


class Chain(NamedTuple):
    """The scores of a batch of sequences, as the operators take them."""

    emissions: Tensor  # [batch, time, label]
    lengths: Tensor | None  # int64 [batch], from 0 to time; None: every step counts
    transitions: Tensor  # [from, to]
    start: Tensor  # [label]
    end: Tensor  # [label]

    def widened(self) -> Chain:
        """Give the scores in float64 (float32 on a device that has no wider one), with zeros for what is padding."""
        dtype = torch.float32 if self.emissions.device.type == "mps" else torch.float64
        inside = self.inside().unsqueeze(2)
        return Chain(
            self.emissions.masked_fill(~inside, 0).to(dtype),
            self.lengths,
            *(scores.to(dtype) for scores in (self.transitions, self.start, self.end)),
        )

    def inside(self) -> Tensor:
        """Say which steps count: booleans [batch, time]."""
        batch, time = self.emissions.shape[:2]
        steps = torch.arange(time, device=self.emissions.device)
        if self.lengths is None:
            return steps.new_ones((batch, time), dtype=torch.bool)
        return steps < self.lengths.unsqueeze(1)

    def last(self) -> Tensor:
        """Give the last step of each row, int64 [batch]; -1 for a row of length 0."""
        batch, time = self.emissions.shape[:2]
        if self.lengths is None:
            return torch.full((batch,), time - 1, device=self.emissions.device)
        return self.lengths - 1


def _logsumexp(values: Tensor, dim: int) -> Tensor:
    """Sum exponentials; where all values are -inf, give -inf and a gradient of 0, not NaN."""
    highest = values.detach().amax(dim, keepdim=True)
    highest = highest.masked_fill(highest == -torch.inf, 0)
    total = (values - highest).exp().sum(dim)
    nothing = total == 0
    return total.masked_fill(nothing, 1).log().masked_fill(nothing, -torch.inf) + highest.squeeze(dim)


def _forward(chain: Chain) -> list[Tensor]:
    """Give α_t(j), the log of the sum over all paths to label j at step t: one [batch, label] a step."""
    inside, emissions = chain.inside(), chain.emissions
    alphas: list[Tensor] = []
    for step in range(emissions.shape[1]):
        if step == 0:
            alphas.append(chain.start + emissions[:, 0])
            continue
        before = alphas[-1]
        alpha = _logsumexp(before.unsqueeze(2) + chain.transitions, 1) + emissions[:, step]
        alphas.append(torch.where(inside[:, step].unsqueeze(1), alpha, before))
    return alphas


def _backward(chain: Chain) -> list[Tensor]:
    """Give β_t(i), the log of the sum over all that can follow label i at step t: one [batch, label] a step."""
    emissions = chain.emissions
    batch, time, labels = emissions.shape
    beta = chain.end.expand(batch, labels)
    betas = [beta]
    for step in range(time - 2, -1, -1):
        follows = _logsumexp(chain.transitions + (emissions[:, step + 1] + beta).unsqueeze(1), 2)
        beta = torch.where((step < chain.last()).unsqueeze(1), follows, chain.end)
        betas.append(beta)
    return betas[::-1]


def _log_partition(chain: Chain, alphas: list[Tensor]) -> Tensor:
    """Give the log of the sum over all paths, [batch]; 0 for a row of length 0, whose only path is the empty one."""
    if not alphas:
        return chain.emissions.sum((1, 2))
    return _logsumexp(alphas[-1] + chain.end, 1).masked_fill(chain.last() < 0, 0)


def _known(chain: Chain, tags: Tensor) -> tuple[Tensor, Tensor]:
    """Give the tags with 0 for padding and for labels that there are not; and where the latter stand."""
    inside = chain.inside()
    foreign = inside & ((tags < 0) | (tags >= chain.emissions.shape[2]))
    return tags.masked_fill(~inside | foreign, 0), foreign


def _score(chain: Chain, tags: Tensor) -> Tensor:
    """Give the score of the path ``tags``, [batch]: -inf where it has a label that there is not."""
    inside = chain.inside()
    path, foreign = _known(chain, tags)
    score = chain.emissions.gather(2, path.unsqueeze(2)).squeeze(2).masked_fill(~inside, 0).sum(1)
    if path.shape[1] == 0:
        return score
    moved = chain.transitions[path[:, :-1], path[:, 1:]].masked_fill(~inside[:, 1:], 0).sum(1)
    final = path.gather(1, chain.last().clamp(min=0).unsqueeze(1)).squeeze(1)
    ends = (chain.start[path[:, 0]] + chain.end[final]).masked_fill(chain.last() < 0, 0)
    return (score + moved + ends).masked_fill(foreign.any(1), -torch.inf)


def log_likelihood(chain: Chain, tags: Tensor) -> Tensor:
    """Give log p(tags | emissions), [batch], in the dtype of the emissions.

    A tag that is no label has probability 0: -inf. So has a path with a score of -inf on it.
    """
    wide = chain.widened()
    result = _score(wide, tags) - _log_partition(wide, _forward(wide))
    return result.to(chain.emissions.dtype)


def marginals(chain: Chain) -> tuple[Tensor, Tensor]:
    """Give p(label at step | emissions), [batch, time, label], 0 in the padding; and log Z, [batch].

    All marginals of a row that no path leads through (log Z = -inf) are 0.
    """
    wide = chain.widened()
    alphas = _forward(wide)
    total = _log_partition(wide, alphas)
    probabilities = _probabilities(wide, alphas, _backward(wide), total)
    return probabilities.to(chain.emissions.dtype), total.to(chain.emissions.dtype)


def _probabilities(chain: Chain, alphas: list[Tensor], betas: list[Tensor], total: Tensor) -> Tensor:
    if not alphas:
        return chain.emissions
    logs = torch.stack(alphas, 1) + torch.stack(betas, 1) - _subtracted(total)
    return logs.masked_fill(~chain.inside().unsqueeze(2), -torch.inf).exp()  # not after exp, which may overflow there


def _subtracted(total: Tensor) -> Tensor:
    return total.masked_fill(total == -torch.inf, 0)[:, None, None]  # -inf - -inf would be NaN


def expectations(chain: Chain, tags: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give the log-likelihood and its gradients, row by row.

    Returns
    -------
    log_likelihood
        [batch].
    unary
        Its gradient by the emissions, [batch, time, label]: 1 for the given tag, less its probability.
    pairs
        Its gradient by the transitions, [batch, from, to]: how often the tags make the move, less how often it is
        expected.
    """
    wide = chain.widened()
    alphas, betas = _forward(wide), _backward(wide)
    total = _log_partition(wide, alphas)
    path, foreign = _known(wide, tags)
    labels, dtype = wide.emissions.shape[2], chain.emissions.dtype
    counted = wide.inside() & ~foreign
    given = torch.nn.functional.one_hot(path, labels).to(wide.emissions.dtype) * counted.unsqueeze(2)
    unary = given - _probabilities(wide, alphas, betas, total)
    pairs = (given[:, :-1].mT @ given[:, 1:]) if alphas else given.new_zeros(len(given), labels, labels)
    inside = wide.inside()
    for step in range(1, len(alphas)):
        onward = wide.emissions[:, step] + betas[step]
        logs = alphas[step - 1].unsqueeze(2) + wide.transitions + onward.unsqueeze(1) - _subtracted(total)
        pairs = pairs - logs.masked_fill(~inside[:, step, None, None], -torch.inf).exp()
    result = _score(wide, tags) - total
    return result.to(dtype), unary.to(dtype), pairs.to(dtype)


def decode(chain: Chain) -> tuple[Tensor, Tensor]:
    """Find the path of the highest score (Viterbi, 1967).

    Returns
    -------
    paths
        int64 [batch, time], 0 past a row's length; of paths with equal scores the one with the lower label, looking
        from the end.
    scores
        [batch]; -inf where no path is allowed, 0 for a row of length 0, NaN where an emission is.
    """
    wide = chain.widened()
    batch, time, _ = wide.emissions.shape
    paths = torch.zeros((batch, time), dtype=torch.int64, device=wide.emissions.device)
    if time == 0:
        return paths, chain.emissions.sum((1, 2))
    inside, best = wide.inside(), wide.start + wide.emissions[:, 0]
    pointers = []
    for step in range(1, time):
        highest, pointer = (best.unsqueeze(2) + wide.transitions).max(1)
        pointers.append(pointer)
        best = torch.where(inside[:, step].unsqueeze(1), highest + wide.emissions[:, step], best)
    scores, label = (best + wide.end).max(1)
    for step in range(time - 1, -1, -1):
        paths[:, step] = label.masked_fill(~inside[:, step], 0)
        if step:
            came = pointers[step - 1].gather(1, label.unsqueeze(1)).squeeze(1)
            label = torch.where(inside[:, step], came, label)
    unknown = wide.emissions.isnan().any(2).any(1)
    scores = scores.masked_fill(unknown, torch.nan).masked_fill(wide.last() < 0, 0)
    return paths, scores.to(chain.emissions.dtype)
