"""What LSTM and GRU layers have in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from tidegate.errors import StateError, UnsupportedError
from tidegate.kernels import ops, packing, plain
from tidegate.kernels.dispatch import CROSSOVERS, INT8_UNITS, TORCH, Call, Choice, choose
from tidegate.kernels.options import Activation
from tidegate.nn import init, on_torch, sequences
from tidegate.nn.dropout import sequence_mask, zoneout_seed
from tidegate.nn.merging import merged
from tidegate.nn.on_torch import PlainLayers, States
from tidegate.nn.options import LayerOptions, LayerShape
from tidegate.nn.sequences import Sequences

__all__ = ["RecurrentLayer"]


class RecurrentLayer(nn.Module, abc.ABC):
    """A stack of recurrent layers; `LSTM` and `GRU` say which cell.

    Parameters
    ----------
    shape, options
        What is to be computed.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    int8
        Whether `pack` makes int8 weights of the parameters, False at first: for a layer whose weights were stored as
        int8. Calls inside `tidegate.kernels.packed` then multiply in int8; all others run the parameters as they are.
    """

    int8: bool = False
    _cell: ClassVar[ops.Cell]  # the operators

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
        self._slots = self._parameter_slots()
        self._scalars = self._fixed_scalars()
        self._zeros = (None,) * self._cell.states
        one = shape.num_layers == 1 and not shape.bidirectional
        self._single = one and options.return_sequences and not (options.go_backwards or options.stateful)
        self._draws_masks = max(options.input_dropout, options.recurrent_dropout) > 0
        self._draws_seed = max(options.zoneout_hidden, options.zoneout_cell) > 0
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

    def _parameter_slots(self) -> tuple[tuple[str | None, ...], ...]:
        """Name the parameters of each layer's directions as the operator takes them; None for one that is absent."""
        fields = self._cell.tensors._fields
        kinds = fields[fields.index("weight_ih") : fields.index("mask_x")]
        return tuple(
            tuple(self._name(kind, layer, direction) if kind in self._kinds else None for kind in kinds)
            for layer in range(self.num_layers)
            for direction in range(self._shape.directions)
        )

    def _fixed_scalars(self) -> tuple[Any, ...]:
        """Give the operator's scalars as far as they are the same in every call: all but the last three."""
        options = self.options.cell(batch_first=False, reverse=False, return_sequences=True)
        return tuple(int(v) if isinstance(v, Activation) else v for v in options.arguments(self._cell.options)[:-3])

    def _present(self, names: Sequence[str | None]) -> list[Any]:
        """Read parameters as they are now: nothing here can grow stale."""
        held = self._parameters  # asked directly: an attribute of a module takes ten times as long
        # What pruning or a parametrisation computes is an attribute only.
        return [None if name is None else held[name] if name in held else getattr(self, name) for name in names]

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer's directions, in the order in which they are registered."""
        layers, directions = range(self.num_layers), range(self._shape.directions)
        return [[getattr(self, self._name(k, la, d)) for k in self._kinds] for la in layers for d in directions]

    def _weights(self) -> list[Tensor]:
        """Read all parameters, layer by layer; those of plain layers are torch's, in torch's order."""
        return self._present([name for slots in self._slots for name in slots if name is not None])

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as ``init`` and ``unit_forget_bias`` say."""
        forget = self._cell_name() == "lstm" and self.options.opens_forget_gate(self._shape)
        init.initialise(self, self.options.init, unit_forget_bias=forget)
        self.flatten_parameters()

    def flatten_parameters(self) -> None:
        """Lay the weights of a plain layer into one block for cuDNN; elsewhere there is nothing to do."""
        weights = self._weights()
        if self._beyond[False] or not all(isinstance(weight, Tensor) and weight.is_cuda for weight in weights):
            return
        if self._layer_input_size(1) == self._shape.output_size * self._shape.directions:
            network = self._network()
            sizes = {"input_size": self.input_size, "hidden_size": self.hidden_size, "proj_size": self.proj_size}
            plain.flatten(network, weights, **sizes)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RecurrentLayer:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # .to(), .half(), .cuda(): the block has to be laid out again
        self.flatten_parameters()
        return self

    def pack(self) -> list[Tensor] | None:
        """Pack the weights as they are now, for `tidegate.kernels.packed`; None where that is of no use."""
        weights = [self._present(slots) for slots in self._slots]
        int8 = self.int8 and self.hidden_size >= INT8_UNITS
        crossover = CROSSOVERS.get((self._cell_name(), weights[0][0].dtype))
        if crossover is not None and self.hidden_size >= crossover.units and not (self._beyond[False] or int8):
            return None  # torch's own kernels run it, at least in small batches
        if self.proj_size or not (ops.COMPILED and all(w.is_cpu for row in weights for w in row if w is not None)):
            return None
        return [packing.pack(self._cell, row, self._scalars, int8=int8) for row in weights]

    def train(self, mode: bool = True) -> RecurrentLayer:
        """Change the mode, as torch does. Training ends ``int8``: the weights will no longer be such multiples."""
        if mode:
            self.int8 = False
        super().train(mode)
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
            rows = self.num_layers * self._shape.directions
            return sequences.check_states(hx, given, rows=rows, sizes=self._state_sizes())
        if not self.options.stateful:
            return None
        held = [state for name in self._state_names() if (state := getattr(self, name)) is not None]
        if not held:
            return None
        if held[0].shape[1] != given.batch:
            raise StateError(
                f"this stateful layer holds the state of a batch of {held[0].shape[1]}; got a batch of {given.batch}: "
                "call reset_states() before another batch size"
            )
        return tuple(state.to(given.values.dtype) for state in held)

    # ---------------------------------------------------------------- running

    def choice(self, input: Tensor | PackedSequence, lengths: Tensor | None = None) -> Choice:  # noqa: A002
        """Say how a call with these arguments would run, in the present mode; see `tidegate.kernels.explain`."""
        return self._choice(self._read(input, lengths))

    def _read(self, given: Tensor | PackedSequence, lengths: Tensor | None) -> Sequences:
        dtype: torch.dtype = self._present(("weight_ih_l0",))[0].dtype
        return sequences.read(given, lengths, batch_first=self.batch_first, input_size=self.input_size, dtype=dtype)

    def _choice(self, given: Sequences) -> Choice:
        beyond, projected = self._beyond[self.training], self.proj_size > 0
        cell, units, sizes = self._cell_name(), self.hidden_size, (given.steps, given.batch)
        return choose(Call(cell, beyond, given.values, units, projected, *sizes, given.shortest, ops.COMPILED))

    def _run(
        self, values: Tensor | PackedSequence, hx: States | None, lengths: Tensor | None
    ) -> tuple[Tensor | PackedSequence, States]:
        """Run the whole layer: its output, in kind, and the final states."""
        packed = packing.packed_weights(self)
        if packed is not None and hx is None and lengths is None and self._fits_at_once(values):
            return self._run_at_once(packed[0], values)
        given = self._read(values, lengths)
        start = self._initial(hx, given)
        on_own_kernels = packed is not None or self._choice(given).implementation != TORCH
        if self.options.go_backwards:
            given = given.reversed()
        if not on_own_kernels:
            answer, final = on_torch.run(self._plain_layers(), given, start)
            last = [final[0][row] for row in range(-self._shape.directions, 0)]
        else:
            given = given.padded()
            output, finals = self._run_operators(given, start, packed)
            answer = given.answered(output) if self.options.return_sequences else output
            last = [states[0] for states in finals[-self._shape.directions :]]
            final = self._stacked(finals)
        if self.options.stateful:
            self._hold(final)
        if not self.options.return_sequences:
            answer = self._last_output(given, last)
        if not given.batched:
            final = tuple(state.squeeze(1) for state in final)
        return answer, final

    def _fits_at_once(self, values: Tensor | PackedSequence) -> TypeGuard[Tensor]:
        """Say whether one operator on packed weights is all there is to do: the short way for single predictions."""
        if not (self._single and isinstance(values, Tensor) and values.dim() == 3):
            return False
        weight = self._present(("weight_ih_l0",))[0]
        return values.shape[2] == self.input_size and values.dtype == weight.dtype and values.is_cpu

    def _run_at_once(self, packed: Tensor, values: Tensor) -> tuple[Tensor, States]:
        output, *final = packing.run_packed(packed, values, None, self._zeros, (self.batch_first, False, True))
        return output, tuple([state[None] for state in final])

    def _run_operators(
        self, given: Sequences, start: States | None, packed: Sequence[Tensor] | None
    ) -> tuple[Tensor, list[States]]:
        """Run padded sequences on the operators: the output, and each direction's final states ``[batch, unit]``."""
        values = given.values
        finals: list[States] = []
        for layer in range(self.num_layers):
            wanted = self.options.return_sequences or layer + 1 < self.num_layers
            outputs = []
            for direction in range(self._shape.directions):
                row = len(finals)
                states = self._zeros if start is None else [state[row] for state in start]
                flags = (self.batch_first, direction == 1, wanted)
                if packed is None:
                    tensors = (values, given.lengths, *states, *self._present(self._slots[row]), *self._draws(values))
                    output, *final = ops.run(self._cell, tensors, (*self._scalars, *flags))
                else:
                    output, *final = packing.run_packed(packed[row], values, given.lengths, states, flags)
                outputs.append(output)
                finals.append(tuple(final))
            values = merged(outputs, self.options.merge_mode) if wanted else outputs[0]
            if self.dropout > 0 and self.training and layer + 1 < self.num_layers:
                values = functional.dropout(values, self.dropout)
        return values, finals

    def _stacked(self, finals: list[States]) -> States:
        """Stack final states to ``[layers · directions, batch, unit]``; none where nobody is going to read them."""
        if not (self.options.return_state or self.options.stateful):
            return ()
        if len(finals) == 1:
            return tuple([state[None] for state in finals[0]])  # views
        return tuple(torch.stack(states) for states in zip(*finals, strict=True))

    def _network(self) -> plain.PlainNetwork:
        dropout = self.dropout if self.num_layers > 1 else 0.0
        return plain.PlainNetwork(
            self._cell_name(), self.bias, self.num_layers, dropout, self.training, self.bidirectional, self.batch_first
        )

    def _plain_layers(self) -> PlainLayers:
        options = self.options
        input_dropout = options.input_dropout if self.training else 0.0
        return PlainLayers(self._network(), self._weights(), self._state_sizes(), options.merge_mode, input_dropout)

    def _draws(self, values: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Draw what one direction needs for a call: the masks of input and state, and zoneout's seed."""
        options = self.options
        if not (self.training and (self._draws_masks or self._draws_seed)):
            return None, None, None
        batch = values.shape[0 if self.batch_first else 1]
        mask_x = mask_h = seed = None
        if options.input_dropout > 0:
            mask_x = sequence_mask(values, batch, values.shape[-1], options.input_dropout)
        if options.recurrent_dropout > 0:
            mask_h = sequence_mask(values, batch, self._shape.output_size, options.recurrent_dropout)
        if self._draws_seed:
            seed = zoneout_seed(values.device)
        return mask_x, mask_h, seed

    def _last_output(self, given: Sequences, hiddens: Sequence[Tensor]) -> Tensor:
        """Give the final output ``[batch, merged]`` from h of the last layer's directions: 0 in rows without a step."""
        output = merged(hiddens, self.options.merge_mode)
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
