"""Students of forecasters: the loss at a teacher's forecast, what the teacher reads, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tidegate import Columns, Direct, Forecaster, Recursive, Scaling, Training, Uncertainty
from tidegate.data import Batch
from tidegate.errors import DataError, SpecError
from tidegate.estimator.teaching import Teacher
from tidegate.forecast.ensemble import EnsembleObjective, ForecastEnsemble
from tidegate.forecast.network import ForecastNetwork
from tidegate.forecast.teaching import PROBABILITIES, Lesson

MakeFrame = Callable[..., pd.DataFrame]
MakeForecaster = Callable[..., Forecaster]
MakeNetwork = Callable[..., ForecastNetwork]
MakeBatch = Callable[..., Batch[Tensor]]

QUICK = Training(max_steps=3, batch_size=16, validation=0.0)
LONG = Training(max_steps=80, batch_size=16, learning_rate=1e-2, validation=0.0)
QUANTILES = Uncertainty(head="quantiles", quantiles=(0.1, 0.5, 0.9))


def ensemble_of(networks: list[ForecastNetwork]) -> ForecastEnsemble:
    ensemble = ForecastEnsemble([network.design for network in networks])
    ensemble.members = torch.nn.ModuleList(networks)
    return ensemble


def loss_of(network: ForecastNetwork, batch: Batch[Tensor], answers: Tensor | None, share: float) -> float:
    """Give the loss that a training would minimise."""
    ensemble = ensemble_of([network]).train()
    objective = EnsembleObjective(None if answers is None else lambda _: answers, share)
    return float(objective(ensemble, batch).loss.detach())


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_loss_is_that_of_what_the_teacher_says_would_come(
    make_network: MakeNetwork, make_batch: MakeBatch, share: float, independent: bool
) -> None:
    channels = {"strategy": Direct(channels="independent")} if independent else {}
    network = make_network(uncertainty=QUANTILES, targets=2, **channels)
    batch = dataclasses.replace(make_batch(targets=2), weight=torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64))
    answers = 50 + 10 * torch.rand(9, *batch.target.shape, dtype=torch.float64)  # type: ignore[union-attr]
    each = [
        loss_of(network, dataclasses.replace(batch, target=answer), None, 0.0) for answer in answers
    ]  # as if it had come
    truth = loss_of(network, batch, None, 0.0)
    expected = (1 - share) * truth + share * np.mean(each)
    assert loss_of(network, batch, answers, share) == pytest.approx(expected)
    assert abs(expected - truth) > 1e-3


def test_where_the_truth_is_missing_the_teacher_does_not_count(
    make_network: MakeNetwork, make_batch: MakeBatch
) -> None:
    network, batch = make_network(), make_batch(missing=0.4)
    assert batch.target is not None
    assert batch.target_observed is not None
    answers = 50 + 10 * torch.rand(1, *batch.target.shape, dtype=torch.float64)
    other = torch.where(batch.target_observed, answers, 1e6)
    assert not batch.target_observed.all()
    assert loss_of(network, batch, answers, 0.5) == loss_of(network, batch, other, 0.5)


def test_what_the_students_transform_cannot_take_gives_way_to_the_truth(
    make_network: MakeNetwork, make_batch: MakeBatch
) -> None:
    network, batch = make_network(scaling=Scaling(transform="log", output="centre")), make_batch(missing=0.0)
    assert batch.target is not None
    answers = -torch.ones(1, *batch.target.shape, dtype=torch.float64)
    assert loss_of(network, batch, answers, 0.5) == pytest.approx(loss_of(network, batch, None, 0.0))


def test_a_validation_goes_by_the_truth(make_network: MakeNetwork, make_batch: MakeBatch) -> None:
    def never(_: Batch[Tensor]) -> Tensor:
        raise AssertionError("the teacher was asked")

    ensemble, batch = ensemble_of([make_network()]).eval(), make_batch()
    assert torch.equal(EnsembleObjective(never, 1.0)(ensemble, batch).loss, EnsembleObjective()(ensemble, batch).loss)


@pytest.mark.parametrize("head", ["point", "quantiles", "gaussian"])
@pytest.mark.parametrize("strategy", [Direct(), Recursive()])
def test_a_student_is_pulled_to_its_teacher(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, strategy: Any, head: str
) -> None:
    frame = make_frame(rows=40)
    options = {"strategy": strategy, "uncertainty": Uncertainty(head=head)}
    teacher = make_forecaster(**options, training=QUICK).fit(frame)
    taught = make_forecaster(**options, training=LONG, seed=1)
    asked = [
        model.predict(frame)["y_hat"].to_numpy() / np.repeat([1, 10, 100], 4)
        for model in (teacher, taught.fit(frame, teacher=Teacher(model=teacher, share=1.0)))
    ]
    alone = make_forecaster(**options, training=LONG, seed=1).fit(frame).predict(frame)["y_hat"].to_numpy()
    assert np.abs(asked[0] - asked[1]).mean() < 0.3 * np.abs(asked[0] - alone / np.repeat([1, 10, 100], 4)).mean()


def test_several_members_answer_by_their_median_quantiles(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, make_batch: MakeBatch
) -> None:
    teacher = make_forecaster(uncertainty=QUANTILES, members=3, training=QUICK).fit(make_frame())
    lesson = Lesson(ensemble=teacher.network_, settled=teacher.settled_, share=0.5, recursive=False)
    batch = make_batch(context=teacher.context_)
    wanted = torch.tensor(PROBABILITIES, dtype=torch.float64)
    with torch.no_grad():
        each = np.stack([network.quantiles(batch, wanted, None).numpy() for network in teacher.network_.networks])
    found = lesson(batch)
    assert found.shape == (9, 3, 4, 1)
    np.testing.assert_allclose(found.movedim(0, -1), np.sort(np.median(each, axis=0), axis=-1), rtol=1e-6)


def test_a_recursive_teacher_is_given_the_true_steps(
    make_frame: MakeFrame, make_forecaster: MakeForecaster, make_batch: MakeBatch
) -> None:
    teacher = make_forecaster(strategy=Recursive(), training=LONG).fit(make_frame(rows=40))
    lesson = Lesson(ensemble=teacher.network_, settled=teacher.settled_, share=0.5, recursive=True)
    batch = make_batch(context=teacher.context_, missing=0.0)
    assert batch.target is not None
    target = batch.target.clone()
    target[:, 2] += 5
    before, after = lesson(batch), lesson(dataclasses.replace(batch, target=target))
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert bool((before[:, :, 3] != after[:, :, 3]).all())


def test_a_teacher_may_read_further_back(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame()
    teacher = make_forecaster(context=24, training=QUICK).fit(frame)
    seen: list[int] = []
    hook = teacher.network_.networks[0].register_forward_pre_hook(
        lambda _, arguments: seen.append(arguments[0].values.shape[1])
    )
    student = make_forecaster(context=12, training=QUICK).fit(frame, teacher=Teacher(model=teacher))
    hook.remove()
    assert set(seen) == {24}
    assert student.context_ == 12


def test_same_seed_same_bits(make_frame: MakeFrame, make_forecaster: MakeForecaster) -> None:
    frame = make_frame(rows=40)
    teacher = Teacher(model=make_forecaster(training=QUICK).fit(frame))
    found = [make_forecaster(training=QUICK, seed=7).fit(frame, teacher=teacher).predict(frame) for _ in "ab"]
    pd.testing.assert_frame_equal(found[0], found[1], check_exact=True)


@pytest.mark.parametrize(
    ("given", "own", "terms", "message"),
    [
        ({"horizon": 3}, {}, {}, "the teacher forecasts 3 steps, the student 4; give both the same"),
        (
            {"strategy": "recursive"},
            {},
            {},
            "a recursive network learns each step from the true steps before it, others learn all steps from the "
            "context alone; the teacher is 'recursive', the student 'direct': take 'recursive' for both or neither",
        ),
        (
            {"uncertainty": Uncertainty(head="point")},
            {"uncertainty": QUANTILES},
            {},
            "the teacher forecasts points, a student with the head 'quantiles' distributions: it would learn that they "
            "have no spread; give the student Uncertainty(head='point'), or another teacher",
        ),
        (
            {},
            {},
            {"temperature": 2.0},
            "temperature softens the probabilities of classes, and a forecast has none; leave it out, got "
            "temperature=2.0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    make_frame: MakeFrame,
    make_forecaster: MakeForecaster,
    given: dict[str, Any],
    own: dict[str, Any],
    terms: dict[str, Any],
    message: str,
) -> None:
    frame = make_frame(rows=40)
    given = {"uncertainty": Uncertainty(head="point"), **given}
    teacher = make_forecaster(**given, training=QUICK).fit(frame)
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        make_forecaster(**own).fit(frame, teacher=Teacher(model=teacher, **terms))


@pytest.mark.parametrize(
    ("columns", "change", "options", "message"),
    [
        (
            Columns(static=("kind",)),
            {"kind": "odd"},
            {},
            "the teacher has learned the categories (('even', 'odd'),) of the static covariates, the table has "
            "(('odd',),); a student learns from the rows of its teacher, or from others with the same categories",
        ),
        (
            Columns(fourier=1),
            {},
            {"season": 7},
            "the teacher reads Fourier features of the seasons [6], the student of [7]; give the student season=(6,)",
        ),
        (
            Columns(past=("visits",)),
            {},
            {"columns": Columns()},
            "the model was trained with past=('visits',), the table was read with past=(); read it with the columns of "
            "the model",
        ),
    ],
)
def test_a_student_that_reads_other_covariates_is_refused(
    make_shop: MakeFrame,
    make_forecaster: MakeForecaster,
    columns: Columns,
    change: dict[str, Any],
    options: dict[str, Any],
    message: str,
) -> None:
    frame = make_shop(rows=40)
    teacher = make_forecaster(columns=columns, training=QUICK).fit(frame)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        make_forecaster(**{"columns": columns, **options}).fit(frame.assign(**change), teacher=Teacher(model=teacher))


def test_parameters_of_each_series_go_by_the_teachers_numbers(
    make_frame: MakeFrame, make_forecaster: MakeForecaster
) -> None:
    frame = make_frame(rows=40)
    teacher = make_forecaster(strategy="smoothing", training=LONG).fit(frame)
    fewer = frame[frame["unique_id"] != "s0"]
    assert teacher.settled_.ids == ("s0", "s1", "s2")
    student = make_forecaster(strategy="smoothing", training=QUICK)
    seen: list[list[int]] = []
    module = teacher.network_.networks[0]
    hook = module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].series.tolist()))
    student.fit(fewer, teacher=Teacher(model=teacher))
    hook.remove()
    assert {number for row in seen for number in row} == {1, 2}
