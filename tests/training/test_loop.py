from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tidegate.data import ContinuousBatches
from tidegate.data.batches import Arrays, Batch, Batches
from tidegate.errors import TrainingError
from tidegate.specs import Training
from tidegate.training import Callback, EarlyStopping, History, Outcome, Supervised, TerminateOnNaN, fit
from tidegate.training.state import TrainingState

Data = tuple[np.ndarray, np.ndarray]


class Recorder(Callback):
    """Writes down what it is told, and where the training stood."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, int]] = []

    def on_train_begin(self, state: TrainingState) -> None:
        self.events.append(("train begin", state.epoch, state.step))

    def on_epoch_begin(self, state: TrainingState) -> None:
        self.events.append(("epoch begin", state.epoch, state.step))

    def on_batch_end(self, state: TrainingState) -> None:
        self.events.append(("batch", state.epoch, state.step))

    def on_safe_point(self, state: TrainingState) -> None:
        self.events.append(("safe", state.epoch, state.step))

    def on_epoch_end(self, state: TrainingState) -> None:
        self.events.append(("epoch end", state.epoch, state.step))

    def on_train_end(self, state: TrainingState) -> None:
        self.events.append(("train end", state.epoch, state.step))


class Summing(nn.Module):
    """Adds up what it sees, across batches, in a state."""

    total: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("total", None, persistent=False)
        self.seen: list[tuple[bool, float]] = []

    def reset_states(self) -> None:
        self.total = None

    def forward(self, values: Tensor) -> Tensor:
        before = torch.zeros(len(values)) if self.total is None else self.total
        self.total = before + values.detach().sum((1, 2))
        self.seen.append((self.training, float(self.total.sum())))
        return values * self.weight


def linear(
    arrays: Data, training: Training, callbacks: list[Callback] | None = None, **options: Any
) -> tuple[nn.Linear, History]:
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    batches = Batches(Arrays(*arrays), training.batch_size)
    return net, fit(net, batches, Supervised(), training=training, callbacks=callbacks or [], **options)


def test_a_linear_law_is_found(arrays: Data) -> None:
    net, history = linear(arrays, Training(epochs=200, learning_rate=0.05, batch_size=25))
    torch.testing.assert_close(net.weight, torch.tensor([[1.0, -2.0, 0.5]]), atol=1e-4, rtol=0)
    assert net.bias.item() == pytest.approx(0.25, abs=1e-4)
    assert history["loss"][-1] < 1e-8
    assert (history.epochs, history.steps, history.stopped) == (200, 400, None)


def test_least_squares_with_noise_is_found(arrays: Data) -> None:
    X = arrays[0].astype(np.float32)
    y = arrays[1] + np.random.default_rng(1).normal(size=arrays[1].shape)
    net, _ = linear((X, y), Training(epochs=400, learning_rate=0.1, batch_size=50, clip_norm=None, optimizer="sgd"))
    best, *_ = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=None)
    np.testing.assert_allclose(np.r_[net.weight.detach()[0], net.bias.detach()], best[:, 0], atol=1e-5)


def test_it_equals_a_loop_written_by_hand(arrays: Data) -> None:
    torch.manual_seed(0)
    hand = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(hand.parameters(), lr=0.01, weight_decay=0.0, fused=True)
    X, y = (torch.tensor(part, dtype=torch.float32) for part in arrays)
    losses = []
    for _ in range(3):
        total = 0.0
        for start in range(0, 50, 8):
            loss = nn.functional.mse_loss(hand(X[start : start + 8]), y[start : start + 8])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(hand.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(X[start : start + 8])
        losses.append(total / 50)
    net, history = linear(arrays, Training(epochs=3, batch_size=8, learning_rate=0.01, optimizer="adamw"))
    torch.testing.assert_close(net.weight, hand.weight)
    assert history["loss"] == pytest.approx(losses, rel=1e-6)


@pytest.mark.parametrize("examples", [32, 28])
def test_four_batches_of_eight_are_one_of_thirty_two(arrays: Data, examples: int) -> None:
    cut = (arrays[0][:examples], arrays[1][:examples])
    whole, _ = linear(cut, Training(epochs=5, batch_size=32, learning_rate=0.01))
    parts, history = linear(cut, Training(epochs=5, batch_size=8, accumulate=4, learning_rate=0.01))
    assert history.steps == 5
    torch.testing.assert_close(parts.weight, whole.weight, atol=1e-6, rtol=1e-6)


def test_the_last_incomplete_group_makes_a_step_of_its_own(arrays: Data) -> None:
    whole, _ = linear(arrays, Training(epochs=2, batch_size=32, learning_rate=0.01))
    parts, history = linear(arrays, Training(epochs=2, batch_size=8, accumulate=4, learning_rate=0.01))
    assert history.steps == 4  # 32 + 18 examples a pass
    torch.testing.assert_close(parts.weight, whole.weight, atol=1e-6, rtol=1e-6)


def test_callbacks_are_told_in_order(arrays: Data) -> None:
    recorder = Recorder()
    linear(arrays, Training(epochs=1, batch_size=20, accumulate=2), [recorder])
    assert recorder.events == [
        ("train begin", 0, 0),
        ("safe", 0, 0),
        ("epoch begin", 0, 0),
        ("batch", 0, 0),
        ("batch", 0, 1),
        ("safe", 0, 1),
        ("batch", 0, 2),
        ("epoch end", 0, 2),
        ("safe", 1, 2),
        ("train end", 1, 2),
    ]


def test_with_max_steps_epochs_are_shorter_than_a_pass_and_the_pass_goes_on(arrays: Data) -> None:
    recorder = Recorder()
    _, history = linear(arrays, Training(max_steps=60, batch_size=5), [recorder])
    ends = [step for name, _, step in recorder.events if name == "epoch end"]
    assert ends == list(range(3, 61, 3))  # a pass has 10 steps
    assert (history.epochs, history.steps) == (20, 60)
    every, _ = linear(arrays, Training(epochs=6, batch_size=5))
    again, _ = linear(arrays, Training(max_steps=60, batch_size=5))
    torch.testing.assert_close(again.weight, every.weight, rtol=0, atol=0)


def test_with_max_steps_the_last_epoch_may_be_cut(arrays: Data) -> None:
    _, history = linear(arrays, Training(max_steps=7, batch_size=25))
    assert (history.epochs, history.steps) == (7, 7)  # ceil(7 / 20) = 1 step an epoch
    _, history = linear(arrays, Training(max_steps=5, epochs=2, batch_size=25))
    assert history.steps == 4


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "linear"])
def test_schedules_step_with_the_optimizer(arrays: Data, schedule: str) -> None:
    rates = []

    class Rates(Callback):
        def on_batch_end(self, state: TrainingState) -> None:
            rates.append(state.learning_rate)

    linear(arrays, Training(epochs=2, batch_size=10, learning_rate=0.5, schedule=schedule), [Rates()])
    assert len(rates) == 10
    assert min(rates) == rates[-1] < 1e-5
    assert max(rates) <= 0.5


def test_validation_leaves_no_trace(arrays: Data) -> None:
    def trained(validation: Any) -> tuple[nn.Module, Tensor, list[float]]:
        torch.manual_seed(3)
        net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        spec = Training(epochs=3, batch_size=10, patience=None)
        history = fit(net, Batches(Arrays(*arrays), 10), Supervised(), training=spec, validation=validation)
        return net, torch.get_rng_state(), history["loss"]

    noisy = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.randn(20, 3), torch.randn(20, 1)), batch_size=4, shuffle=True
    )
    (net, generator, losses), (other, other_generator, other_losses) = trained(None), trained(noisy)
    assert losses == other_losses
    assert torch.equal(generator, other_generator)
    for name, value in net.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_validation_is_in_evaluation_mode_and_gives_the_modes_back(arrays: Data) -> None:
    frozen = nn.Dropout(0.5)

    class Freeze(Callback):
        modes: list[bool]

        def on_train_begin(self, state: TrainingState) -> None:
            frozen.eval()
            self.modes = []

        def on_batch_end(self, state: TrainingState) -> None:
            self.modes.extend([state.module.training, frozen.training])

    net, freeze = nn.Sequential(frozen, nn.Linear(3, 1)), Freeze()
    batches = Batches(Arrays(*arrays), 50)
    fit(
        net,
        batches,
        Supervised(),
        training=Training(epochs=2),
        validation=batches.__class__(Arrays(*arrays), 50),
        callbacks=[freeze],
    )
    assert freeze.modes == [True, False, True, False]
    assert not net.training


def test_states_begin_with_each_pass_and_are_aside_in_validation() -> None:
    values = np.ones((12, 1), np.float32)
    net = Summing()
    fit(
        net,
        ContinuousBatches(values, values, batch_size=2, steps=2),
        Supervised(),
        training=Training(max_steps=40, patience=None),  # epochs of two steps, passes of three
        validation=ContinuousBatches(10 * values, values, batch_size=1, steps=6),
    )
    trained = [total for training, total in net.seen if training]
    validated = [total for training, total in net.seen if not training]
    assert trained[:9] == [4.0, 8.0, 12.0] * 3
    assert validated[:4] == [60.0, 120.0] * 2


def test_patience_brings_the_best_weights_back() -> None:
    X = np.ones((4, 1))
    spec = Training(epochs=50, patience=3, learning_rate=0.05, optimizer="sgd", clip_norm=None)
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    history = fit(  # trained towards 10, validated at 1: the best comes early
        net, Batches(Arrays(X, 10 * X), 4), Supervised(), training=spec, validation=Batches(Arrays(X, X), 4)
    )
    best = history.best_epoch
    assert best == 0
    assert (history.epochs, history.stopped) == (4, "val_loss has not become better for 3 epochs")
    assert net.weight.item() == pytest.approx(1.0)  # after one step: 0 + 0.05 · 2 · 10


def test_patience_leaves_a_module_as_it_was_if_training_makes_it_no_better() -> None:
    X = np.ones((4, 1))
    spec = Training(epochs=50, patience=3, learning_rate=0.05, optimizer="sgd", clip_norm=None)
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 0.9)
    history = fit(  # trained towards 10, and validated at 1: the first step leads to 1.81
        net, Batches(Arrays(X, 10 * X), 4), Supervised(), training=spec, validation=Batches(Arrays(X, X), 4)
    )
    assert (history.epochs, history.stopped) == (3, "val_loss has not become better for 3 epochs")
    assert net.weight.item() == pytest.approx(0.9)


def test_the_untrained_module_is_scored_only_for_who_listens() -> None:
    scored: list[tuple[int, int, dict[str, float]]] = []
    modes: list[bool] = []

    class Listener(Callback):
        def on_first_validation(self, state: TrainingState) -> None:
            scored.append((state.epoch, state.step, state.logs))

    X = np.ones((4, 1))
    given, spec = Batches(Arrays(X, X), 4), Training(epochs=1, patience=None)
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    net.register_forward_hook(lambda module, *_: modes.append(module.training))
    fit(net, given, Supervised(), training=spec, validation=given)
    assert modes == [True, False]
    nn.init.zeros_(net.weight)
    fit(net, given, Supervised(), training=spec, validation=given, callbacks=[Listener()])
    assert modes[2:] == [False, True, False]
    assert scored == [(0, 0, {"val_loss": 1.0})]


def test_patience_has_no_meaning_without_validation_or_beside_early_stopping(arrays: Data) -> None:
    _, history = linear(arrays, Training(epochs=30, patience=1, learning_rate=1e-12))
    assert history.epochs == 30
    spec = Training(epochs=30, patience=1, learning_rate=1e-12)
    given = Batches(Arrays(*arrays), 50)
    _, history = linear(arrays, spec, [EarlyStopping(patience=5, min_delta=1.0)], validation=given)
    assert history.epochs == 6


def nan_at(step: int) -> Callable[[nn.Module, Batch[Tensor]], Outcome]:
    calls = iter(range(10**6))

    def objective(module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        outcome = Supervised()(module, batch)
        return Outcome(outcome.loss * math.nan, outcome.weight) if next(calls) == step else outcome

    return objective


def test_a_loss_that_is_no_number_raises_before_it_is_learnt(arrays: Data) -> None:
    net = nn.Linear(3, 1)
    recorder = Recorder()
    with pytest.raises(
        TrainingError, match=r"the loss is nan at step 7 \(epoch 1\); lower learning_rate, .*TerminateOnNaN"
    ):
        fit(net, Batches(Arrays(*arrays), 10), nan_at(7), training=Training(epochs=3), callbacks=[recorder])
    assert torch.isfinite(net.weight).all()
    assert recorder.events[-1] == ("train end", 1, 7)


def test_with_terminate_on_nan_it_ends_with_a_reason(arrays: Data) -> None:
    net = nn.Linear(3, 1)
    spec = Training(epochs=3, accumulate=2)
    history = fit(net, Batches(Arrays(*arrays), 10), nan_at(7), training=spec, callbacks=[TerminateOnNaN()])
    assert history.stopped == "the loss is nan at step 4"
    assert history.epochs == 2
    assert math.isfinite(history["loss"][1])
    assert all(parameter.grad is None for parameter in net.parameters())


def test_best_weights_come_back_when_a_training_fails() -> None:
    X = np.ones((4, 1))
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    spec = Training(epochs=9, learning_rate=0.1, optimizer="sgd", clip_norm=None)
    best = EarlyStopping("loss", patience=9, restore_best_weights=True)
    with pytest.raises(TrainingError):
        fit(net, Batches(Arrays(X, X), 4), nan_at(3), training=spec, callbacks=[best])
    weights = best.best_weights["weight"]
    assert torch.equal(net.weight, weights)
    assert best.best_epoch == 2


def test_a_callback_stops_in_the_middle_of_an_epoch(arrays: Data) -> None:
    class StopAt(Callback):
        def on_batch_end(self, state: TrainingState) -> None:
            if state.step == 3:
                state.stop("seen enough")
                state.stop("another reason")

    _, history = linear(arrays, Training(epochs=9, batch_size=10), [StopAt()])
    assert (history.steps, history.epochs, history.stopped) == (3, 1, "seen enough")


def test_bfloat16_trains_on_the_cpu(arrays: Data) -> None:
    net, history = linear(arrays, Training(epochs=200, learning_rate=0.05, batch_size=25, precision="bfloat16"))
    assert net.weight.dtype == torch.float32
    assert history["loss"][-1] < 1e-3


def test_old_gradients_do_not_enter(arrays: Data) -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    net(torch.full((1, 3), 1e6)).sum().backward()
    fit(net, Batches(Arrays(*arrays), 32), Supervised(), training=Training(epochs=1))
    fresh, _ = linear(arrays, Training(epochs=1))
    assert torch.equal(net.weight, fresh.weight)
