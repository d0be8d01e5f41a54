"""What LSTM and GRU layers have in common."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from tidegate.errors import ShapeError, StateError, UnsupportedError
from tidegate.kernels import plain
from tidegate.kernels.dispatch import TORCH, Choice, choose
from tidegate.kernels.options import CellOptions
from tidegate.nn import init, sequences
from tidegate.nn.dropout import sequence_mask, zoneout_seed
from tidegate.nn.options import LayerOptions, LayerShape
from tidegate.nn.sequences import Sequences

__all__ = ["RecurrentLayer", "States"]

States = tuple[Tensor, ...]  # h, and c in an LSTM: [layers · directions, batch, unit]

_OF_TORCH = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")  # in the order of torch's kernels
_MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda forward, backward: torch.cat((forward, backward), dim=-1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
}


class RecurrentLayer(nn.Module, abc.ABC):
    """A stack of recurrent layers; `LSTM` and `GRU` say which cell.

    Parameters
    ----------
    shape, options
        What is to be computed.
    device, dtype
        Of the parameters.
    """

    def __init__(
        self, shape: LayerShape, options: LayerOptions, *, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        options.check(shape)
        self.input_size = shape.input_size
        self.hidden_size = shape.hidden_size
        self.num_layers = shape.num_layers
        self.bias = shape.bias
        self.batch_first = shape.batch_first
        self.dropout = float(shape.dropout)
        self.bidirectional = shape.bidirectional
        self.proj_size = shape.proj_size
        self.options = options
        self._shape = shape
        self._beyond = tuple(options.beyond_torch(shape, training=training) for training in (False, True))
        self._kinds = self._register(device, dtype)
        for name in self._state_names():
            self.register_buffer(name, None, persistent=False)
        self.reset_parameters()

    @abc.abstractmethod
    def _cell_name(self) -> str:
        """Give ``"lstm"`` or ``"gru"``."""

    @abc.abstractmethod
    def _state_names(self) -> tuple[str, ...]:
        """Name the buffers that hold a stateful layer's state."""

    @abc.abstractmethod
    def _state_sizes(self) -> tuple[int, ...]:
        """Give the units of each state."""

    @abc.abstractmethod
    def _parameter_shapes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        """Give the shapes of one direction's parameters by kind, torch's own first, in torch's order."""

    @abc.abstractmethod
    def _run_direction(
        self, tensors: dict[str, Any], states: States | None, options: CellOptions
    ) -> tuple[Tensor, ...]:
        """Run one direction of one layer through the operator: output, then the final states ``[batch, unit]``."""

    # ---------------------------------------------------------------- parameters

    def _register(self, device: torch.device | str | None, dtype: torch.dtype | None) -> tuple[str, ...]:
        kinds: tuple[str, ...] = ()
        for layer in range(self.num_layers):
            shapes = self._parameter_shapes(self._layer_input_size(layer))
            kinds = tuple(shapes)
            for direction in range(self._shape.directions):
                for kind, shape in shapes.items():
                    values = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(self._name(kind, layer, direction), values)
        return kinds

    def _layer_input_size(self, layer: int) -> int:
        if layer == 0:
            return self.input_size
        merged = 2 if self.bidirectional and self.options.merge_mode == "concat" else 1
        return self._shape.output_size * merged

    @staticmethod
    def _name(kind: str, layer: int, direction: int) -> str:
        return f"{kind}_l{layer}{'_reverse' if direction else ''}"

    def _weights(self, layers: range) -> list[Tensor]:
        """Read the parameters of plain layers as they are now, in torch's order: nothing here can grow stale."""
        kinds = [kind for kind in _OF_TORCH if kind in self._kinds]
        directions = range(self._shape.directions)
        return [getattr(self, self._name(k, layer, d)) for layer in layers for d in directions for k in kinds]

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as ``init`` and ``unit_forget_bias`` say."""
        forget = self._cell_name() == "lstm" and self.options.opens_forget_gate(self._shape)
        init.initialise(self, self.options.init, unit_forget_bias=forget)
        self.flatten_parameters()

    def flatten_parameters(self) -> None:
        """Lay the weights of a plain layer into one block for cuDNN; elsewhere there is nothing to do."""
        weights = self._weights(range(self.num_layers))
        if self._beyond[False] or not all(isinstance(weight, Tensor) and weight.is_cuda for weight in weights):
            return
        if self._layer_input_size(1) == self._shape.output_size * self._shape.directions:
            network = self._network(self.num_layers)
            sizes = {"input_size": self.input_size, "hidden_size": self.hidden_size, "proj_size": self.proj_size}
            plain.flatten(network, weights, **sizes)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RecurrentLayer:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # .to(), .half(), .cuda(): the block has to be laid out again
        self.flatten_parameters()
        return self

    # ---------------------------------------------------------------- states

    def reset_states(self) -> None:
        """Forget the state of a stateful layer: the next call starts from zeros."""
        for name in self._state_names():
            setattr(self, name, None)

    def _hold(self, states: States) -> None:
        """Keep copies of the final states, which the caller may edit and which inference mode would taint."""
        if torch.compiler.is_exporting():
            raise UnsupportedError(
                "a stateful layer cannot be exported: a program keeps no state; build the layer with stateful=False, "
                "and hand the state in as hx"
            )
        with torch.inference_mode(False), torch.no_grad():
            for name, state in zip(self._state_names(), states, strict=True):
                setattr(self, name, state.clone())

    def _initial(self, hx: States | None, given: Sequences) -> States | None:
        """Give the states to start from, ``[layers · directions, batch, unit]``; None for zeros."""
        if hx is not None:
            return self._check_states(hx, given)
        held = [state for name in self._state_names() if (state := getattr(self, name)) is not None]
        if not held:
            return None
        if held[0].shape[1] != given.batch:
            raise StateError(
                f"this stateful layer holds the state of a batch of {held[0].shape[1]}; got a batch of {given.batch}: "
                "call reset_states() before another batch size"
            )
        return tuple(state.to(given.values.dtype) for state in held)

    def _check_states(self, hx: States, given: Sequences) -> States:
        rows = self.num_layers * self._shape.directions
        names = ("h_0", "c_0")
        states = hx if given.batched else tuple(state.unsqueeze(1) if state.dim() == 2 else state for state in hx)
        for name, size, state, raw in zip(names, self._state_sizes(), states, hx, strict=False):
            expected = (rows, given.batch, size)
            if tuple(state.shape) != expected or (not given.batched and raw.dim() != 2):
                shown = expected if given.batched else (rows, size)
                raise ShapeError(f"expected {name} of shape {shown}; got {tuple(raw.shape)}")
            if state.dtype != given.values.dtype and not torch.is_autocast_enabled(state.device.type):
                raise ShapeError(f"expected {name} of the input's dtype, {given.values.dtype}; got {state.dtype}")
        return states

    # ---------------------------------------------------------------- running

    def choice(self, input: Tensor | PackedSequence, lengths: Tensor | None = None) -> Choice:  # noqa: A002
        """Say how a call with these arguments would run, in the present mode; see `tidegate.kernels.explain`."""
        return self._choice(self._read(input, lengths))

    def _read(self, given: Tensor | PackedSequence, lengths: Tensor | None) -> Sequences:
        dtype = self.weight_ih_l0.dtype
        assert isinstance(dtype, torch.dtype)
        return sequences.read(given, lengths, batch_first=self.batch_first, input_size=self.input_size, dtype=dtype)

    def _choice(self, given: Sequences) -> Choice:
        return choose(self._beyond[self.training], steps=given.steps, shortest=given.shortest)

    def _run(
        self, values: Tensor | PackedSequence, hx: States | None, lengths: Tensor | None
    ) -> tuple[Tensor | PackedSequence, States]:
        """Run the whole layer: its output, in kind, and the final states."""
        given = self._read(values, lengths)
        start = self._initial(hx, given)
        choice = self._choice(given)
        if self.options.go_backwards:
            given = given.reversed()
        if choice.implementation == TORCH and self._at_once():
            output, final = self._run_plain(given, start, range(self.num_layers))
        else:
            output, final = self._run_layers(given.padded(), start, choice)
        if self.options.stateful:
            self._hold(final)
        if not self.options.return_sequences:
            output = self._last_output(given, final[0])
        if not given.batched:
            final = tuple(state.squeeze(1) for state in final)
        return output, final

    def _at_once(self) -> bool:
        """Say whether torch's kernels can run all layers in one call, without anything between them."""
        if self.training and self.options.input_dropout > 0:
            return False
        return self.num_layers == 1 or self.options.merge_mode == "concat"

    def _network(self, num_layers: int) -> plain.PlainNetwork:
        dropout = self.dropout if num_layers > 1 else 0.0
        return plain.PlainNetwork(
            self._cell_name(), self.bias, num_layers, dropout, self.training, self.bidirectional, self.batch_first
        )

    def _run_plain(
        self, given: Sequences, start: States | None, layers: range
    ) -> tuple[Tensor | PackedSequence, States]:
        """Run ``layers`` on torch's own kernels."""
        rows, from_zeros = len(layers) * self._shape.directions, start is None
        if start is None:
            start = tuple(given.values.new_zeros(rows, given.batch, size) for size in self._state_sizes())
        network, weights = self._network(len(layers)), self._weights(layers)
        if given.packed is None and given.lengths is None:
            output, final = plain.run(network, given.values, start, weights)
            return given.answered(self._merged(output)), final
        data, sizes, order, undo = given.pack() if given.packed is None or given.lengths is not None else given.packed
        if order is not None and not from_zeros:
            start = tuple(state.index_select(1, order) for state in start)
        output, final = plain.run_packed(network, data, sizes, start, weights)
        if undo is not None:
            final = tuple(state.index_select(1, undo) for state in final)
        answer = PackedSequence(self._merged(output), sizes, order, undo)
        return answer if given.lengths is None else given.answered(given.unpack(answer)), final

    def _run_layers(
        self, given: Sequences, start: States | None, choice: Choice
    ) -> tuple[Tensor | PackedSequence, States]:
        """Run padded sequences layer by layer."""
        finals: list[States] = []
        directions = self._shape.directions
        for layer in range(self.num_layers):
            rows = slice(layer * directions, (layer + 1) * directions)
            states = None if start is None else tuple(state[rows] for state in start)
            if choice.implementation == TORCH:
                output, final = self._run_plain_layer(given, states, layer)
            else:
                output, final = self._run_operators(given, states, layer)
            finals.append(final)
            if layer + 1 < self.num_layers:
                if self.training and self.dropout > 0:
                    output = functional.dropout(output, self.dropout)
                given = given._replace(values=output)
        merged = finals[0] if len(finals) == 1 else tuple(torch.cat(states) for states in zip(*finals, strict=True))
        return given.answered(output) if self.options.return_sequences else output, merged

    def _run_plain_layer(self, given: Sequences, start: States | None, layer: int) -> tuple[Tensor, States]:
        if self.training and self.options.input_dropout > 0:
            mask = sequence_mask(given.values, given.batch, given.values.shape[-1], self.options.input_dropout)
            given = given._replace(values=given.values * mask.unsqueeze(1 if self.batch_first else 0))
        padded = given._replace(packed=None, batched=True)
        output, final = self._run_plain(padded, start, range(layer, layer + 1))
        assert isinstance(output, Tensor)
        return output, final

    def _run_operators(self, given: Sequences, start: States | None, layer: int) -> tuple[Tensor, States]:
        sequence_wanted = self.options.return_sequences or layer + 1 < self.num_layers
        outputs, finals = [], []
        for direction in range(self._shape.directions):
            options = self.options.cell(
                batch_first=self.batch_first, reverse=direction == 1, return_sequences=sequence_wanted
            )
            states = None if start is None else tuple(state[direction] for state in start)
            output, *final = self._run_direction(self._tensors(given, layer, direction), states, options)
            outputs.append(output)
            finals.append(final)
        stacked = tuple(torch.stack(states) for states in zip(*finals, strict=True))  # [directions, batch, unit]
        merged = outputs[0] if len(outputs) == 1 else _MERGES[self.options.merge_mode](*outputs)
        return merged, stacked

    def _tensors(self, given: Sequences, layer: int, direction: int) -> dict[str, Any]:
        """Collect what an operator reads, states apart; the dropout masks and zoneout's seed are drawn here."""
        tensors: dict[str, Any] = {"input": given.values, "lengths": given.lengths}
        for kind in self._kinds:
            tensors[kind] = getattr(self, self._name(kind, layer, direction))
        if not self.training:
            return tensors
        values, options = given.values, self.options
        batch = values.shape[0 if self.batch_first else 1]
        if options.input_dropout > 0:
            tensors["mask_x"] = sequence_mask(values, batch, values.shape[-1], options.input_dropout)
        if options.recurrent_dropout > 0:
            tensors["mask_h"] = sequence_mask(values, batch, self._shape.output_size, options.recurrent_dropout)
        if options.zoneout_hidden > 0 or options.zoneout_cell > 0:
            tensors["seed"] = zoneout_seed(values.device)
        return tensors

    def _merged(self, output: Tensor) -> Tensor:
        """Merge the halves of a bidirectional output as torch's kernels give it."""
        if not self.bidirectional or self.options.merge_mode == "concat":
            return output
        forward, backward = output.chunk(2, dim=-1)
        return _MERGES[self.options.merge_mode](forward, backward)

    def _last_output(self, given: Sequences, h_n: Tensor) -> Tensor:
        """Give the last layer's final output, ``[batch, merged]``: 0 in rows without a valid step."""
        last = h_n[-self._shape.directions :]
        output = last[0] if len(last) == 1 else _MERGES[self.options.merge_mode](last[0], last[1])
        if given.lengths is not None:
            output = torch.where((given.lengths > 0).unsqueeze(1), output, 0)
        elif not torch.compiler.is_compiling() and given.steps == 0:
            output = torch.zeros_like(output)
        return output if given.batched else output.squeeze(0)

    # ---------------------------------------------------------------- description

    def extra_repr(self) -> str:
        """Show the arguments that differ from their defaults, as torch's layers do."""
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for settings, default in (
            (self._shape, LayerShape(input_size=1, hidden_size=1)),
            (self.options, LayerOptions()),
        ):
            for name, value in vars(settings).items():
                if name not in ("input_size", "hidden_size") and value != getattr(default, name):
                    shown.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}")
        return ", ".join(shown)
