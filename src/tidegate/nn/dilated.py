"""Recurrent layers that skip: a step goes on from one several steps before."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError, SpecError
from tidegate.nn import sequences
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.specs import checks

__all__ = ["Dilated", "SkipState"]

SkipState: TypeAlias = Tensor | tuple[Tensor, ...]  # h of a GRU, (h, c) of an LSTM: [layers, batch, dilation, unit]


class Dilated(nn.Module):
    """A recurrent layer whose recurrence skips (Chang et al., 2017, "Dilated recurrent neural networks").

    Step t goes on from the state of step t − dilation instead of that of the step before: a day of hours with a
    ``dilation`` of 24 becomes one step of the recurrence, and a sequence falls into as many chains, steps 0, d, 2d, …,
    steps 1, d + 1, … and so on. The chains lie beside each other in the batch, so that one call of the layer runs all
    of them. Where they are of unequal length, the shorter ones end a step earlier, by ``lengths``: every step and
    every final state is exactly that of the recurrence step by step, from the first step on.

    Parameters
    ----------
    layer
        `nn.LSTM` or `nn.GRU` in torch's own layout, ``batch_first=False``, in which laying chains beside each other
        moves nothing; it returns sequences and states. With several layers all of them skip alike. Its
        ``input_dropout`` and ``recurrent_dropout`` draw one mask a chain.
    dilation
        How many steps before; 1 is the layer itself.

    Raises
    ------
    SpecError
        If ``dilation`` is not a whole number of at least 1, or the layer is of another layout, keeps something to
        itself, or reads backwards.

    Examples
    --------
    >>> layer = Dilated(LSTM(3, 5), dilation=4)
    >>> output, state = layer(torch.randn(2, 10, 3))
    >>> output.shape
    torch.Size([2, 10, 5])
    >>> further, state = layer(torch.randn(2, 1, 3), state)  # step 10, which goes on from step 6
    """

    def __init__(self, layer: LSTM | GRU, dilation: int) -> None:
        super().__init__()
        checks.whole("dilation", dilation)
        _check_layer(layer)
        self.layer = layer
        self.dilation = dilation
        self.input_size = layer.input_size
        self.output_size = layer.proj_size or layer.hidden_size

    def forward(
        self, x: Tensor, state: SkipState | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, SkipState]:
        """Run the layer.

        Parameters
        ----------
        x
            [batch, time, feature].
        state
            What an earlier call returned, to go on where it ended; ``None`` starts from zeros.
        lengths
            Whole numbers [batch], 0 to ``time``: how many steps of each sequence count. Later steps change no state,
            and are 0 in the output.

        Returns
        -------
        output : Tensor
            [batch, time, unit].
        state : Tensor, or a tuple of two
            h (GRU) or h and c (LSTM) of the last ``dilation`` valid steps, in the order of time, [layers, batch,
            dilation, unit]; zeros, or what was handed in, stand for steps before the first.

        Raises
        ------
        ShapeError
            If shapes, dtypes or lengths do not fit.
        """
        if not isinstance(x, Tensor) or x.dim() != 3:
            came = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ShapeError(f"expected [batch, time, {self.input_size}]; got {came}")
        dtype = next(self.layer.parameters()).dtype
        given = sequences.read(x, lengths, batch_first=True, input_size=self.input_size, dtype=dtype)
        before = None if state is None else self._checked(state, given.batch)
        # The other chains have no step; but while compiling, a look at the number of steps would hold the graph to it.
        chains = self.dilation if torch.compiler.is_compiling() else min(self.dilation, max(given.steps, 1))
        output, after = self.layer(
            _interleaved(x, chains),
            None if before is None else self._first(before, chains),
            lengths=_chain_lengths(given.lengths, given.steps, given.batch, chains),
        )
        output = output.unflatten(1, (chains, given.batch)).flatten(0, 1)[: given.steps]  # [time, batch, unit]
        states = (after,) if isinstance(after, Tensor) else after
        carried = tuple(
            self._carried(None if before is None else before[index], final.unflatten(1, (chains, given.batch)), given)
            for index, final in enumerate(states)
        )
        return output.transpose(0, 1), carried[0] if isinstance(after, Tensor) else carried

    def _checked(self, state: SkipState, batch: int) -> tuple[Tensor, ...]:
        units = {"h": self.output_size} | ({"c": self.layer.hidden_size} if isinstance(self.layer, LSTM) else {})
        states = (state,) if isinstance(state, Tensor) else tuple(state)
        shapes = [[self.layer.num_layers, batch, self.dilation, size] for size in units.values()]
        if [list(part.shape) for part in states] != shapes:
            wanted = " and ".join(f"{name} {shape}" for name, shape in zip(units, shapes, strict=True))
            came = ", ".join(str(list(part.shape)) for part in states)
            raise ShapeError(f"expected a state as forward returns it, {wanted}; got {came}")
        return states

    def _first(self, before: tuple[Tensor, ...], chains: int) -> Tensor | tuple[Tensor, ...]:
        """Give the states that the chains go on from, as the layer takes them: [layers, chain · batch, unit]."""
        first = tuple(part[:, :, :chains].transpose(1, 2).flatten(1, 2) for part in before)
        return first if isinstance(self.layer, LSTM) else first[0]

    def _carried(self, before: Tensor | None, final: Tensor, given: sequences.Sequences) -> Tensor:
        """Put the chains' final states [layers, chain, batch, unit] into the order in which steps will ask for them.

        The step after the last one belongs to chain steps mod dilation.
        """
        final = final.transpose(1, 2)  # [layers, batch, chain, unit]
        missing = self.dilation - final.shape[2]
        if missing:  # chains that no step belongs to keep what they had
            layers, batch, _, units = final.shape
            kept = final.new_zeros(layers, batch, missing, units) if before is None else before[:, :, -missing:]
            final = torch.cat([final, kept], dim=2)
        if given.lengths is None:
            return final.roll(self.dilation - given.steps % self.dilation, dims=2)
        turns = torch.arange(self.dilation, device=final.device)
        order = (given.lengths.to(final.device)[:, None] + turns) % self.dilation  # [batch, dilation]
        return final.gather(2, order[None, :, :, None].expand(final.shape))

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"dilation={self.dilation}"


def _check_layer(layer: LSTM | GRU) -> None:
    wanted = {
        "batch_first=False": not layer.batch_first,
        "return_sequences=True": layer.options.return_sequences,
        "return_state=True": layer.options.return_state,
        "stateful=False": not layer.options.stateful,
        "bidirectional=False": not layer.bidirectional,
        "go_backwards=False": not layer.options.go_backwards,
    }
    if missing := [option for option, given in wanted.items() if not given]:
        raise SpecError(f"a layer that is to skip needs {' and '.join(missing)}")


def _interleaved(x: Tensor, chains: int) -> Tensor:
    """Lay the chains of [batch, time, feature] beside each other: [time / chains, chain · batch, feature]."""
    batch, steps, size = x.shape
    x = x.transpose(0, 1)
    rounds = (steps + chains - 1) // chains
    missing = rounds * chains - steps
    if torch.compiler.is_compiling() or missing:
        x = functional.pad(x, (0, 0, 0, 0, 0, missing))
    return x.reshape(rounds, chains * batch, size)


def _chain_lengths(lengths: Tensor | None, steps: int, batch: int, chains: int) -> Tensor | None:
    """Count the valid steps of each chain, [chain · batch]; None where all are full."""
    if lengths is None:
        if not torch.compiler.is_compiling() and steps % chains == 0:
            return None
        lengths = torch.full((batch,), steps, device="cpu")  # where the layer looks at it without waiting
    chain = torch.arange(chains, device=lengths.device)[:, None]
    return ((lengths - chain + chains - 1) // chains).flatten()
