from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tidegate.data import Batches, ContinuousBatches
from tidegate.data.batches import Arrays
from tidegate.errors import ShapeError, SpecError
from tidegate.specs import Sampling, Training
from tidegate.training import Callback, EarlyStopping, train
from tidegate.training.state import TrainingState

Data = tuple[np.ndarray, np.ndarray]


def net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 1)

    def reset_states(self) -> None:
        pass

    def forward(self, values: Tensor) -> Tensor:
        output: Tensor = self.head(values)
        return output


def test_one_epoch_unless_told(arrays: Data) -> None:
    history = train(net(), arrays)
    assert (history.epochs, history.steps) == (1, 2)


def test_direct_arguments_win(arrays: Data) -> None:
    history = train(net(), arrays, epochs=3, batch_size=10, training=Training(epochs=7, batch_size=50))
    assert (history.epochs, history.steps) == (3, 15)


def test_a_sampling_needs_windows_of_series(arrays: Data) -> None:
    with pytest.raises(SpecError) as caught:
        train(net(), arrays, training=Training(sampling=Sampling(half_life=5)))
    assert str(caught.value) == (
        "training.sampling chooses among the windows of a table's series; arrays have none to tell"
    )
    assert train(net(), arrays, training=Training(sampling=Sampling())).steps == 2


def test_the_last_share_is_validated_and_never_seen() -> None:
    X = np.arange(10.0).reshape(-1, 1)
    seen: set[float] = set()

    class Watching(nn.Linear):
        def forward(self, values: Tensor) -> Tensor:
            if self.training:
                seen.update(values.flatten().tolist())
            return super().forward(values)

    history = train(Watching(1, 1), (X, X), epochs=2, batch_size=3, validation_split=0.3, metrics=["mae"])
    assert seen == set(map(float, range(7)))
    assert list(history) == ["loss", "mae", "val_loss", "val_mae"]


def test_every_kind_of_data_trains(arrays: Data) -> None:
    X, y = (torch.tensor(part, dtype=torch.float32) for part in arrays)
    data = TensorDataset(X, y)
    kinds: list[Any] = [arrays, (X, y), data, DataLoader(data, 25), Batches(Arrays(*arrays), 25), [(X[:25], y[:25])]]
    for kind in kinds:
        module = net()
        spec = Training(optimizer="sgd", learning_rate=0.2, batch_size=25, clip_norm=None)
        history = train(module, kind, epochs=60, training=spec, seed=0)
        assert history["loss"][-1] < 1e-6
        torch.testing.assert_close(module.weight, torch.tensor([[1.0, -2.0, 0.5]]), atol=1e-3, rtol=0)


def test_a_long_sequence_trains() -> None:
    values = np.random.default_rng(0).normal(size=(100, 3))
    batches = ContinuousBatches(values, values.sum(1, keepdims=True), batch_size=5, steps=4)
    history = train(net(), batches, epochs=60, training=Training(learning_rate=0.1))
    assert history["loss"][-1] < 1e-5


def test_validation_data_may_be_anything_that_data_may(arrays: Data) -> None:
    spec = Training(epochs=1)
    scores = [
        train(net(), arrays, validation_data=given, training=spec, seed=1)["val_loss"]
        for given in (arrays, Arrays(*arrays), Batches(Arrays(*arrays), 7), [arrays])
    ]
    assert [score[0] for score in scores] == pytest.approx([scores[0][0]] * 4, rel=1e-5)


def test_a_seed_gives_the_same_bits_and_the_callers_generator_back(arrays: Data) -> None:
    def trained(seed: int | None) -> Tensor:
        module = nn.Sequential(net(), nn.Dropout(0.5))
        torch.manual_seed(99)
        before = torch.get_rng_state()
        train(module, arrays, epochs=2, batch_size=7, seed=seed)
        assert torch.equal(before, torch.get_rng_state()) == (seed is not None)
        return next(module.parameters()).detach().clone()

    assert torch.equal(trained(4), trained(4))
    assert not torch.equal(trained(4), trained(5))
    assert torch.equal(trained(None), trained(None))  # torch's own generator decides


def test_own_loss_metric_optimizer_and_callback(arrays: Data) -> None:
    def cubic(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs() ** 3

    def bias(output: Tensor, target: Tensor) -> Tensor:
        return output - target

    class Halve(Callback):
        def on_epoch_end(self, state: TrainingState) -> None:
            state.learning_rate /= 2
            state.logs["rate"] = state.learning_rate

    history = train(
        net(),
        arrays,
        epochs=3,
        loss=cubic,
        metrics=[bias],
        optimizer=lambda parameters: torch.optim.Adagrad(parameters, lr=0.8),
        callbacks=[Halve()],
        seed=0,
    )
    assert history["rate"] == [0.4, 0.2, 0.1]
    assert len(history["bias"]) == 3
    assert history["loss"][2] < history["loss"][0]


def test_weights_of_examples_decide() -> None:
    X = np.ones((2, 1))
    module = nn.Linear(1, 1, bias=False)
    train(
        module,
        (X, np.array([[0.0], [4.0]]), np.array([3.0, 1.0])),
        epochs=200,
        training=Training(optimizer="sgd", learning_rate=0.1),
    )
    assert module.weight.item() == pytest.approx(1.0, abs=1e-5)  # the weighted mean of 0 and 4


def test_classes_are_learnt() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (X[:, 0] > X[:, 1]).astype(np.int64)
    history = train(
        nn.Linear(2, 2),
        (X, y),
        epochs=60,
        loss="cross_entropy",
        metrics=["accuracy"],
        training=Training(learning_rate=0.1),
        seed=0,
    )
    assert history["accuracy"][-1] > 0.97


def test_it_stops_early_only_when_asked(arrays: Data) -> None:
    still = Training(learning_rate=1e-12, patience=1)
    assert train(net(), arrays, epochs=20, validation_split=0.2, training=still).epochs == 20
    stopping = EarlyStopping(patience=2, min_delta=1.0)
    history = train(net(), arrays, epochs=20, validation_split=0.2, training=still, callbacks=[stopping])
    assert history.epochs == 3


def test_output_and_target_of_unlike_shape_are_refused() -> None:
    X = np.ones((4, 3))
    with pytest.raises(ShapeError, match=r"output has shape \[4, 1\], the target \[4, 2\]"):
        train(net(), (X, np.ones((4, 2))))
    history = train(net(), (X, np.ones(4)), epochs=1)  # [n] against [n, 1] is meant
    assert history.epochs == 1


def test_options_that_cannot_go_together_are_refused(arrays: Data) -> None:
    with pytest.raises(SpecError, match="validation_split and validation_data are two ways"):
        train(net(), arrays, validation_split=0.1, validation_data=arrays)
    with pytest.raises(SpecError, match="batch_size=8 cannot change a Batches: it has batches already"):
        train(net(), Batches(Arrays(*arrays), 4), batch_size=8)
    with pytest.raises(SpecError, match="carries a state from batch to batch, which shuffled examples would mix up"):
        train(Stateful(), arrays)
    with pytest.raises(SpecError, match="needs a CUDA device"):
        train(net(), arrays, training=Training(precision="float16"))
    assert train(Stateful(), Batches(Arrays(*arrays), 10)).steps == 5


def test_no_progress_bar_where_there_is_no_terminal(arrays: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    train(net(), arrays, epochs=2)
    assert stream.getvalue() == ""


def test_a_progress_bar_where_there_is_one(arrays: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    train(net(), arrays, epochs=2)
    assert "epoch 2" in stream.getvalue()
    assert "4/4" in stream.getvalue()
