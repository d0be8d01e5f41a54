"""Measuring layers: who is called how often, in which order, and what becomes of the seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tidegate import nn
from tidegate.errors import ShapeError, SpecError
from tidegate.kernels.bench import (
    SHAPES,
    Contender,
    Network,
    Pace,
    Ratio,
    Shape,
    Timing,
    inference,
    interleaved,
    layer_pass,
    repeating,
    require_agreement,
    training_step,
)

STACK = Shape(name="stack", features=3, units=(5, 4), steps=6, batch=2)
BOTH_WAYS = Shape(name="both ways", features=3, units=(5, 4), steps=6, batch=2, bidirectional=True)
WORDS = Shape(name="words", features=3, units=(5,), steps=6, batch=2, vocabulary=11)


def taking(seconds: float, log: list[tuple[str, int]], name: str) -> Contender:
    """Make a contender whose single call takes so long, by a clock of its own."""

    def contend(times: int) -> float:
        log.append((name, times))
        return seconds * times

    return contend


# ------------------------------------------------------------------------------------------------------------ timing


def test_contenders_take_turns_and_fill_them() -> None:
    log: list[tuple[str, int]] = []
    contenders = {"slow": taking(0.02, log, "slow"), "fast": taking(0.01, log, "fast")}
    timing = interleaved(contenders, Pace(runs=3, least_seconds=0.1, pause=0.0))
    turns = [entry for entry in log if entry[1] > 4]  # not those that look for the number of repetitions
    slow, fast = ("slow", 6), ("fast", 11)  # a tenth more than 0.1 s
    assert turns == [slow, fast, fast, slow, slow, fast]
    assert log[-2:] == [("fast", 1), fast]  # each turn begins with a call that is not timed
    assert timing.seconds == {
        "slow": pytest.approx((0.02, 0.02, 0.02)),
        "fast": pytest.approx((0.01, 0.01, 0.01)),
    }
    assert timing.ratio("slow", "fast").median == pytest.approx(2.0)


def test_a_call_that_fills_a_turn_is_made_once_a_turn() -> None:
    log: list[tuple[str, int]] = []
    timing = interleaved({"long": taking(3.0, log, "long")}, Pace(runs=2, least_seconds=0.1, pause=0.0))
    assert log == [("long", 1)] * 4  # the first two are not counted
    assert timing.seconds == {"long": (3.0, 3.0)}


def test_repetitions_are_found_from_a_call_that_is_not_the_first() -> None:
    calls: list[int] = []

    def contend(times: int) -> float:
        calls.append(times)
        return 0.09 if len(calls) == 1 else 0.01 * times  # compiles at first

    interleaved({"compiled": contend}, Pace(runs=1, least_seconds=0.1, pause=0.0))
    assert calls[-1] == 11


def test_a_ratio_is_taken_within_the_runs() -> None:
    # The machine slowed down tenfold in the second run; the ratio of the medians would be 4.
    timing = Timing({"theirs": (2.0, 20.0, 4.0), "ours": (1.0, 10.0, 1.0)})
    assert timing.ratio("theirs", "ours") == Ratio(median=2.0, lowest=2.0, highest=4.0)
    assert timing.median("theirs") == 4.0


@pytest.mark.parametrize(
    ("pace", "message"),
    [
        ({"runs": 0}, "runs must be at least 1; got 0"),
        ({"least_seconds": -0.1}, r"least_seconds and pause must be ≥ 0; got -0.1 and 0.005"),
        ({"pause": -1.0}, r"least_seconds and pause must be ≥ 0; got 0.05 and -1.0"),
    ],
)
def test_a_pace_that_cannot_be_is_refused(pace: dict[str, float], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{message}$"):
        Pace(**pace)  # type: ignore[arg-type]


def test_repeating_calls_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    clock = iter((10.0, 10.25))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert repeating(lambda: calls.append(1))(7) == 0.25
    assert len(calls) == 7


# ---------------------------------------------------------------------------------------------------------- networks


def test_the_shapes_that_figures_are_published_for() -> None:
    assert [(s.features, s.units, s.steps, s.batch, s.bidirectional, s.vocabulary) for s in SHAPES] == [
        (1, (50,), 20, 32, False, 0),
        (1, (64, 32), 10, 32, False, 0),
        (1, (50, 50), 20, 32, False, 0),
        (8, (128,), 100, 32, False, 0),
        (128, (64,), 100, 32, True, 10_000),
    ]


def test_sizes_of_layers() -> None:
    assert STACK.layer_sizes() == [(3, 5), (5, 4)]
    assert BOTH_WAYS.layer_sizes() == [(3, 5), (10, 4)]


def test_inputs_are_drawn_from_a_seed() -> None:
    values, words = STACK.values(dtype=torch.bfloat16), WORDS.words()
    assert (tuple(values.shape), values.dtype) == ((2, 6, 3), torch.bfloat16)
    assert tuple(STACK.values(batch_first=False).shape) == (6, 2, 3)
    assert (tuple(words.shape), int(words.min()) >= 0, int(words.max()) < 11) == ((2, 6), True, True)
    assert torch.equal(STACK.values(), STACK.values())
    assert not torch.equal(STACK.values(), STACK.values(seed=1))


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("shape", [STACK, BOTH_WAYS, WORDS], ids=lambda shape: shape.name)
@pytest.mark.parametrize("final", [False, True])
def test_layers_of_both_makes_give_the_same(cell: str, shape: Shape, final: bool) -> None:
    torch.manual_seed(0)
    ours = Network(shape, getattr(nn, cell), final=final, embedding=True)
    theirs = Network(shape, getattr(torch.nn, cell), final=final, embedding=True)
    theirs.load_state_dict(ours.state_dict())
    x = shape.words() if shape.vocabulary else shape.values()
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-6)


def test_the_final_output_is_where_each_direction_ends() -> None:
    torch.manual_seed(0)
    whole = Network(BOTH_WAYS, torch.nn.LSTM)
    final = Network(BOTH_WAYS, torch.nn.LSTM, final=True)
    final.load_state_dict(whole.state_dict())
    x = BOTH_WAYS.values()
    output = whole(x)  # [2, 6, 4 + 4]
    torch.testing.assert_close(final(x), torch.cat((output[:, -1, :4], output[:, 0, 4:]), dim=1), rtol=0, atol=0)


def test_the_last_layer_may_be_of_another_make() -> None:
    def ending(input_size: int, hidden_size: int, *, batch_first: bool, bidirectional: bool) -> torch.nn.Module:
        assert (batch_first, bidirectional) == (True, False)
        return nn.LSTM(input_size, hidden_size, batch_first=True, return_sequences=False, return_state=False)

    network = Network(STACK, nn.LSTM, last=ending, final=True)
    assert [layer.options.return_sequences for layer in network.layers] == [True, False]  # type: ignore[union-attr]
    assert network(STACK.values()).shape == (2, 4)


def test_an_embedding_is_there_where_asked_for() -> None:
    assert Network(WORDS, nn.GRU).embedding is None
    assert Network(STACK, nn.GRU, embedding=True).embedding is None
    embedding = Network(WORDS, nn.GRU, embedding=True).embedding
    assert embedding is not None
    assert tuple(embedding.weight.shape) == (11, 3)


def test_what_does_not_agree_is_not_compared() -> None:
    one, two = torch.zeros(2, 3), torch.zeros(2, 3)
    require_agreement(one, two + 1e-5, tolerance=1e-4, what="LSTM")
    with pytest.raises(ArithmeticError, match=r"^LSTM: outputs differ by 1.00e-03, more than 1e-04; speed is moot$"):
        require_agreement(one, two + 1e-3, tolerance=1e-4, what="LSTM")
    with pytest.raises(ArithmeticError, match="outputs differ by nan"):
        require_agreement(one, two + torch.nan, tolerance=1e-4, what="LSTM")
    with pytest.raises(ShapeError, match=r"^LSTM: expected outputs of one shape; got \[2, 3\] and \[3\]$"):
        require_agreement(one, two[0], tolerance=1e-4, what="LSTM")


# -------------------------------------------------------------------------------------------------------------- work


def counting(module: torch.nn.Module, values: Tensor, modes: list[bool]) -> Callable[[], Tensor]:
    def call() -> Tensor:
        modes.append(torch.is_inference_mode_enabled())
        output: Tensor = module(values)
        return output

    return call


def test_a_training_step_moves_the_parameters_by_adam() -> None:
    module = torch.nn.Linear(2, 1)
    modes: list[bool] = []
    before = module.weight.detach().clone()
    seconds = training_step(module, counting(module, torch.ones(4, 2), modes))(3)
    assert modes == [False] * 3
    assert seconds > 0
    # The gradient of each weight is 4, at every step anew: Adam moves by its rate, 1e-6, a step.
    torch.testing.assert_close(module.weight.grad, torch.full((1, 2), 4.0), rtol=0, atol=0)
    torch.testing.assert_close(before - module.weight.detach(), torch.full((1, 2), 3e-6), rtol=0, atol=2e-7)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_pass_reaches_what_requires_a_gradient(wanted: bool) -> None:
    module, seen = torch.nn.Linear(2, 1), []
    values = torch.ones(4, 2, requires_grad=wanted)
    module.weight.register_hook(lambda gradient: seen.append("weight"))  # type: ignore[no-untyped-call]
    if wanted:
        values.register_hook(lambda gradient: seen.append("values"))  # type: ignore[no-untyped-call]
    layer_pass(module, values)(2)
    assert sorted(seen) == (["values"] * 2 if wanted else []) + ["weight"] * 2
    assert module.weight.grad is None


def test_inference_runs_in_inference_mode() -> None:
    class Probe(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            modes.append(torch.is_inference_mode_enabled())
            return x

    modes: list[bool] = []
    inference(Probe(), torch.ones(1))(2)
    assert modes == [True, True]
    assert not torch.is_inference_mode_enabled()


def test_a_slow_first_call_does_not_shorten_the_turns() -> None:
    calls: list[int] = []

    def slow_at_first(times: int) -> float:
        calls.append(times)
        return 1.0 if len(calls) == 1 else 1e-3 * times

    timing = interleaved({"one": slow_at_first}, Pace(runs=2, least_seconds=0.05, pause=0.0))
    assert calls[-1] >= 50
    assert timing.seconds["one"] == pytest.approx((1e-3, 1e-3))
