"""The derivative of a backward pass: autograd over a recomputation with `reference`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["differentiate_twice"]


def differentiate_twice(
    recompute: Callable[[Sequence[Tensor | None]], Sequence[Tensor]],
    drivers: Sequence[Tensor | None],
    tensors: Sequence[Tensor | None],
    *,
    places: Sequence[int],
    needed: Sequence[bool],
    seconds: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Differentiate gradients once more.

    Parameters
    ----------
    recompute
        Gives forward's differentiable results from its tensors.
    drivers
        The gradients of those results, which backward was given.
    tensors
        Forward's tensors.
    places
        Which of ``tensors`` backward gave gradients of.
    needed
        Which gradients are asked for, ``drivers`` first, then ``tensors``.
    seconds
        The gradients of backward's results, beside ``places``; None where there is none.

    Returns
    -------
    The gradients of ``drivers``, then of ``tensors``; None where not asked for.
    """
    again = torch.is_grad_enabled()  # whether a third derivative may be asked for
    leading = len(drivers)
    given = [*drivers, *tensors]
    active = {place for place, need in enumerate(needed) if need} | {leading + place for place in places}
    with torch.enable_grad():
        variables = [_variable(t, again=again) if place in active else t for place, t in enumerate(given)]
        outputs = recompute(variables[leading:])
        asked = zip((variables[leading + place] for place in places), seconds, strict=True)
        wanted = [(variable, second) for variable, second in asked if variable is not None and second is not None]
        driven = [(o, g) for o, g in zip(outputs, variables[:leading], strict=True) if g is not None and o.numel()]
        targets = [(p, v) for p, (v, need) in enumerate(zip(variables, needed, strict=True)) if need and v is not None]
        first = _gradients(driven, [variable for variable, _ in wanted], create_graph=True)
        pairs = [(gradient, second) for gradient, (_, second) in zip(first, wanted, strict=True)]
        results = _gradients(pairs, [variable for _, variable in targets], create_graph=again)
    by_place = dict(zip((place for place, _ in targets), results, strict=True))
    return [by_place.get(place) for place in range(len(given))]


def _gradients(
    pairs: Sequence[tuple[Tensor, Tensor]], inputs: Sequence[Tensor], *, create_graph: bool
) -> Sequence[Tensor]:
    """Differentiate outputs, each beside its gradient, by ``inputs``; what does not depend on them is left out."""
    pairs = [(output, gradient) for output, gradient in pairs if output.requires_grad]
    if not pairs or not inputs:
        return [torch.zeros_like(variable) for variable in inputs]
    outputs, gradients = zip(*pairs, strict=True)
    return torch.autograd.grad(outputs, inputs, gradients, create_graph=create_graph, materialize_grads=True)


def _variable(tensor: Tensor | None, *, again: bool) -> Tensor | None:
    """Give a tensor of the same values to differentiate by, connected to the graph where that is differentiated too."""
    if tensor is None or not tensor.is_floating_point():
        return tensor
    if again and tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.detach().requires_grad_()
