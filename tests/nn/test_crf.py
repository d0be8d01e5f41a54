"""The layer beside an enumeration of every path, on every implementation; what it promises and what it refuses."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.export import Dim

from tidegate.errors import DataError, ShapeError, SpecError
from tidegate.kernels.dispatch import REFERENCE, forced
from tidegate.nn import CRF

LENGTHS = (4, 0, 1, 3, 2)
BIO = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 1]], dtype=torch.bool)  # O, B, I: no I after O
MASKS: dict[str, dict[str, Any]] = {
    "free": {},
    "BIO": {"allowed_transitions": BIO, "allowed_start": [True, True, False]},
    "cyclic": {"allowed_transitions": torch.eye(3, dtype=torch.bool).roll(1, 0), "allowed_end": [True, True, False]},
}


@pytest.fixture(params=["fastest", REFERENCE])
def _implementation(request: pytest.FixtureRequest) -> Iterator[None]:
    with forced(REFERENCE) if request.param == REFERENCE else contextlib.nullcontext():
        yield


def build(masks: str = "free", *, labels: int = 3, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> CRF:
    torch.manual_seed(3)
    crf = CRF(labels, **MASKS[masks])
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_().mul_(scale)
    return crf.to(dtype)


def draw(labels: int = 3, *, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    emissions = scale * torch.randn(len(LENGTHS), 4, labels, generator=generator, dtype=torch.float64)
    return emissions.to(dtype), torch.tensor(LENGTHS)


class Paths:
    """Every allowed path of one row, and its score: the oracle. It knows products, sums and nothing of recursions."""

    def __init__(self, crf: CRF, emissions: Tensor, length: int) -> None:
        move, start, end = (parameter.detach().double().tolist() for parameter in crf.parameters())
        forbidden = [None if mask is None else mask.tolist() for _, mask in crf._masks()]
        values = emissions.double().tolist()
        self.scores: dict[tuple[int, ...], float] = {}
        for path in itertools.product(range(crf.labels), repeat=length):
            pairs = list(itertools.pairwise(path))
            if forbidden[0] and any(forbidden[0][i][j] for i, j in pairs):
                continue
            if path and ((forbidden[1] and forbidden[1][path[0]]) or (forbidden[2] and forbidden[2][path[-1]])):
                continue
            ends = [start[path[0]], end[path[-1]]] if path else []
            terms = [*ends, *(values[t][j] for t, j in enumerate(path)), *(move[i][j] for i, j in pairs)]
            self.scores[path] = math.fsum(terms)

    @property
    def log_partition(self) -> float:
        highest = max(self.scores.values())
        return highest + math.log(math.fsum(math.exp(score - highest) for score in self.scores.values()))

    def probability(self, step: int, label: int) -> float:
        total = self.log_partition
        return math.fsum(math.exp(s - total) for path, s in self.scores.items() if path[step] == label)

    def moves(self, i: int, j: int) -> float:
        """Give how often the move from i to j is expected."""
        total = self.log_partition
        return math.fsum(
            math.exp(score - total) * list(itertools.pairwise(path)).count((i, j))
            for path, score in self.scores.items()
        )

    @property
    def best(self) -> tuple[int, ...]:
        return max(self.scores, key=self.scores.__getitem__)


def oracles(crf: CRF, emissions: Tensor, lengths: Tensor) -> list[Paths]:
    return [Paths(crf, row, length) for row, length in zip(emissions, lengths.tolist(), strict=True)]


def padded(path: tuple[int, ...]) -> list[int]:
    return [*path, *[0] * (4 - len(path))]


def all_probabilities(rows: list[Paths]) -> Tensor:
    steps = torch.zeros(len(rows), 4, 3, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        for step, label in itertools.product(range(length), range(3)):
            steps[row, step, label] = rows[row].probability(step, label)
    return steps


def allowed_tags(oracle: list[Paths]) -> Tensor:
    """Give some allowed path for each row, not the best one."""
    return torch.tensor([padded(sorted(row.scores)[len(row.scores) // 2]) for row in oracle])


@pytest.mark.usefixtures("_implementation")
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_everything_agrees_with_an_enumeration_of_all_paths(masks: str, scale: float, dtype: torch.dtype) -> None:
    crf = build(masks, dtype=dtype)
    emissions, lengths = draw(scale=scale, dtype=dtype)
    emissions.requires_grad_()
    rows = oracles(crf, emissions, lengths)
    tags = allowed_tags(rows)
    close: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 2e-6, "atol": 1e-6}

    result = crf(emissions, tags, lengths=lengths)
    expected = [
        row.scores[tuple(path[:n])] - row.log_partition if n else 0.0
        for row, path, n in zip(rows, tags.tolist(), LENGTHS, strict=True)
    ]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=dtype), **close)

    probabilities = all_probabilities(rows).to(dtype)
    torch.testing.assert_close(crf.marginals(emissions.detach(), lengths=lengths), probabilities, **close)

    weight = torch.arange(1, 6).to(dtype)
    (result * weight).sum().backward()
    inside = torch.arange(4) < lengths[:, None]
    given = torch.nn.functional.one_hot(tags, 3) * inside[:, :, None]
    unary = (given - probabilities) * weight[:, None, None]
    assert emissions.grad is not None
    torch.testing.assert_close(emissions.grad, unary, **close)
    torch.testing.assert_close(crf.start.grad, unary[:, 0].sum(0), **close)
    last = torch.stack([unary[row, n - 1] for row, n in enumerate(LENGTHS) if n]).sum(0)
    torch.testing.assert_close(crf.end.grad, last, **close)
    pairs = torch.zeros(3, 3, dtype=torch.float64)
    for row, n in enumerate(LENGTHS):
        for i, j in itertools.product(range(3), repeat=2):
            made = list(itertools.pairwise(tags[row, :n].tolist())).count((i, j))
            pairs[i, j] += float(weight[row]) * (made - rows[row].moves(i, j))
    torch.testing.assert_close(crf.transitions.grad, pairs.to(dtype), **close)

    paths, scores = crf.decode(emissions, lengths=lengths)
    assert paths.tolist() == [padded(row.best) for row in rows]
    best = torch.tensor([row.scores[row.best] for row in rows], dtype=dtype)
    torch.testing.assert_close(scores, best, **close)
    assert not scores.requires_grad


@pytest.mark.usefixtures("_implementation")
@pytest.mark.parametrize("masks", MASKS)
def test_gradients_of_first_and_second_order(masks: str) -> None:
    crf = build(masks)
    emissions, lengths = draw()
    tags = allowed_tags(oracles(crf, emissions, lengths))

    def function(values: Tensor, *parameters: Tensor) -> Any:
        named = dict(zip(("transitions", "start", "end"), parameters, strict=True))
        return torch.func.functional_call(crf, named, (values, tags), {"lengths": lengths})

    variables = (emissions.requires_grad_(), crf.transitions, crf.start, crf.end)
    assert gradcheck(function, variables)
    assert gradgradcheck(function, variables)


def test_marginals_have_gradients() -> None:
    crf = build("BIO")
    emissions, lengths = draw()
    assert gradcheck(lambda values: crf.marginals(values, lengths=lengths), (emissions.requires_grad_(),))


@pytest.mark.usefixtures("_implementation")
def test_one_label() -> None:
    crf = CRF(1)
    emissions = torch.randn(2, 3, 1)
    assert crf(emissions, torch.zeros(2, 3, dtype=torch.int64)).tolist() == [0.0, 0.0]
    assert crf.decode(emissions)[0].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert crf.marginals(emissions.detach()).detach().flatten().tolist() == [1.0] * 6


@pytest.mark.usefixtures("_implementation")
@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3)])
def test_no_rows_and_no_steps(shape: tuple[int, ...]) -> None:
    crf, emissions = build(), torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    tags = torch.zeros(shape[:2], dtype=torch.int64)
    result = crf(emissions, tags)
    result.sum().backward()
    assert result.tolist() == [0.0] * shape[0]
    assert crf.transitions.grad is not None
    assert not crf.transitions.grad.any()
    assert crf.decode(emissions)[1].tolist() == [0.0] * shape[0]
    assert crf.marginals(emissions).shape == shape


@pytest.mark.usefixtures("_implementation")
def test_nothing_in_the_padding_is_looked_at() -> None:
    crf = build("BIO")
    emissions, lengths = draw()
    tags = allowed_tags(oracles(crf, emissions, lengths))
    beyond = torch.arange(4) >= lengths[:, None]
    spoilt, foreign = emissions.masked_fill(beyond[:, :, None], math.nan), tags.masked_fill(beyond, -100)
    results = []
    for values, path in ((emissions, tags), (spoilt, foreign)):
        variable = values.clone().requires_grad_()
        result = crf(variable, path, lengths=lengths)
        gradients = torch.autograd.grad(result.sum(), [variable, *crf.parameters()])
        answers = (*crf.decode(values, lengths=lengths), crf.marginals(values, lengths=lengths).detach())
        results.append((result.detach(), *gradients, *answers))
    for clean, dirty in zip(*results, strict=True):
        assert torch.equal(clean, dirty)
    assert not results[1][1][beyond].any()


@pytest.mark.usefixtures("_implementation")
def test_order_and_company_change_nothing() -> None:
    crf = build("BIO")
    emissions, lengths = draw()
    tags = allowed_tags(oracles(crf, emissions, lengths))
    together = crf(emissions, tags, lengths=lengths).detach()
    order = torch.tensor([3, 0, 4, 1, 2])
    turned = crf(emissions[order], tags[order], lengths=lengths[order])
    torch.testing.assert_close(turned, together[order], rtol=1e-12, atol=1e-12)
    for row, length in enumerate(LENGTHS):
        alone = crf(emissions[row : row + 1, :length], tags[row : row + 1, :length])
        torch.testing.assert_close(alone, together[row : row + 1], rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("_implementation")
def test_what_is_forbidden_has_no_probability_and_no_gradient() -> None:
    crf = build("BIO", scale=3)
    emissions = torch.zeros(1, 3, 3, dtype=torch.float64)
    emissions[..., 2] = 1e4  # everything speaks for I I I, which may not start
    assert crf.decode(emissions)[0].tolist() == [[1, 2, 2]]
    result = crf(emissions, torch.tensor([[0, 1, 2]]))
    result.sum().backward()
    assert crf.marginals(emissions)[0, 0, 2] == 0
    for name, mask in crf._masks():
        gradient = getattr(crf, name).grad
        assert gradient is not None
        assert gradient.isfinite().all()
        assert mask is None or not gradient[mask].any()


@pytest.mark.usefixtures("_implementation")
def test_a_likely_detour_that_leads_nowhere_hides_no_path() -> None:
    """The first step is all but certain of label 0, from which nothing goes on: what is left is e^-5000 of the sum."""
    moves = torch.tensor([[True, False, False], [False, True, True], [True, True, True]])
    crf = CRF(3, allowed_transitions=moves, allowed_end=[False, True, True]).double()
    emissions = torch.tensor([[[5000.0, 0.0, -3000.0], [0.0, 1.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    tags = torch.tensor([[1, 2]])
    (row,) = oracles(crf, emissions.detach(), torch.tensor([2]))
    result = crf(emissions, tags)
    assert float(result.detach()) == pytest.approx(row.scores[1, 2] - row.log_partition, rel=1e-12)
    result.sum().backward()
    probability = [row.probability(0, label) for label in range(3)]
    assert probability[0] == 0
    assert emissions.grad is not None
    torch.testing.assert_close(
        emissions.grad[0, 0], torch.tensor([0.0, 1.0, 0.0]).double() - torch.tensor(probability).double()
    )


@pytest.mark.usefixtures("_implementation")
def test_long_sequences_neither_overflow_nor_vanish() -> None:
    crf = build(dtype=torch.float32)
    emissions = torch.full((1, 3000, 3), 50.0)
    tags = torch.zeros(1, 3000, dtype=torch.int64)
    small = [float(crf(emissions[:, :steps], tags[:, :steps]).detach()) for steps in (100, 200)]
    per_step = (small[1] - small[0]) / 100  # far from both ends every step costs the same
    assert float(crf(emissions, tags).detach()) == pytest.approx(small[1] + 2800 * per_step, rel=1e-5)


@pytest.mark.usefixtures("_implementation")
def test_of_equal_paths_the_lower_labels_from_the_end() -> None:
    crf = CRF(3, allowed_transitions=~torch.eye(3, dtype=torch.bool))
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.zero_()
    assert crf.decode(torch.zeros(1, 5, 3))[0].tolist() == [[0, 1, 0, 1, 0]]


@pytest.mark.usefixtures("_implementation")
def test_an_emission_that_is_not_a_number_shows() -> None:
    crf = build()
    emissions, _ = draw()
    emissions[3, 1, 2] = math.nan
    assert crf(emissions, torch.zeros(5, 4, dtype=torch.int64)).isnan().tolist() == [False, False, False, True, False]
    message = r"^expected finite emissions; got nan in row 3, step 1, label 2$"
    with pytest.raises(DataError, match=message):
        crf.decode(emissions)
    with pytest.raises(DataError, match=message):
        crf.marginals(emissions)
    emissions[3, 1, 2] = math.inf
    with pytest.raises(DataError, match="got inf in row 3, step 1, label 2"):
        crf.decode(emissions)


@pytest.mark.usefixtures("_implementation")
@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([[1, 2, 2], [1, 0, 2]], "the move from tag 0 to tag 2 is forbidden, but made in row 1 from step 1 to step 2; "
         "mend the tags, or allow it"),
        ([[2, 2, 2], [1, 0, 0]], "no sequence may start with tag 2 in row 0, step 0"),
        ([[1, 1, 1], [1, 1, 7]], "expected tags from 0 to 2; got 7 in row 1, step 2"),
        ([[1, -1, 1], [1, 1, 1]], "expected tags from 0 to 2; got -1 in row 0, step 1"),
    ],
)  # fmt: skip
def test_impossible_tags_are_refused(tags: list[list[int]], message: str) -> None:
    crf = build("BIO")
    for emissions in (torch.zeros(2, 3, 3, dtype=torch.float64), torch.zeros(2, 3, 3).double().requires_grad_()):
        with pytest.raises(DataError) as caught:
            crf(emissions, torch.tensor(tags))
        assert str(caught.value) == message


def test_a_forbidden_end_is_refused_at_the_last_step_of_the_row() -> None:
    crf = CRF(2, allowed_end=[True, False])
    tags = torch.tensor([[0, 1, 0], [0, 1, 0]])
    assert crf(torch.zeros(2, 3, 2), tags).isfinite().all()
    with pytest.raises(DataError) as caught:
        crf(torch.zeros(2, 3, 2), tags, lengths=torch.tensor([3, 2]))
    assert str(caught.value) == "no sequence may end with tag 1 in row 1, step 1"


@pytest.mark.usefixtures("_implementation")
def test_a_row_without_any_path_is_refused() -> None:
    chain = torch.tensor([[False, True, False], [False, False, True], [False, False, False]])
    crf = CRF(3, allowed_transitions=chain)
    assert crf.decode(torch.zeros(1, 3, 3))[0].tolist() == [[0, 1, 2]]
    message = "^no path of 4 steps is allowed: row 1 cannot be labelled; allow more, or leave it out$"
    for call in (crf.decode, crf.marginals):
        with pytest.raises(DataError, match=message):
            call(torch.zeros(2, 4, 3), lengths=torch.tensor([3, 4]))


def test_what_the_constructor_refuses() -> None:
    with pytest.raises(SpecError, match="labels must be a whole number"):
        CRF(0)
    with pytest.raises(ShapeError) as caught:
        CRF(3, allowed_start=torch.ones(2, dtype=torch.bool))
    assert str(caught.value) == "expected allowed_start as booleans of shape [3]; got torch.bool of shape [2]"
    with pytest.raises(ShapeError, match=r"expected allowed_transitions as booleans of shape .* got torch\.float32"):
        CRF(3, allowed_transitions=torch.ones(3, 3))
    with pytest.raises(SpecError, match=r"^allowed_end allows nothing at all; at least one entry must be true$"):
        CRF(3, allowed_end=[False] * 3)


def test_what_a_call_refuses() -> None:
    crf, tags = CRF(3), torch.zeros(2, 4, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"^expected emissions of shape \[batch, time, 3\]; got shape \[2, 4, 5\]$"):
        crf(torch.zeros(2, 4, 5), tags)
    with pytest.raises(ShapeError, match=r"parameters' dtype, torch.float32; got torch.float64: convert one of them"):
        crf.decode(torch.zeros(2, 4, 3).double())
    with pytest.raises(ShapeError, match=r"expected tags as int64 of shape \[2, 4\], one a step; got torch.int32"):
        crf(torch.zeros(2, 4, 3), tags.int())
    with pytest.raises(ShapeError, match="expected lengths from 0 to 4, the steps of the input; got 5 in row 1"):
        crf(torch.zeros(2, 4, 3), tags, lengths=torch.tensor([1, 5]))


def test_half_precision_is_summed_in_full() -> None:
    crf = build(dtype=torch.float32)
    emissions, lengths = draw(dtype=torch.bfloat16)
    tags = torch.zeros(5, 4, dtype=torch.int64)
    half = build(dtype=torch.bfloat16)
    result = half(emissions, tags, lengths=lengths)
    assert result.dtype == torch.float32
    with torch.no_grad():
        for mine, theirs in zip(crf.parameters(), half.parameters(), strict=True):
            mine.copy_(theirs)
    assert torch.equal(result, crf(emissions.float(), tags, lengths=lengths))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(crf(emissions, tags, lengths=lengths), result)


def test_the_masks_are_no_state_and_move_along() -> None:
    crf = build("BIO")
    assert set(crf.state_dict()) == {"transitions", "start", "end"}
    assert repr(crf) == "CRF(3, 1 forbidden in transitions, 1 forbidden in start)"
    assert crf.to("meta").forbidden_start.is_meta


class Loss(torch.nn.Module):
    """A loss, for programs."""

    def __init__(self) -> None:
        super().__init__()
        self.crf = build("BIO")

    def forward(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        result: Tensor = -self.crf(emissions, tags, lengths=lengths).mean()
        return result


class Answers(torch.nn.Module):
    """Paths and probabilities, for programs."""

    def __init__(self) -> None:
        super().__init__()
        self.crf = build("BIO")

    def forward(self, emissions: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        return (*self.crf.decode(emissions, lengths=lengths), self.crf.marginals(emissions, lengths=lengths))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of torch's own tracing
def test_compile_trains() -> None:
    torch.compiler.reset()
    loss = Loss()
    compiled: Any = torch.compile(loss, fullgraph=True, backend="aot_eager")
    emissions, lengths = draw()
    tags = allowed_tags(oracles(loss.crf, emissions, lengths))
    parameters = list(loss.parameters())
    expected = torch.autograd.grad(loss(emissions, tags, lengths), parameters)
    result = torch.autograd.grad(compiled(emissions, tags, lengths), parameters)
    for here, there in zip(result, expected, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of torch's own tracing
def test_export_with_dynamic_batch_and_time() -> None:
    answers = Answers().eval()
    emissions, lengths = draw()
    batch, time = Dim("batch", min=2), Dim("time", min=2)
    with torch.no_grad():
        program = torch.export.export(answers, (emissions, lengths), dynamic_shapes=({0: batch, 1: time}, {0: batch}))
        longer = torch.cat([emissions, emissions], 1)[:3]
        given = (longer, torch.tensor([8, 5, 0]))
        for here, there in zip(program.module()(*given), answers(*given), strict=True):
            assert torch.equal(here, there)
