"""The operators ``tidegate::lstm``, ``lstm_backward``, ``gru`` and ``gru_backward``.

Schemas, fake forms and autograd formulas stand here, in Python; the default implementation is `reference`, on every
device. A compiled library only registers kernels of its own for these schemas; it is loaded here. Beside each operator
stands one that always runs `reference` (``lstm_reference``, ``lstm_backward_reference`` and the GRU's): a compiled
kernel hands on to it what it does not know, and `dispatch.forced` asks for it.

One operator runs one direction of one layer. Forward is pure and gives a ``reserve`` beside its results where ``keep``
is set; backward reads the reserve and writes to nothing that it was given. Where a gradient is asked for after a call
without ``keep``, forward is run again. An absent gradient is an empty tensor.

The autograd formulas of the operators serve torch.compile, torch.export and whoever calls ``torch.ops.tidegate``. A
layer in eager mode takes a shorter way to the same operators, `run`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tidegate.kernels import autocast, dispatch, native, reference
from tidegate.kernels.arguments import (
    GRU_GRADIENTS,
    LSTM_GRADIENTS,
    GruTensors,
    LstmTensors,
    accumulation_dtype,
)
from tidegate.kernels.double_backward import differentiate_twice
from tidegate.kernels.gru_backward import gru_backward
from tidegate.kernels.lstm_backward import lstm_backward
from tidegate.kernels.options import GRU_OPTIONS, LSTM_OPTIONS, CellOptions

__all__ = ["COMPILED", "GRU", "LSTM", "Cell", "gru", "lstm", "run"]

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

_PRODUCTS = ("input", "h_0", "weight_ih", "weight_hh", "weight_hr", "mask_x", "mask_h")  # what autocast casts

Outputs = tuple[Tensor, ...]

_LIBRARY = torch.library.Library("tidegate", "FRAGMENT")  # type: ignore[no-untyped-call]


def _define_schemas(suffix: str) -> None:
    lstm_gradients = ", ".join(f"Tensor grad_{name}" for name in LSTM_GRADIENTS)
    gru_gradients = ", ".join(f"Tensor grad_{name}" for name in GRU_GRADIENTS)
    for schema in (
        f"lstm{suffix}({_LSTM_TENSORS}, {_LSTM_SCALARS}, bool keep)"
        " -> (Tensor output, Tensor h_n, Tensor c_n, Tensor reserve)",
        f"gru{suffix}({_GRU_TENSORS}, {_GRU_SCALARS}, bool keep) -> (Tensor output, Tensor h_n, Tensor reserve)",
        f"lstm_backward{suffix}(Tensor? grad_output, Tensor? grad_h_n, Tensor? grad_c_n, Tensor reserve, "
        f"{_LSTM_TENSORS}, {_LSTM_SCALARS}, bool[] needs) -> ({lstm_gradients})",
        f"gru_backward{suffix}(Tensor? grad_output, Tensor? grad_h_n, Tensor reserve, "
        f"{_GRU_TENSORS}, {_GRU_SCALARS}, bool[] needs) -> ({gru_gradients})",
    ):
        _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]


def _define_packing() -> None:
    """Define the operators that pack a cell's weights: see `packing`. Only a compiled library has kernels for them."""
    _LIBRARY.define(f"pack_lstm({_LSTM_TENSORS}, {_LSTM_SCALARS}, bool int8) -> Tensor")  # type: ignore[no-untyped-call]
    _LIBRARY.define(f"pack_gru({_GRU_TENSORS}, {_GRU_SCALARS}, bool int8) -> Tensor")  # type: ignore[no-untyped-call]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A cell's two operators, and what their registration needs to know."""

    forward: Callable[..., Outputs]
    backward: Callable[..., Outputs]
    gates: int
    tensors: type[LstmTensors] | type[GruTensors]
    gradients: tuple[str, ...]
    places: tuple[int, ...]  # of the gradients among the forward operator's arguments
    options: tuple[str, ...]
    states: int  # final states among the results
    run: Callable[..., Outputs]
    run_backward: Callable[..., tuple[Tensor | None, ...]]

    def read(self, arguments: Sequence[Any]) -> tuple[LstmTensors | GruTensors, CellOptions, Any]:
        """Read the forward operator's arguments; the last is ``keep`` or ``needs``."""
        count = len(self.tensors._fields)
        options = CellOptions.from_arguments(self.options, arguments[count:-1])
        return self.tensors(*arguments[:count]), options, arguments[-1]

    def spread(self, results: Outputs, needs: Sequence[bool], count: int) -> tuple[Tensor | None, ...]:
        """Put the backward operator's results beside forward's ``count`` arguments, None where nothing is needed."""
        by_place: list[Tensor | None] = [None] * count
        for place, needed, result in zip(self.places, needs, results, strict=True):
            if needed:
                by_place[place] = result
        return tuple(by_place)

    def reserve_width(self, units: int, outputs: int, *, layer_norm: bool) -> int:
        """Give the values kept for backward, a row and step."""
        width = (3 + self.states) * units + outputs  # i, f, g, o, c or r, z, n, q, then h
        return width + 2 * self.gates * units if layer_norm else width  # the raw products W_ih x and W_hh h


