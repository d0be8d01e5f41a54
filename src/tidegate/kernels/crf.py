"""The operators of linear-chain conditional random fields: ``tidegate::crf``, ``crf_marginals`` and ``crf_decode``.

Schemas, fake forms and autograd formulas stand here; the default implementation is `crf_reference`, on every device. A
compiled library registers kernels of its own for ``crf``, ``crf_marginals`` and ``crf_decode`` on a CPU; beside each
stands one that always runs the reference (``crf_reference``, …), for `dispatch.forced`.

``crf`` gives the log-likelihood and, where ``keep`` is set, its gradients row by row, found in the same walk forth and
back: ``unary`` by the emissions, ``pairs`` by the transitions. Those by the scores of start and end are ``unary`` at
the first and the last step. Backward has only to multiply by the gradient that comes in (``crf_backward``). A second
derivative is taken by autograd over the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tidegate.kernels import crf_reference, dispatch, native
from tidegate.kernels.crf_reference import Chain
from tidegate.kernels.double_backward import differentiate_twice

__all__ = ["COMPILED", "decode", "log_likelihood", "marginals"]

_CHAIN = "Tensor emissions, Tensor? lengths, Tensor transitions, Tensor start, Tensor end"
_PLACES = (0, 2, 3, 4)  # of the scores among the chain's tensors: what has a gradient

_LIBRARY = torch.library.Library("tidegate", "FRAGMENT")  # type: ignore[no-untyped-call]


def _define(schema: str, run: Callable[..., Any], fake: Callable[..., Any]) -> Any:
    """Define an operator, with what runs it where nothing better is registered; give it."""
    name = schema.partition("(")[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
    torch.library.impl(f"tidegate::{name}", "CompositeExplicitAutograd", run, lib=_LIBRARY)
    torch.library.register_fake(f"tidegate::{name}", fake, lib=_LIBRARY)
    return getattr(torch.ops.tidegate, name).default


# ------------------------------------------------------------------------------------- log-likelihood


def _run(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    *chain, tags, keep = arguments
    if keep:
        return crf_reference.expectations(Chain(*chain), tags)
    emissions = chain[0]
    return crf_reference.log_likelihood(Chain(*chain), tags), emissions.new_empty(0), emissions.new_empty(0)


def _run_fake(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    emissions, keep = arguments[0], arguments[-1]
    batch, time, labels = emissions.shape
    unary = emissions.new_empty((batch, time, labels) if keep else (0,))
    pairs = emissions.new_empty((batch, labels, labels) if keep else (0,))
    return emissions.new_empty((batch,)), unary, pairs


def _run_backward(gradient: Tensor, unary: Tensor, pairs: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    """Multiply what ``crf`` has kept by the gradient of each row."""
    chain = Chain(*arguments[:-1])
    emissions = unary * gradient[:, None, None]
    transitions = (gradient.unsqueeze(0) @ pairs.flatten(1)).view(chain.transitions.shape)
    if emissions.shape[1] == 0:
        return emissions, transitions, chain.start.new_zeros(chain.start.shape), chain.end.new_zeros(chain.end.shape)
    if chain.lengths is None:
        last = emissions[:, -1]
    else:  # a row of length 0 has no gradients at its first step either
        final = chain.last().clamp(min=0)[:, None, None].expand(-1, 1, emissions.shape[2])
        last = emissions.gather(1, final).squeeze(1)
    return emissions, transitions, emissions[:, 0].sum(0), last.sum(0)


def _run_backward_fake(gradient: Tensor, unary: Tensor, pairs: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    del gradient, unary, pairs
    return tuple(arguments[place].new_empty(arguments[place].shape) for place in _PLACES)


_OPERATORS, _REFERENCES = (
    _define(
        f"crf{suffix}({_CHAIN}, Tensor tags, bool keep) -> (Tensor log_likelihood, Tensor unary, Tensor pairs)",
        _run,
        _run_fake,
    )
    for suffix in ("", "_reference")
)
_BACKWARD = _define(
    f"crf_backward(Tensor grad_log_likelihood, Tensor unary, Tensor pairs, {_CHAIN}, Tensor tags)"
    " -> (Tensor grad_emissions, Tensor grad_transitions, Tensor grad_start, Tensor grad_end)",
    _run_backward,
    _run_backward_fake,
)


def _spread(gradients: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """Put the four gradients beside forward's arguments."""
    emissions, transitions, start, end = gradients
    return emissions, None, transitions, start, end, None, None


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, keep = inputs
    _, unary, pairs = output
    ctx.save_for_backward(unary, pairs, *tensors)
    ctx.kept = keep
    ctx.mark_non_differentiable(unary, pairs)


def _formula(operator: Any) -> Callable[..., tuple[Tensor | None, ...]]:
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        unary, pairs, *tensors = ctx.saved_tensors
        if not ctx.kept:  # as in an exported program
            _, unary, pairs = operator(*tensors, True)
        return _spread(_BACKWARD(gradient, unary, pairs, *tensors))

    return backward


def _remember_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ARG001
    gradient, _, _, *tensors = inputs
    ctx.save_for_backward(gradient, *tensors)
    ctx.set_materialize_grads(False)


