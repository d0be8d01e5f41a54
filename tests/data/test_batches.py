from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.data import Arrays, Batches, ContinuousBatches
from tidegate.errors import DataError, ShapeError, SpecError, StateError


def _dealt(batches: Batches) -> list[list[float]]:
    return [batch.values.tolist() for batch in batches]


def test_a_pass_deals_every_example_once_in_order() -> None:
    batches = Batches(Arrays(np.arange(7.0), np.arange(7.0) * 10, weight=np.ones(7)), 3)
    dealt = list(batches)
    assert len(batches) == 3
    assert [batch.values.tolist() for batch in dealt] == [[0, 1, 2], [3, 4, 5], [6]]
    assert dealt[1].target is not None
    assert dealt[1].target.tolist() == [30, 40, 50]
    assert dealt[1].weight is not None
    assert dealt[1].lengths is None


def test_drop_last_leaves_the_smaller_batch_out() -> None:
    assert _dealt(Batches(Arrays(np.arange(7.0)), 3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(SpecError, match="drop_last=True leaves no batch: 2 examples, batch_size=3"):
        Batches(Arrays(np.arange(2.0)), 3, drop_last=True)


def test_shuffling_permutes_anew_each_pass_and_follows_from_the_seed() -> None:
    first, again, other = (Batches(Arrays(np.arange(50.0)), 50, shuffle=True, seed=seed) for seed in (3, 3, 4))
    one, two = _dealt(first)[0], _dealt(first)[0]
    assert sorted(one) == sorted(two) == list(range(50))
    assert one != two
    assert [one, two] == [_dealt(again)[0], _dealt(again)[0]]
    assert one != _dealt(other)[0]


@given(size=st.integers(1, 40), batch=st.integers(1, 9), stop=st.integers(0, 60), seed=st.integers(0, 5))
def test_a_restored_sampler_goes_on_exactly(size: int, batch: int, stop: int, seed: int) -> None:
    def endless(batches: Batches, count: int) -> list[list[float]]:
        dealt: list[list[float]] = []
        while len(dealt) < count:
            for each in batches:
                dealt.append(each.values.tolist())
                if len(dealt) == count:
                    break
        return dealt

    def fresh() -> Batches:
        return Batches(Arrays(np.arange(float(size))), batch, shuffle=True, seed=seed)

    whole = endless(fresh(), stop + 10)
    interrupted, resumed = fresh(), fresh()
    before = endless(interrupted, stop)
    resumed.load_state_dict(interrupted.state_dict())
    assert before + endless(resumed, 10) == whole


@given(size=st.integers(1, 30), world=st.integers(1, 5))
def test_processes_share_the_examples_and_get_equally_many(size: int, world: int) -> None:
    def share_of(rank: int) -> list[float]:
        batches = Batches(Arrays(np.arange(float(size))), 4, shuffle=True, rank=rank, world_size=world)
        return [value for batch in _dealt(batches) for value in batch]

    shares = [share_of(rank) for rank in range(world)]
    assert {len(share) for share in shares} == {-(-size // world)}
    dealt = [value for share in shares for value in share]
    assert set(dealt) == set(range(size))
    assert len(dealt) - size < world


def test_states_from_elsewhere_are_refused() -> None:
    batches = Batches(Arrays(np.arange(4.0)), 2)
    with pytest.raises(StateError, match="stands at batch 3 of pass 0, but a pass has 2 batches"):
        batches.load_state_dict({"epoch": 0, "position": 3})
    with pytest.raises(StateError, match="expected a state with 'epoch' and 'position'"):
        batches.load_state_dict({"epoch": 0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"rank": 2, "world_size": 2}, r"rank must be less than world_size \(2\); got 2"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Batches(Arrays(np.arange(4.0)), **{"batch_size": 2, **options})  # type: ignore[arg-type]


def test_arrays_refuse_what_cannot_be_trained_on() -> None:
    with pytest.raises(ShapeError, match="X has 3 examples, but y has 2"):
        Arrays(np.zeros((3, 2)), np.zeros(2))
    broken = np.zeros((4, 2))
    broken[2, 1] = np.inf
    with pytest.raises(DataError, match=r"X must be finite; row 2 holds inf \(at index \(2, 1\)\)"):
        Arrays(broken)
    with pytest.raises(ShapeError, match="at least one row"):
        Arrays(np.zeros((0, 2)))
    with pytest.raises(ShapeError, match="array of numbers; got dtype <U1"):
        Arrays(np.array(["a"]))
    with pytest.raises(DataError, match=r"lengths must lie in 1 … 5 \(time of X\); row 1 has 6"):
        Arrays(np.zeros((2, 5, 1)), lengths=[5, 6])
    with pytest.raises(ShapeError, match="lengths must be whole numbers"):
        Arrays(np.zeros((2, 5, 1)), lengths=[5.0, 4.0])
    with pytest.raises(DataError, match="weights must be at least 0; row 1 has -1"):
        Arrays(np.zeros(2), weight=[1, -1])
    with pytest.raises(ShapeError, match=r"weight must be \[example\]"):
        Arrays(np.zeros(2), weight=np.ones((2, 1)))


def test_a_split_holds_out_the_end() -> None:
    source = Arrays(np.arange(10.0), np.arange(10.0), lengths=None)
    first, last = source.split(0.25)
    assert (first.X.tolist(), last.X.tolist()) == (list(range(8)), [8, 9])
    assert np.shares_memory(first.X, source.X)
    with pytest.raises(SpecError, match="leaves none to train on"):
        Arrays(np.zeros(1)).split(0.5)
    with pytest.raises(SpecError, match="share must be more than 0"):
        source.split(0.0)
    with pytest.raises(SpecError, match="0 ≤ start < stop ≤ 10"):
        source.subset(4, 4)


@given(size=st.integers(1, 60), rows=st.integers(1, 6), steps=st.integers(1, 9))
def test_rows_of_continuous_batches_go_on_from_batch_to_batch(size: int, rows: int, steps: int) -> None:
    values = np.arange(size)
    if size < rows:
        with pytest.raises(ShapeError, match="cannot be cut"):
            ContinuousBatches(values, values, batch_size=rows, steps=steps)
        return
    batches = ContinuousBatches(values, values + 1, batch_size=rows, steps=steps)
    dealt = list(batches)
    assert len(dealt) == len(batches)
    joined = np.concatenate([batch.values for batch in dealt], axis=1)
    assert joined.tolist() == values[: size // rows * rows].reshape(rows, -1).tolist()
    assert all(np.array_equal(batch.target, batch.values + 1) for batch in dealt if batch.target is not None)
    assert batches.state_dict() == {"epoch": 1, "position": 0}


def test_continuous_batches_restart_and_refuse() -> None:
    batches = ContinuousBatches(np.zeros((20, 2)), np.zeros(20), batch_size=2, steps=4)
    walk = iter(batches)
    next(walk)
    state = batches.state_dict()
    assert state == {"epoch": 0, "position": 1}
    other = ContinuousBatches(np.zeros((20, 2)), np.zeros(20), batch_size=2, steps=4)
    other.load_state_dict(state)
    assert [batch.values.shape for batch in other] == [(2, 4, 2), (2, 2, 2)]
    with pytest.raises(ShapeError, match="values has 3 time steps, but target has 2"):
        ContinuousBatches(np.zeros(3), np.zeros(2), batch_size=1, steps=1)


# ---------------------------------------------------------------------------------------------------- chances


def _drawn(chances: list[float], *, passes: int = 1, seed: int = 0, **options: Any) -> list[list[int]]:
    source = Arrays(np.arange(len(chances)))
    batches = Batches(source, 7, shuffle=True, seed=seed, chances=np.array(chances), **options)
    return [[int(value) for batch in batches for value in batch.values] for _ in range(passes)]


@given(
    chances=st.lists(st.sampled_from([0.0, 0.1, 1.0, 2.5, 40.0]), min_size=1, max_size=40).filter(any),
    seed=st.integers(0, 5),
)
def test_examples_are_drawn_as_often_as_their_chances_say(chances: list[float], seed: int) -> None:
    (drawn,) = _drawn(chances, seed=seed)
    counts = np.bincount(drawn, minlength=len(chances))
    expected = len(chances) * np.array(chances) / sum(chances)
    assert counts.sum() == len(chances)
    # Systematic: one more or fewer than the share at most, whatever the luck.
    assert (np.abs(counts - expected) < 1 + 1e-9).all()
    assert counts[np.array(chances) == 0].sum() == 0


def test_what_is_left_over_evens_out_over_passes() -> None:
    passes = _drawn([0.5, 0.5, 1.0, 2.0], passes=400)
    shares = np.bincount(np.concatenate(passes), minlength=4) / 1600
    np.testing.assert_allclose(shares, [1 / 8, 1 / 8, 1 / 4, 1 / 2], atol=0.02)
    assert len({tuple(order) for order in passes[:20]}) > 10  # in another order each pass


def test_equal_chances_deal_every_example_once() -> None:
    first, second = _drawn([3.0] * 20, passes=2)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


@given(size=st.integers(1, 30), batch=st.integers(1, 9), stop=st.integers(0, 40))
def test_drawing_goes_on_exactly_where_it_was_broken_off(size: int, batch: int, stop: int) -> None:
    def fresh() -> Batches:
        chances = np.linspace(0.1, 5, size)
        return Batches(Arrays(np.arange(float(size))), batch, shuffle=True, seed=2, chances=chances)

    def some(batches: Batches, count: int) -> list[list[float]]:
        dealt: list[list[float]] = []
        while len(dealt) < count:
            for each in batches:
                dealt.append(each.values.tolist())
                if len(dealt) == count:
                    break
        return dealt

    whole = some(fresh(), stop + 8)
    interrupted, resumed = fresh(), fresh()
    before = some(interrupted, stop)
    resumed.load_state_dict(interrupted.state_dict())
    assert before + some(resumed, 8) == whole


def test_processes_share_what_is_drawn() -> None:
    chances = [1.0, 2.0, 3.0, 4.0, 2.0]
    (alone,) = _drawn(chances)
    shares = [_drawn(chances, rank=rank, world_size=2)[0] for rank in range(2)]
    assert [len(share) for share in shares] == [3, 3]
    assert sorted(shares[0] + shares[1]) == sorted([*alone, alone[0]])


@pytest.mark.parametrize(
    ("chances", "options", "error", "message"),
    [
        ([1, 1, 1, 1], {}, SpecError, "without shuffle=True each comes once, in order"),
        ([1, 1, 1], {"shuffle": True}, ShapeError, r"chances must be \[4\], one an example; got \[3\]"),
        ([1, 1, -1, 1], {"shuffle": True}, SpecError, "chances must be finite and at least 0, and some of them more"),
        ([1, np.inf, 1, 1], {"shuffle": True}, SpecError, "chances must be finite"),
        ([0, 0, 0, 0], {"shuffle": True}, SpecError, "and some of them more"),
    ],
)
def test_chances_that_say_nothing(chances: list[float], options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Batches(Arrays(np.arange(4.0)), 2, chances=np.array(chances, float), **options)
