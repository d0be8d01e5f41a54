"""The operators ``tidegate::lstm``, ``lstm_backward``, ``gru`` and ``gru_backward``.

Schemas, fake forms and autograd formulas stand here, in Python; the default implementation is `reference`, on every
device. A compiled library only registers kernels of its own for these schemas.

One operator runs one direction of one layer. Forward is pure and gives a ``reserve`` beside its results where ``keep``
is set; backward reads the reserve and writes to nothing that it was given. Where a gradient is asked for after a call
without ``keep``, forward is run again. An absent gradient is an empty tensor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tidegate.kernels import reference
from tidegate.kernels.arguments import (
    GRU_GRADIENTS,
    LSTM_GRADIENTS,
    GruTensors,
    LstmTensors,
    accumulation_dtype,
)
from tidegate.kernels.gru_backward import gru_backward
from tidegate.kernels.lstm_backward import lstm_backward
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, CellOptions

__all__ = ["gru", "lstm"]

_LSTM_TENSORS = """Tensor input, Tensor? lengths, Tensor? h_0, Tensor? c_0, Tensor weight_ih, Tensor weight_hh,
 Tensor? bias_ih, Tensor? bias_hh, Tensor? weight_hr, Tensor? weight_peephole, Tensor? weight_norm_ih,
 Tensor? weight_norm_hh, Tensor? weight_norm_c, Tensor? bias_norm_c, Tensor? mask_x, Tensor? mask_h, Tensor? seed"""
_LSTM_SCALARS = """int activation, int recurrent_activation, float zoneout_hidden, float zoneout_cell,
 bool batch_first, bool reverse, bool return_sequences"""
_GRU_TENSORS = """Tensor input, Tensor? lengths, Tensor? h_0, Tensor weight_ih, Tensor weight_hh,
 Tensor? bias_ih, Tensor? bias_hh, Tensor? weight_norm_ih, Tensor? weight_norm_hh,
 Tensor? mask_x, Tensor? mask_h, Tensor? seed"""
_GRU_SCALARS = """int activation, int recurrent_activation, float zoneout_hidden, bool reset_after,
 bool batch_first, bool reverse, bool return_sequences"""

SCHEMAS = (
    f"lstm({_LSTM_TENSORS}, {_LSTM_SCALARS}, bool keep) -> (Tensor output, Tensor h_n, Tensor c_n, Tensor reserve)",
    f"gru({_GRU_TENSORS}, {_GRU_SCALARS}, bool keep) -> (Tensor output, Tensor h_n, Tensor reserve)",
    "lstm_backward(Tensor? grad_output, Tensor? grad_h_n, Tensor? grad_c_n, Tensor reserve, "
    f"{_LSTM_TENSORS}, {_LSTM_SCALARS}, bool[] needs) -> ({', '.join(f'Tensor grad_{n}' for n in LSTM_GRADIENTS)})",
    "gru_backward(Tensor? grad_output, Tensor? grad_h_n, Tensor reserve, "
    f"{_GRU_TENSORS}, {_GRU_SCALARS}, bool[] needs) -> ({', '.join(f'Tensor grad_{n}' for n in GRU_GRADIENTS)})",
)

Outputs = tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Cell:
    """What the registration of one cell's two operators needs to know."""

    name: str
    gates: int
    tensors: type[LstmTensors] | type[GruTensors]
    gradients: tuple[str, ...]
    options: tuple[str, ...]
    states: int  # final states among the results
    run: Callable[..., Outputs]
    run_backward: Callable[..., tuple[Tensor | None, ...]]

    def read(self, arguments: Sequence[Any]) -> tuple[LstmTensors | GruTensors, CellOptions, Any]:
        """Read the forward operator's arguments; the last is ``keep`` or ``needs``."""
        count = len(self.tensors._fields)
        options = CellOptions.from_arguments(self.options, arguments[count:-1])
        return self.tensors(*arguments[:count]), options, arguments[-1]

    @property
    def forward_operator(self) -> Callable[..., Outputs]:
        operator: Callable[..., Outputs] = getattr(torch.ops.tidegate, self.name).default
        return operator

    @property
    def backward_operator(self) -> Callable[..., Outputs]:
        operator: Callable[..., Outputs] = getattr(torch.ops.tidegate, f"{self.name}_backward").default
        return operator

    def places(self, names: Sequence[str]) -> list[int]:
        """Give the positions of ``names`` among the forward operator's arguments."""
        return [self.tensors._fields.index(name) for name in names]