def _cell(name: str, suffix: str) -> Cell:
    lstm = name == "lstm"
    tensors = LstmTensors if lstm else GruTensors
    gradients = LSTM_GRADIENTS if lstm else GRU_GRADIENTS
    operators = torch.ops.tidegate
    return Cell(
        forward=getattr(operators, f"{name}{suffix}").default,
        backward=getattr(operators, f"{name}_backward{suffix}").default,
        gates=4 if lstm else 3,
        tensors=tensors,
        gradients=gradients,
        places=tuple(tensors._fields.index(gradient) for gradient in gradients),
        options=LSTM_OPTIONS if lstm else GRU_OPTIONS,
        states=2 if lstm else 1,
        run=reference.lstm if lstm else reference.gru,
        run_backward=lstm_backward if lstm else gru_backward,
    )


# ------------------------------------------------------------------------------------- registration


def _in_full_precision(function: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Keep autocast out of an operator: its products accumulate in float32, and its tensors have been cast already."""

    def run(*arguments: Any) -> Outputs:
        given = next(argument for argument in arguments if isinstance(argument, Tensor))
        if autocast.autocast_dtype(given) is None:
            return function(*arguments)
        with torch.autocast(given.device.type, enabled=False):
            return function(*arguments)

    return run


def _register(
    operator: Any, run: Callable[..., Outputs], fake: Callable[..., Outputs], backward: Any, remember: Any
) -> None:
    name = operator._schema.name
    torch.library.impl(name, "CompositeExplicitAutograd", _in_full_precision(run), lib=_LIBRARY)
    torch.library.register_fake(name, fake, lib=_LIBRARY)
    torch.library.register_autograd(name, backward, setup_context=remember, lib=_LIBRARY)


def _register_forward(cell: Cell) -> None:
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
        width = cell.reserve_width(units, outputs, layer_norm=tensors.weight_norm_ih is not None)
        reserve = (steps, batch, width) if keep else (0,)
        return (
            x.new_empty(sequence if options.return_sequences else (0,)),
            *(x.new_empty(size) for size in sizes),
            x.new_empty(reserve, dtype=accumulation_dtype(x.dtype)),
        )

    def remember(ctx: Any, inputs: tuple[Any, ...], output: Outputs) -> None:
        count = len(cell.tensors._fields)
        ctx.save_for_backward(*inputs[:count], output[-1])
        ctx.scalars = inputs[count:-1]
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(output[-1])

    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, reserve = ctx.saved_tensors
        if reserve.dim() == 1:  # forward ran without keep, as in an exported program
            reserve = cell.forward(*tensors, *ctx.scalars, True)[-1]
        needs = [ctx.needs_input_grad[place] for place in cell.places]
        results = cell.backward(*gradients[:-1], reserve, *tensors, *ctx.scalars, needs)
        return cell.spread(results, needs, len(ctx.needs_input_grad))

    _register(cell.forward, run, fake, backward, remember)


def _register_backward(cell: Cell) -> None:
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
        def recompute(tensors: Sequence[Tensor | None]) -> Sequence[Tensor]:
            arguments, options, _ = cell.read([*tensors, *ctx.rest])
            return cell.run(arguments, options)[:leading]

        needs = ctx.rest[-1]
        results = differentiate_twice(
            recompute,
            ctx.saved_tensors[:leading],
            ctx.saved_tensors[leading:],
            places=cell.places,
            needed=[*ctx.needs_input_grad[:leading], *ctx.needs_input_grad[leading + 1 : count]],
            seconds=[second if need else None for second, need in zip(seconds, needs, strict=True)],
        )
        # The reserve is a function of the tensors beside it; what depends on it is counted with them.
        return (*results[:leading], None, *results[leading:], *([None] * len(ctx.rest)))

    _register(cell.backward, run, fake, backward, remember)


def _define(suffix: str) -> tuple[Cell, Cell]:
    """Define and register all operators of a suffix: LSTM and GRU."""
    _define_schemas(suffix)
    cells = _cell("lstm", suffix), _cell("gru", suffix)
    for cell in cells:
        _register_forward(cell)
        _register_backward(cell)
    return cells


_define_packing()
LSTM, GRU = _define("")
_WEIGHT_HR = LstmTensors._fields.index("weight_hr")
_REFERENCE = dict(zip((LSTM, GRU), _define("_reference"), strict=True))
# The dispatcher is asked, not the file: a library that was built before there were kernels has none.
COMPILED = native.available() and torch._C._dispatch_has_kernel_for_dispatch_key("tidegate::lstm", "CPU")


# ------------------------------------------------------------------------------------- running


class _Recurrence(torch.autograd.Function):
    """Both operators to autograd in eager mode, without the detour through the dispatcher's formula in Python."""

    @staticmethod
    def forward(ctx: Any, cell: Cell, scalars: tuple[Any, ...], *tensors: Tensor | None) -> Outputs:
        with torch._C._AutoDispatchBelowAutograd():
            *results, reserve = cell.forward(*tensors, *scalars, True)
        ctx.save_for_backward(*tensors, reserve)
        ctx.cell, ctx.scalars = cell, scalars
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        cell: Cell = ctx.cell
        *tensors, reserve = ctx.saved_tensors
        flags = ctx.needs_input_grad[2:]  # after cell and scalars
        needs = [flags[place] for place in cell.places]
        arguments = (*gradients, reserve, *tensors, *ctx.scalars, needs)
        if torch.is_grad_enabled():  # create_graph: from here on the operator's own formula differentiates
            results = cell.backward(*arguments)
        else:
            with torch._C._AutoDispatchBelowAutograd():
                results = cell.backward(*arguments)
        return None, None, *cell.spread(results, needs, len(flags))


# Function.apply in Python looks at every argument for what a transformation of torch.func has left behind; `run` has
# sent such calls elsewhere, and goes to the apply beneath.
_APPLY: Callable[..., Any] = super(torch.autograd.Function, _Recurrence).apply


def run(cell: Cell, tensors: Sequence[Tensor | None], scalars: tuple[Any, ...]) -> Outputs:
    """Run one direction of one layer, under autocast and autograd as they stand.

    Parameters
    ----------
    cell
        `LSTM` or `GRU`.
    tensors, scalars
        The operator's arguments in the order of its schema, without ``keep``.

    Returns
    -------
    The output, then the final states: see `lstm` and `gru`.
    """
    if dispatch.forced_implementation() == dispatch.REFERENCE:
        cell = _REFERENCE[cell]
    values = tensors[0]
    assert values is not None
    dtype = autocast.autocast_dtype(values)
    if dtype is not None:
        tensors = [
            tensor if tensor is None or name not in _PRODUCTS else autocast.cast(tensor, dtype)
            for name, tensor in zip(cell.tensors._fields, tensors, strict=True)
        ]
    keep = torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)
    if torch.compiler.is_compiling():
        return cell.forward(*tensors, *scalars, keep and not torch.compiler.is_exporting())[:-1]
    if cell is LSTM and tensors[_WEIGHT_HR] is not None:
        cell = _REFERENCE[cell]  # to which the compiled kernel would hand it on, and lose the message of an error
    if torch.is_inference_mode_enabled():  # autograd is out of the way already
        return cell.forward(*tensors, *scalars, False)[:-1]
    if dispatch.transformed():  # what torch.func and forward-mode derivatives see through is plain torch
        arguments, options, _ = cell.read([*tensors, *scalars, False])
        return cell.run(arguments, options)[:-1]
    if keep:
        results: Outputs = _APPLY(cell, scalars, *tensors)
        return results
    with torch._C._AutoDispatchBelowAutograd():
        return cell.forward(*tensors, *scalars, False)[:-1]


def lstm(tensors: LstmTensors, options: CellOptions) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction of one LSTM layer; see `run`.

    Returns
    -------
    output
        ``[time, batch, P]`` or ``[batch, time, P]``, 0 past a row's length; empty without ``return_sequences``.
    h_n, c_n
        ``[batch, P]`` and ``[batch, H]``.
    """
    output, h_n, c_n = run(LSTM, tensors, options.arguments(LSTM_OPTIONS))
    return output, h_n, c_n


def gru(tensors: GruTensors, options: CellOptions) -> tuple[Tensor, Tensor]:
    """Run one direction of one GRU layer; see `run`.

    Returns
    -------
    output
        ``[time, batch, H]`` or ``[batch, time, H]``, 0 past a row's length; empty without ``return_sequences``.
    h_n
        ``[batch, H]``.
    """
    output, h_n = run(GRU, tensors, options.arguments(GRU_OPTIONS))
    return output, h_n
