"""A linear-chain conditional random field: what a network says of each step, and what may follow what."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.kernels import crf, dispatch
from tidegate.kernels.autocast import autocast_dtype
from tidegate.kernels.crf_reference import Chain
from tidegate.nn.sequences import read_lengths
from tidegate.specs import checks

__all__ = ["CRF"]


class CRF(nn.Module):
    r"""A linear-chain conditional random field over the labels of a sequence (Lafferty et al., 2001).

    .. math::

        s(y, x) = a_{y_1} + \sum_{t=1}^{n} x_{t, y_t} + \sum_{t=2}^{n} T_{y_{t-1}, y_t} + b_{y_n}, \qquad
        p(y \mid x) = \frac{e^{s(y, x)}}{\sum_{y'} e^{s(y', x)}}

    The emissions :math:`x` are a network's, one score a step and label; the scores of a move from label to label, of a
    start and of an end are parameters. Sums over all paths and the best path come from the recursions of Rabiner
    (1989), at a cost of steps · labels².

    Parameters
    ----------
    labels
        How many labels there are.
    allowed_transitions
        Booleans [from, to]; a move that is not allowed has probability 0: it is never decoded, and its parameter gets a
        gradient of 0. ``None`` allows all of them.
    allowed_start, allowed_end
        Booleans [label]: what a sequence may start and end with.

    Attributes
    ----------
    transitions
        Parameter [from, to]; like the other two uniform in ±0.1 at first.
    start, end
        Parameters [label].

    Raises
    ------
    SpecError
        If there is no label, or nothing is allowed at the start, at the end, or between any two labels.
    ShapeError
        If a mask is of another shape, or not of booleans.

    Notes
    -----
    A sequence of length 0 has one path, the empty one: its log-likelihood is 0, it is decoded to no label with a score
    of 0, and it has no gradients.

    An emission of -inf forbids a label at a step, as a mask does for all steps. Sums are taken in float64 whatever the
    parameters are (on Apple's GPUs in float32); float16 and bfloat16 are answered in float32. On a CPU the
    log-likelihood and all of its gradients come from compiled kernels in one walk forth and back; a second derivative
    runs on plain torch.

    Examples
    --------
    >>> crf = CRF(3, allowed_start=torch.tensor([True, True, False]))
    >>> emissions = torch.tensor([[[0.0, 1.0, 9.0], [2.0, 0.0, 0.0], [0.0, 0.0, 3.0]]])
    >>> paths, scores = crf.decode(emissions)
    >>> paths
    tensor([[1, 0, 2]])
    >>> loss = -crf(emissions, paths).mean()
    >>> loss.backward()
    >>> float(crf.start.grad[2])
    0.0
    """

    def __init__(
        self,
        labels: int,
        *,
        allowed_transitions: Any = None,
        allowed_start: Any = None,
        allowed_end: Any = None,
    ) -> None:
        super().__init__()
        checks.whole("labels", labels)
        self.labels = labels
        self.transitions = nn.Parameter(torch.empty(labels, labels))
        self.start = nn.Parameter(torch.empty(labels))
        self.end = nn.Parameter(torch.empty(labels))
        self._forbid("transitions", allowed_transitions, (labels, labels))
        self._forbid("start", allowed_start, (labels,))
        self._forbid("end", allowed_end, (labels,))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all scores anew, uniform in ±0.1."""
        for scores in (self.transitions, self.start, self.end):
            nn.init.uniform_(scores, -0.1, 0.1)

    def _forbid(self, name: str, allowed: Any, shape: tuple[int, ...]) -> None:
        """Keep a mask the other way round, as a buffer: it is a setting, and not part of the state."""
        forbidden = None
        if allowed is not None:
            mask = torch.as_tensor(allowed)
            if mask.dtype != torch.bool or mask.shape != shape:
                raise ShapeError(
                    f"expected allowed_{name} as booleans of shape {list(shape)}; "
                    f"got {mask.dtype} of shape {list(mask.shape)}"
                )
            if not mask.any() and (name != "transitions" or self.labels > 1):
                raise SpecError(f"allowed_{name} allows nothing at all; at least one entry must be true")
            forbidden = ~mask
        self.register_buffer(f"forbidden_{name}", forbidden, persistent=False)

    def forward(self, emissions: Tensor, tags: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the log-likelihood of the tags, log p(tags | emissions): the higher, the better; at most 0.

        Parameters
        ----------
        emissions
            Scores [batch, time, label], in the dtype of the parameters.
        tags
            int64 [batch, time], from 0 to ``labels`` - 1; what stands in the padding is not looked at.
        lengths
            Whole numbers [batch], from 0 to time: how many steps of each sequence count. ``None``: all of them.

        Returns
        -------
        Tensor
            [batch]. A loss is ``-crf(emissions, tags, lengths=lengths).mean()``.

        Raises
        ------
        ShapeError
            If shape or dtype of an argument are others.
        DataError
            If the tags make a move that is forbidden, or a tag is no label. (Not in a compiled program, which cannot
            look: there the log-likelihood is -inf.)
        """
        chain = self._chain(emissions, lengths)
        if tags.dtype != torch.int64 or tags.shape != emissions.shape[:2]:
            raise ShapeError(
                f"expected tags as int64 of shape {list(emissions.shape[:2])}, one a step; "
                f"got {tags.dtype} of shape {list(tags.shape)}"
            )
        result = crf.log_likelihood(chain, tags)
        if not _all_finite(result):
            self._explain_tags(chain, tags)
        return result

    def decode(self, emissions: Tensor, *, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the path of the highest score for each sequence (Viterbi, 1967); nothing here has a gradient.

        Parameters
        ----------
        emissions, lengths
            As in `forward`.

        Returns
        -------
        paths : Tensor
            int64 [batch, time], 0 past a row's length. Of paths with the same score it is the one whose labels are
            lower, looking from the end.
        scores : Tensor
            [batch]: s(y, x) of the path.

        Raises
        ------
        ShapeError
            If shape or dtype of an argument are others.
        DataError
            If no path of a row's length is allowed, or an emission is NaN or infinite. (Not in a compiled program.)
        """
        chain = self._chain(emissions, lengths)
        paths, scores = crf.decode(chain)
        if not _all_finite(scores):
            _explain_paths(chain, scores)
        return paths, scores

    def marginals(self, emissions: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Give the probability of each label at each step, p(y_t = label | emissions).

        Parameters
        ----------
        emissions, lengths
            As in `forward`.

        Returns
        -------
        Tensor
            [batch, time, label]; a step sums to 1, in the padding to 0. Where a gradient is asked for it runs on plain
            torch, which is slower.

        Raises
        ------
        ShapeError, DataError
            As in `decode`.
        """
        chain = self._chain(emissions, lengths)
        probabilities, log_partition = crf.marginals(chain)
        if not _all_finite(log_partition):
            _explain_paths(chain, log_partition)
        return probabilities

    def _chain(self, emissions: Tensor, lengths: Tensor | None) -> Chain:
        """Check what came, and put it beside the parameters; what is forbidden has a score of -inf."""
        if emissions.dim() != 3 or emissions.shape[2] != self.labels:
            raise ShapeError(
                f"expected emissions of shape [batch, time, {self.labels}]; got shape {list(emissions.shape)}"
            )
        dtype = self.transitions.dtype
        if autocast_dtype(emissions) is not None:
            emissions = emissions.to(dtype)
        if emissions.dtype != dtype:
            raise ShapeError(
                f"expected emissions of the parameters' dtype, {dtype}; got {emissions.dtype}: convert one of them"
            )
        if lengths is not None:
            lengths, _ = read_lengths(lengths, emissions.shape[0], emissions.shape[1])
            lengths = None if lengths is None else lengths.to(emissions.device)
        scores = [
            getattr(self, name) if mask is None else getattr(self, name).masked_fill(mask, -math.inf)
            for name, mask in self._masks()
        ]
        if dtype not in (torch.float32, torch.float64):
            emissions, *scores = (tensor.float() for tensor in (emissions, *scores))
        return Chain(emissions, lengths, *scores)

    def _masks(self) -> list[tuple[str, Tensor | None]]:
        return [(name, getattr(self, f"forbidden_{name}")) for name in ("transitions", "start", "end")]

    def _explain_tags(self, chain: Chain, tags: Tensor) -> None:
        """Raise for the first tag that is no label, or the first move that is forbidden; return if there is none."""
        inside, last = chain.inside(), chain.last()
        _hold(inside & ((tags < 0) | (tags >= self.labels)), tags, f"expected tags from 0 to {self.labels - 1}; got ")
        path = tags.masked_fill(~inside, 0)
        masks = dict(self._masks())
        steps = torch.arange(tags.shape[1], device=tags.device)
        if (start := masks["start"]) is not None:
            _hold(start[path] & inside & (steps == 0), tags, "no sequence may start with tag ")
        if (end := masks["end"]) is not None:
            _hold(end[path] & (steps == last.unsqueeze(1)), tags, "no sequence may end with tag ")
        if (moves := masks["transitions"]) is None or tags.shape[1] < 2:
            return
        wrong = torch.zeros_like(inside)
        wrong[:, 1:] = moves[path[:, :-1], path[:, 1:]] & inside[:, 1:]
        if place := _first(wrong):
            row, step = place
            before, tag = tags[row, step - 1 : step + 1].tolist()
            raise DataError(
                f"the move from tag {before} to tag {tag} is forbidden, but made in row {row} from step {step - 1} to "
                f"step {step}; mend the tags, or allow it"
            )

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        counts = [(name, int(mask.sum())) for name, mask in self._masks() if mask is not None and not mask.is_meta]
        return ", ".join([str(self.labels), *(f"{count} forbidden in {name}" for name, count in counts)])


def _all_finite(values: Tensor) -> bool:
    """Say whether all is well; in a compiled program or on the meta device there is nothing to look at."""
    if torch.compiler.is_compiling() or values.is_meta or dispatch.transformed():
        return True
    return math.isfinite(values.detach().sum().item())


def _first(wrong: Tensor) -> tuple[int, int] | None:
    """Give row and step of the first true entry of [batch, time]."""
    places = wrong.nonzero()
    if len(places) == 0:
        return None
    row, step = places[0].tolist()
    return row, step


def _hold(wrong: Tensor, tags: Tensor, words: str) -> None:
    if place := _first(wrong):
        row, step = place
        raise DataError(f"{words}{int(tags[row, step])} in row {row}, step {step}")


def _explain_paths(chain: Chain, scores: Tensor) -> None:
    """Raise for the first row that has no path of a finite score."""
    foreign = chain.emissions.isnan() | (chain.emissions == math.inf)
    if place := _first(foreign.any(2) & chain.inside()):
        row, step = place
        label = int(foreign[row, step].nonzero()[0])
        came = float(chain.emissions[row, step, label])
        raise DataError(f"expected finite emissions; got {came} in row {row}, step {step}, label {label}")
    for row in scores.eq(-math.inf).nonzero().flatten().tolist()[:1]:
        steps = int(chain.last()[row]) + 1
        raise DataError(
            f"no path of {steps} steps is allowed: row {row} cannot be labelled; allow more, or leave it out"
        )