LSTM = _Cell(
    name="lstm",
    gates=4,
    tensors=LstmTensors,
    gradients=LSTM_GRADIENTS,
    options=LSTM_OPTIONS,
    states=2,
    run=reference.lstm,
    run_backward=lstm_backward,
)
GRU = _Cell(
    name="gru",
    gates=3,
    tensors=GruTensors,
    gradients=GRU_GRADIENTS,
    options=GRU_OPTIONS,
    states=1,
    run=reference.gru,
    run_backward=gru_backward,
)

_LIBRARY = torch.library.Library("tidegate", "FRAGMENT")  # type: ignore[no-untyped-call]


def _define_forward(cell: _Cell) -> None:
    def run(*arguments: Any) -> Outputs:
        tensors, options, keep = cell.read(arguments)
        return cell.run(tensors, options, keep=keep)

    def fake(*arguments: Any) -> Outputs:
        tensors, options, keep = cell.read(arguments)
        x = tensors.input
        steps, batch = (x.shape[1], x.shape[0]) if options.batch_first else (x.shape[0], x.shape[1])
        units, outputs = tensors.weight_ih.shape[0] // cell.gates, tensors.weight_hh.shape[1]
        sequence = (batch, steps, outputs) if options.batch_first else (steps, batch, outputs)
        sizes = [(batch, outputs), (batch, units)][: cell.states]
        width = (3 + cell.states) * units + outputs  # i, f, g, o, c or r, z, n, q, then h
        reserve = (steps, batch, width) if keep else (0,)
        return (
            x.new_empty(sequence if options.return_sequences else (0,)),
            *(x.new_empty(size) for size in sizes),
            x.new_empty(reserve, dtype=accumulation_dtype(x.dtype)),
        )

    def remember(ctx: Any, inputs: tuple[Any, ...], output: Outputs) -> None:
        count = len(cell.tensors._fields)
        ctx.save_for_backward(*inputs[:count], output[-1])
        ctx.options = inputs[count:-1]
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(output[-1])

    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, reserve = ctx.saved_tensors
        if reserve.dim() == 1:  # forward ran without keep, as in an exported program
            reserve = cell.forward_operator(*tensors, *ctx.options, True)[-1]
        places = cell.places(cell.gradients)
        needs = [ctx.needs_input_grad[place] for place in places]
        results = cell.backward_operator(*gradients[:-1], reserve, *tensors, *ctx.options, needs)
        by_place: list[Tensor | None] = [None] * len(ctx.needs_input_grad)
        for place, needed, result in zip(places, needs, results, strict=True):
            by_place[place] = result if needed else None
        return tuple(by_place)

    operator = f"tidegate::{cell.name}"
    torch.library.impl(operator, "CompositeExplicitAutograd", run, lib=_LIBRARY)
    torch.library.register_fake(operator, fake, lib=_LIBRARY)
    torch.library.register_autograd(operator, backward, setup_context=remember, lib=_LIBRARY)


def _define_backward(cell: _Cell) -> None:
    leading = 1 + cell.states  # gradients of the results; the reserve follows, then forward's arguments
    count = leading + 1 + len(cell.tensors._fields)

    def run(*arguments: Any) -> Outputs:
        tensors, options, needs = cell.read(arguments[leading + 1 :])
        results = cell.run_backward(arguments[:leading], arguments[leading], tensors, options, needs)
        return tuple(tensors.input.new_empty(0) if result is None else result for result in results)

    def fake(*arguments: Any) -> Outputs:
        tensors, _, needs = cell.read(arguments[leading + 1 :])
        wanted = [getattr(tensors, name) if need else None for name, need in zip(cell.gradients, needs, strict=True)]
        return tuple(tensors.input.new_empty(0) if t is None else t.new_empty(t.shape) for t in wanted)

    def remember(ctx: Any, inputs: tuple[Any, ...], output: Outputs) -> None:  # noqa: ARG001 - called by keyword
        ctx.save_for_backward(*inputs[:leading], *inputs[leading + 1 : count])
        ctx.rest = inputs[count:]
        ctx.set_materialize_grads(False)

    def backward(ctx: Any, *seconds: Tensor | None) -> tuple[Tensor | None, ...]:
        needed = [*ctx.needs_input_grad[:leading], *ctx.needs_input_grad[leading + 1 : count]]
        results = _differentiate_twice(cell, ctx.saved_tensors, ctx.rest, needed, seconds)
        # The reserve is a function of the tensors beside it; what depends on it is counted with them.
        return (*results[:leading], None, *results[leading:], *([None] * len(ctx.rest)))

    operator = f"tidegate::{cell.name}_backward"
    torch.library.impl(operator, "CompositeExplicitAutograd", run, lib=_LIBRARY)
    torch.library.register_fake(operator, fake, lib=_LIBRARY)
    torch.library.register_autograd(operator, backward, setup_context=remember, lib=_LIBRARY)