def _backward_twice(ctx: Any, *seconds: Tensor | None) -> tuple[Tensor | None, ...]:
    gradient, *tensors = ctx.saved_tensors
    results = differentiate_twice(
        lambda given: [crf_reference.log_likelihood(Chain(*given[:-1]), given[-1])],  # type: ignore[arg-type]
        [gradient],
        tensors,
        places=_PLACES,
        needed=[ctx.needs_input_grad[0], *ctx.needs_input_grad[3:]],
        seconds=seconds,
    )
    # What was kept is a function of the tensors beside it; what depends on it is counted with them.
    return results[0], None, None, *results[1:]


for _operator in (_OPERATORS, _REFERENCES):
    torch.library.register_autograd(_operator._schema.name, _formula(_operator), setup_context=_remember, lib=_LIBRARY)
torch.library.register_autograd(
    "tidegate::crf_backward", _backward_twice, setup_context=_remember_backward, lib=_LIBRARY
)


# ------------------------------------------------------------------------------------- marginals and paths


def _marginals_fake(emissions: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return emissions.new_empty(emissions.shape), emissions.new_empty(emissions.shape[:1])


def _decode_fake(emissions: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    paths = emissions.new_empty(emissions.shape[:2], dtype=torch.int64)
    return paths, emissions.new_empty(emissions.shape[:1])


_MARGINALS, _MARGINALS_REFERENCE = (
    _define(
        f"crf_marginals{suffix}({_CHAIN}) -> (Tensor marginals, Tensor log_partition)",
        lambda *chain: crf_reference.marginals(Chain(*chain)),
        _marginals_fake,
    )
    for suffix in ("", "_reference")
)
_DECODE, _DECODE_REFERENCE = (
    _define(
        f"crf_decode{suffix}({_CHAIN}) -> (Tensor paths, Tensor scores)",
        lambda *chain: crf_reference.decode(Chain(*chain)),
        _decode_fake,
    )
    for suffix in ("", "_reference")
)

# The dispatcher is asked, not the file: a library that was built before there were these kernels has none.
COMPILED = native.available() and torch._C._dispatch_has_kernel_for_dispatch_key("tidegate::crf", "CPU")


# ------------------------------------------------------------------------------------- running


def _forced() -> bool:
    return dispatch.forced_implementation() == dispatch.REFERENCE


def _differentiated(chain: Chain) -> bool:
    scores = (chain.emissions, chain.transitions, chain.start, chain.end)
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in scores)


class _LogLikelihood(torch.autograd.Function):
    """The operator to autograd in eager mode, without the detour through the dispatcher's formula in Python."""

    @staticmethod
    def forward(ctx: Any, operator: Any, *tensors: Tensor | None) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():
            result, unary, pairs = operator(*tensors, True)
        ctx.save_for_backward(unary, pairs, *tensors)
        likelihood: Tensor = result
        return likelihood

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        arguments = (gradient, *ctx.saved_tensors)
        # With create_graph the operator's own formula differentiates from here on.
        results = _BACKWARD(*arguments) if torch.is_grad_enabled() else _run_backward(*arguments)
        return None, *_spread(results)[:-1]


# The apply beneath the one in Python, as in `ops`: a call that is transformed is sent elsewhere before.
_APPLY: Callable[..., Tensor] = super(torch.autograd.Function, _LogLikelihood).apply


def log_likelihood(chain: Chain, tags: Tensor) -> Tensor:
    """Give log p(tags | emissions), [batch], under autograd as it stands.

    Parameters
    ----------
    chain
        Scores of one dtype, float32 or float64, on one device; -inf forbids. On a device without compiled kernels, and
        where `dispatch.forced` asks for it, the reference runs.
    tags
        int64 [batch, time]. A tag that is no label has probability 0.
    """
    result: Tensor
    operator = _REFERENCES if _forced() else _OPERATORS
    keep = _differentiated(chain)
    if torch.compiler.is_compiling():
        result = operator(*chain, tags, keep and not torch.compiler.is_exporting())[0]
        return result
    if dispatch.transformed():  # what torch.func and forward-mode derivatives see through is plain torch
        return crf_reference.log_likelihood(chain, tags)
    if keep:
        return _APPLY(operator, *chain, tags)
    with torch._C._AutoDispatchBelowAutograd():
        result, *_ = operator(*chain, tags, False)
    return result


def marginals(chain: Chain) -> tuple[Tensor, Tensor]:
    """Give p(label at step | emissions), [batch, time, label], and log Z, [batch].

    Where a gradient is asked for, the reference runs, which can be differentiated.
    """
    if _differentiated(chain) or (not torch.compiler.is_compiling() and dispatch.transformed()):
        return crf_reference.marginals(chain)
    operator = _MARGINALS_REFERENCE if _forced() else _MARGINALS
    probabilities, log_partition = operator(*chain)
    return probabilities, log_partition


def decode(chain: Chain) -> tuple[Tensor, Tensor]:
    """Give the best paths, int64 [batch, time], and their scores, [batch]; neither has a gradient."""
    operator = _DECODE_REFERENCE if _forced() else _DECODE
    with torch.no_grad():
        paths, scores = operator(*chain)
    return paths, scores
