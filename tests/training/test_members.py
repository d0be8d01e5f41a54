from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tidegate.data import Batch, Ragged, RaggedExamples
from tidegate.nn import PooledNetwork, Pooling, build_network
from tidegate.specs import Recurrent, Training
from tidegate.training import EarlyStopping, Supervised, member_outputs, train_members

CPU = torch.device("cpu")


def _examples(count: int = 40) -> RaggedExamples:
    """Sequences that rise or fall."""
    generator = np.random.default_rng(0)
    codes = np.arange(count) % 2
    rows = [
        (np.linspace(0, 2 * code - 1, length)[:, None] + generator.normal(0, 0.05, (length, 1))).astype(np.float32)
        for code, length in zip(codes, generator.integers(3, 12, count), strict=True)
    ]
    return RaggedExamples(Ragged.of(rows), codes)


def _make() -> nn.Module:
    return PooledNetwork(build_network(Recurrent(hidden_size=8), 1), Pooling(8, "last"), 2)


def _trained(**options: object) -> tuple[nn.ModuleList, object]:
    settings = {"training": Training(epochs=15, batch_size=8, learning_rate=0.02), "seed": 0, "device": CPU, **options}
    return train_members(_make, _examples(), Supervised("cross_entropy"), **settings)  # type: ignore[arg-type]


def test_members_learn_and_differ() -> None:
    networks, history = _trained(members=2)
    logits = member_outputs(networks, _examples())
    assert logits.shape == (2, 40, 2)
    assert (logits.argmax(-1) == np.arange(40) % 2).mean() > 0.95
    assert not np.allclose(logits[0], logits[1])
    assert len(history["loss"]) == 15  # type: ignore[index]


def test_the_first_member_is_the_same_beside_others() -> None:
    (alone,), _ = _trained(members=1)
    (first, _), _ = _trained(members=2)
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, first.state_dict()[name])


def test_answers_come_in_the_order_of_the_examples_and_alone_as_in_company() -> None:
    networks, _ = _trained(members=1)
    examples = _examples()
    together = member_outputs(networks, examples, batch_size=7)[0]
    alone = [member_outputs(networks, examples.subset(np.array([index])))[0, 0] for index in range(len(examples))]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_a_caller_says_how_a_network_is_asked() -> None:
    networks, _ = _trained(members=1)

    def lengths(network: nn.Module, batch: Batch[Tensor]) -> Tensor:
        assert batch.lengths is not None
        return batch.lengths

    assert member_outputs(networks, _examples(), call=lengths)[0].tolist() == _examples().lengths.tolist()


def test_validation_stops_each_member_for_itself() -> None:
    made: list[EarlyStopping] = []

    def callbacks() -> tuple[EarlyStopping]:
        made.append(EarlyStopping("val_accuracy", patience=1, restore_best_weights=True))
        return (made[-1],)

    training = Training(epochs=50, batch_size=8, learning_rate=0.05)
    _, history = _trained(
        members=2, training=training, validation=_examples(11), metrics=("accuracy",), callbacks=callbacks
    )
    assert len(made) == 2
    assert len(history["val_accuracy"]) < 50  # type: ignore[index]