def _differentiate_twice(
    cell: _Cell,
    saved: Sequence[Tensor | None],
    rest: Sequence[Any],
    needed: Sequence[bool],
    seconds: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Differentiate the gradients once more, by autograd over a recomputation with `reference`.

    ``saved`` holds the gradients of the results, then forward's tensors; the answer has the same order.
    """
    again = torch.is_grad_enabled()  # whether a third derivative may be asked for
    leading = 1 + cell.states
    with torch.enable_grad():
        places = [leading + place for place in cell.places(cell.gradients)]
        active = {place for place, need in enumerate(needed) if need} | set(places)
        variables = [_variable(t, again=again) if place in active else t for place, t in enumerate(saved)]
        tensors, options, needs = cell.read([*variables[leading:], *rest])
        outputs = cell.run(tensors, options)[:leading]
        asked = zip((variables[place] for place in places), needs, seconds, strict=True)
        wanted = [(v, second) for v, need, second in asked if v is not None and need and second is not None]
        driven = [(o, g) for o, g in zip(outputs, variables[:leading], strict=True) if g is not None and o.numel()]
        targets = [(p, v) for p, (v, need) in enumerate(zip(variables, needed, strict=True)) if need and v is not None]
        first = _gradients(driven, [v for v, _ in wanted], create_graph=True)
        pairs = [(gradient, second) for gradient, (_, second) in zip(first, wanted, strict=True)]
        results = _gradients(pairs, [v for _, v in targets], create_graph=again)
    by_place = dict(zip((place for place, _ in targets), results, strict=True))
    return [by_place.get(place) for place in range(len(saved))]


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


for _schema in SCHEMAS:
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
for _cell in (LSTM, GRU):
    _define_forward(_cell)
    _define_backward(_cell)

_PRODUCTS = ("input", "h_0", "weight_ih", "weight_hh", "weight_hr", "mask_x", "mask_h")


def _autocast(tensors: dict[str, Tensor | None], device: str) -> None:
    """Cast what the products read to the autocast dtype, where autocast is on; float64 stays, as with torch's own."""
    if not torch.is_autocast_enabled(device):
        return
    dtype = torch.get_autocast_dtype(device)
    for name in _PRODUCTS:
        tensor = tensors.get(name)
        if tensor is not None and tensor.dtype != torch.float64:
            tensors[name] = tensor.to(dtype)


def _call(cell: _Cell, tensors: LstmTensors | GruTensors, options: CellOptions) -> Outputs:
    named = tensors._asdict()
    _autocast(named, tensors.input.device.type)
    keep = (
        torch.is_grad_enabled()
        and not torch.compiler.is_exporting()
        and any(tensor is not None and tensor.requires_grad for tensor in named.values())
    )
    return cell.forward_operator(*named.values(), *options.arguments(cell.options), keep)


def lstm(tensors: LstmTensors, options: CellOptions) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction of one LSTM layer through the operator, under autocast and autograd as they stand.

    Returns
    -------
    output
        ``[time, batch, P]`` or ``[batch, time, P]``, 0 past a row's length; empty without ``return_sequences``.
    h_n, c_n
        ``[batch, P]`` and ``[batch, H]``.
    """
    output, h_n, c_n, _ = _call(LSTM, tensors, options)
    return output, h_n, c_n


def gru(tensors: GruTensors, options: CellOptions) -> tuple[Tensor, Tensor]:
    """Run one direction of one GRU layer through the operator, under autocast and autograd as they stand.

    Returns
    -------
    output
        ``[time, batch, H]`` or ``[batch, time, H]``, 0 past a row's length; empty without ``return_sequences``.
    h_n
        ``[batch, H]``.
    """
    output, h_n, _ = _call(GRU, tensors, options)
    return output, h_n
