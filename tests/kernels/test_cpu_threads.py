"""The compiled CPU kernels with any number of threads: torch's, and several callers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tidegate.kernels import ops
from tidegate.kernels.arguments import CELL_GRADIENTS
from tidegate.kernels.options import Activation, CellOptions

Draw = Callable[..., dict[str, Any]]
MakeCall = Callable[..., Any]
Agree = Callable[..., None]

ALL_AT_ONCE = {"state", "bias", "lengths", "layer_norm", "peephole", "masks", "seed"}
ZONEOUT = CellOptions(zoneout_hidden=0.4, zoneout_cell=0.3)
SIZES = [  # steps, batch, features, units: more threads than rows, and rows for all of them
    (3, 1, 4, 33),
    (5, 3, 9, 16),
    (17, 37, 5, 31),
    (2, 64, 70, 64),
    (2, 20, 30, 300),
]
NAMES = ("steps", "batch", "features", "units")


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Give torch's own way to set the number of threads, undone afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("flags", [{"state", "bias"}, ALL_AT_ONCE])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_any_number_of_threads(
    cell: str,
    sizes: tuple[int, ...],
    flags: set[str],
    dtype: torch.dtype,
    draw: Draw,
    make_call: MakeCall,
    agree: Agree,
    set_threads: Callable[[int], None],
) -> None:
    """The same numbers for any, the same bits for the same."""
    drawn = draw(cell, flags, dtype=dtype, **dict(zip(NAMES, sizes, strict=True)))
    call = make_call(cell, drawn, ZONEOUT)
    for threads in (1, 2, 3, 4):
        set_threads(threads)
        agree(call)
        first = call.by_operators()
        assert all(same(first, call.by_operators()) for _ in range(3))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.usefixtures("instruction_sets")
def test_several_callers_at_once(
    threads: int, draw: Draw, make_call: MakeCall, set_threads: Callable[[int], None]
) -> None:
    """Different cells side by side give the bits that each gives alone."""
    set_threads(threads)
    calls = [
        make_call(cell, draw(cell, flags, dtype=dtype, **dict(zip(NAMES, sizes, strict=True))), ZONEOUT)
        for cell, flags, dtype, sizes in (
            ("lstm", {"bias"}, torch.float32, (20, 24, 8, 40)),
            ("gru", {"state", "bias"}, torch.float64, (25, 17, 3, 33)),
            ("lstm", ALL_AT_ONCE, torch.float64, (12, 9, 5, 20)),
            ("gru", {"bias", "layer_norm", "lengths"}, torch.float32, (30, 12, 1, 64)),
        )
    ]
    start = threading.Barrier(len(calls))

    def repeatedly(place: int) -> list[dict[str, Tensor]]:
        start.wait()
        return [calls[place].by_operators() for _ in range(15)]

    with ThreadPoolExecutor(1) as alone:  # not on this thread: a number of threads may belong to the caller's
        expected = [alone.submit(call.by_operators).result() for call in calls]
    with ThreadPoolExecutor(len(calls)) as together:
        answers = list(together.map(repeatedly, range(len(calls))))
    for wanted, results in zip(expected, answers, strict=True):
        assert all(same(wanted, result) for result in results)


@pytest.mark.usefixtures("instruction_sets")
def test_no_threads_but_torch_s(draw: Draw, make_call: MakeCall, set_threads: Callable[[int], None]) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("no /proc on this system to count threads in")
    call = make_call("lstm", draw("lstm", {"bias"}, steps=4, batch=64, units=64, dtype=torch.float32), CellOptions())
    set_threads(1)
    before = {task.name for task in tasks.iterdir()}
    call.by_operators()
    assert {task.name for task in tasks.iterdir()} <= before


@pytest.mark.parametrize(
    ("cell", "flags", "options", "dtype"),
    [
        ("lstm", {"bias"}, CellOptions(batch_first=True), torch.float32),
        ("lstm", ALL_AT_ONCE - {"seed"}, CellOptions(reverse=True), torch.float32),
        ("lstm", {"state", "bias"}, CellOptions(return_sequences=False), torch.bfloat16),
        ("lstm", {"state", "proj_size"}, CellOptions(), torch.float64),
        ("gru", ALL_AT_ONCE - {"peephole"}, ZONEOUT, torch.float32),
        ("gru", {"lengths", "masks"}, CellOptions(reset_after=False, reverse=True), torch.float64),
        ("gru", {"bias"}, CellOptions(activation=Activation.RELU, batch_first=True), torch.float16),
    ],
)
@pytest.mark.usefixtures("instruction_sets")
def test_opcheck(
    cell: str,
    flags: set[str],
    options: CellOptions,
    dtype: torch.dtype,
    draw: Draw,
    make_call: MakeCall,
) -> None:
    """Schemas that hold, fakes of the right shape; tracing through autograd is the business of test_ops.py."""
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    sizes = {"steps": 3, "batch": 5, "features": 2, "units": 9, "batch_first": options.batch_first}
    tensors = draw(cell, flags, dtype=dtype, **sizes)
    description = ops.LSTM if cell == "lstm" else ops.GRU
    call = make_call(cell, tensors, options, layout="contiguous")
    arguments = (*call.tensors, *options.arguments(description.options))
    for name in CELL_GRADIENTS[cell]:
        if name in tensors:
            tensors[name].requires_grad_()
    forward: Any = description.forward
    for keep in (False, True):
        checked = torch.library.opcheck(forward, (*arguments, keep), test_utils=checks)
        assert set(checked.values()) == {"SUCCESS"}
    reserve = forward(*arguments, True)[-1].detach()
    backward: Any = description.backward
    needs = [name in tensors for name in CELL_GRADIENTS[cell]]
    checked = torch.library.opcheck(backward, (*call.gradients, reserve, *arguments, needs), test_utils=checks)
    assert set(checked.values()) == {"SUCCESS"}
