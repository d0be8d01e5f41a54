"""How fast the linear-chain CRF is beside a loop in torch, the usual way to write one: every row in one command.

    .venv/bin/python benchmarks/crf.py [--only gradients decode] [--runs 5] [--threads 2] [--quick]

The peer sums over paths by logsumexp over [batch, from, to] at every step, and leaves the gradients to autograd; its
Viterbi takes the maximum over the same, and follows the pointers back, all rows at once. Both give the same numbers,
which is checked before anything is measured. Each figure is a ratio of speeds, above 1 where Tidegate is faster: the
median of the ratios of single turns, behind it the least and the greatest. Let nothing else run on the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable

import torch
from torch import Tensor

from tidegate import nn
from tidegate.kernels import crf, native
from tidegate.kernels.bench import Contender, Pace, interleaved, repeating, require_agreement


@dataclasses.dataclass(frozen=True)
class Sizes:
    """A batch of sequences; `ragged` gives them lengths from one step to all."""

    batch: int
    time: int
    labels: int
    ragged: bool = False

    def __str__(self) -> str:
        """Say it for the table."""
        return f"batch {self.batch}, {self.time} steps, {self.labels} labels" + (", ragged" if self.ragged else "")

    def draw(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw emissions, tags and lengths."""
        generator = torch.Generator().manual_seed(0)
        emissions = torch.randn(self.batch, self.time, self.labels, generator=generator)
        tags = torch.randint(self.labels, (self.batch, self.time), generator=generator)
        lengths = torch.randint(1, self.time + 1, (self.batch,), generator=generator) if self.ragged else None
        return emissions, tags, lengths


SIZES = (Sizes(32, 50, 20), Sizes(32, 50, 20, ragged=True), Sizes(32, 50, 9), Sizes(8, 20, 20), Sizes(64, 100, 50))


class Loop:
    """The same conditional random field as a plain loop over the steps."""

    def __init__(self, layer: nn.CRF) -> None:
        self.transitions, self.start, self.end = layer.transitions, layer.start, layer.end

    def log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None) -> Tensor:
        """Give log p(tags | emissions), [batch]."""
        batch, time, _ = emissions.shape
        if lengths is None:
            lengths = torch.full((batch,), time)
        inside = torch.arange(time) < lengths[:, None]
        alpha = self.start + emissions[:, 0]
        for step in range(1, time):
            after = torch.logsumexp(alpha.unsqueeze(2) + self.transitions, dim=1) + emissions[:, step]
            alpha = torch.where(inside[:, step, None], after, alpha)
        last = tags.gather(1, lengths[:, None] - 1).squeeze(1)
        score = (emissions.gather(2, tags.unsqueeze(2)).squeeze(2) * inside).sum(1) + self.start[tags[:, 0]]
        score = score + (self.transitions[tags[:, :-1], tags[:, 1:]] * inside[:, 1:]).sum(1) + self.end[last]
        return score - torch.logsumexp(alpha + self.end, dim=1)

    def decode(self, emissions: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Give the best paths and their scores."""
        batch, time, _ = emissions.shape
        if lengths is None:
            lengths = torch.full((batch,), time)
        inside = torch.arange(time) < lengths[:, None]
        best, pointers = self.start + emissions[:, 0], []
        for step in range(1, time):
            highest, pointer = (best.unsqueeze(2) + self.transitions).max(dim=1)
            best = torch.where(inside[:, step, None], highest + emissions[:, step], best)
            pointers.append(pointer)
        scores, label = (best + self.end).max(dim=1)
        path = [label]
        for step in range(time - 1, 0, -1):
            came = pointers[step - 1].gather(1, label.unsqueeze(1)).squeeze(1)
            label = torch.where(inside[:, step], came, label)
            path.append(label)
        return torch.stack(path[::-1], dim=1) * inside, scores


Pair = tuple[Contender, Contender]  # Tidegate's and the loop's


def gradients(layer: nn.CRF, sizes: Sizes) -> Pair:
    """Measure the loss and its gradients by emissions and parameters."""
    emissions, tags, lengths = sizes.draw()
    wanted = [emissions.requires_grad_(), *layer.parameters()]
    loop = Loop(layer)
    calls: tuple[Callable[[], Tensor], ...] = (
        lambda: layer(emissions, tags, lengths=lengths),
        lambda: loop.log_likelihood(emissions, tags, lengths),
    )
    found = [torch.autograd.grad(call().mean(), wanted) for call in calls]
    require_agreement(calls[0](), calls[1](), tolerance=1e-3, what="log-likelihood")
    for ours, theirs in zip(*found, strict=True):
        require_agreement(ours, theirs, tolerance=1e-4, what="a gradient")

    def differentiated(call: Callable[[], Tensor]) -> Contender:
        return repeating(lambda: torch.autograd.grad(-call().mean(), wanted))

    return differentiated(calls[0]), differentiated(calls[1])


def decode(layer: nn.CRF, sizes: Sizes) -> Pair:
    """Measure the best paths."""
    emissions, _, lengths = sizes.draw()
    loop = Loop(layer)
    with torch.no_grad():
        ours, theirs = layer.decode(emissions, lengths=lengths), loop.decode(emissions, lengths)
    require_agreement(ours[0], theirs[0], tolerance=0, what="paths")
    require_agreement(ours[1], theirs[1], tolerance=1e-3, what="scores")

    def without_gradients(call: Callable[[], object]) -> Contender:
        repeat = repeating(call)

        def run(times: int) -> float:
            with torch.no_grad():
                return repeat(times)

        return run

    return (
        without_gradients(lambda: layer.decode(emissions, lengths=lengths)),
        without_gradients(lambda: loop.decode(emissions, lengths)),
    )


KINDS: dict[str, tuple[str, Callable[[nn.CRF, Sizes], Pair]]] = {
    "gradients": ("loss and gradients", gradients),
    "decode": ("Viterbi", decode),
}


def measured(kind: str, sizes: Sizes, pace: Pace) -> str:
    """Measure one row of the table."""
    torch.manual_seed(0)
    what, contenders = KINDS[kind]
    ours, theirs = contenders(nn.CRF(sizes.labels), sizes)
    timing = interleaved({"tidegate": ours, "loop": theirs}, pace)
    ratio = timing.ratio("loop", "tidegate")
    microseconds = [f"{1e6 * timing.median(name):.0f}" for name in ("tidegate", "loop")]
    return (
        f"| {what} | {sizes} | {ratio.median:.1f} ({ratio.lowest:.1f}–{ratio.highest:.1f}) | "
        f"{microseconds[0]} | {microseconds[1]} |"
    )


def main() -> None:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), help="rows to measure")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs; at least 5 for what is published")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of both contenders")
    parser.add_argument("--quick", action="store_true", help="two short runs: to see whether all of it works")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    pace = Pace(runs=2, least_seconds=0.005) if given.quick else Pace(runs=given.runs)
    kernels = native.instruction_set() if crf.COMPILED else "missing"
    print(f"torch {torch.__version__}, {given.threads} threads, compiled kernels: {kernels}")
    print(f"load average of the last minute: {os.getloadavg()[0]:.1f}, {pace.runs} interleaved runs\n")
    print("| what | sizes | times as fast as the loop | Tidegate, µs | loop, µs |\n|---|---|---|---|---|")
    for kind in given.only:
        for sizes in SIZES:
            print(measured(kind, sizes, pace), flush=True)


if __name__ == "__main__":
    main()
