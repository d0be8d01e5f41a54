"""What a teacher says of sentences, for a student to learn from."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tidegate.data import Batch
from tidegate.data.conll import ConllSentences
from tidegate.errors import SpecError
from tidegate.estimator.teaching import Teacher
from tidegate.nn.crf import CRF
from tidegate.text.tagging.answers import TaggerAnswers, pooled_crf
from tidegate.text.tagging.examples import TaggedExamples, TaggingObjective
from tidegate.text.tagging.network import TaggerDesign, TaggerNetwork
from tidegate.training import Outcome
from tidegate.training.distillation import Answered

__all__ = ["Lesson", "TaughtTagging", "path_cross_entropy"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """A fitted tagger, and how much it counts.

    It reads sentences by its own vocabulary, so that its student may have another. Several members answer by the CRF
    of their mean scores, as they do elsewhere; how ``O`` is lowered when tags are decided plays no part.

    Parameters
    ----------
    answers
        The teacher's networks, and what they read.
    terms
        Share and temperature.
    """

    answers: TaggerAnswers
    terms: Teacher

    def require(self, design: TaggerDesign) -> None:
        """Refuse a student that has other tags. Raises `DataError`, and `SpecError` for another scheme."""
        taught = self.answers.members[0].design
        self.terms.require_classes(taught.types, design.types)
        if taught.scheme != design.scheme:
            raise SpecError(
                f"the teacher has learned tags in the scheme {taught.scheme!r}, the student is to learn "
                f"{design.scheme!r}; give both the same TagSchemes(learned=…)"
            )

    def answered(self, examples: TaggedExamples, given: ConllSentences) -> Answered:
        """Put the teacher's scores of tags beside the sentences, ``[token, label]``."""
        return Answered(examples, self.answers.emissions(given))

    def objective(self, objective: TaggingObjective) -> TaughtTagging:
        """Give what a student minimises."""
        return TaughtTagging(objective, pooled_crf(self.answers.members), self.terms.share, self.terms.softness)


class TaughtTagging:
    """The likelihood of the true tags, and the cross-entropy of whole taggings to a teacher's CRF.

    Parameters
    ----------
    objective
        Of the true tags.
    crf
        The teacher's; its scores of each token are the ``answer`` of a batch. It is copied.
    share
        How much the cross-entropy counts; the likelihood counts for the rest.
    temperature
        What the scores of both are divided by in the cross-entropy, which is multiplied by its square.
    """

    def __init__(self, objective: TaggingObjective, crf: CRF, share: float, temperature: float) -> None:
        self.objective, self.share, self.temperature = objective, share, temperature
        self.crf = copy.deepcopy(crf).requires_grad_(True)

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Score a batch; one without answers, as those of a validation are, by the truth alone."""
        outcome = self.objective(module, batch)
        if batch.answer is None:
            return outcome
        assert isinstance(module, TaggerNetwork)
        assert outcome.output is not None
        assert batch.target is not None
        taught = path_cross_entropy(
            (module.crf, outcome.output),
            (self.crf.to(outcome.output.device), batch.answer),
            batch.target,
            batch.lengths,
            temperature=self.temperature,
        )
        loss = taught * self.temperature**2 / outcome.weight
        return dataclasses.replace(outcome, loss=(1 - self.share) * outcome.loss + self.share * loss)


def path_cross_entropy(
    student: tuple[CRF, Tensor],
    teacher: tuple[CRF, Tensor],
    tags: Tensor,
    lengths: Tensor | None,
    *,
    temperature: float = 1.0,
) -> Tensor:
    r"""Give the cross-entropy of whole sequences of labels between two CRFs (Wang et al., 2021).

    .. math::

        -\sum_y p_T(y) \log p_S(y) = -\log p_S(y^*) + \left\langle \nabla \log p_T(y^*),\, s_S \right\rangle

    for any labels y* that may be: a path's score is linear in the scores s of emissions, transitions, start and end,
    and the gradient of the teacher's log-likelihood by its scores is what y* has of each less what is expected of it.
    So no path but y* is looked at, and nothing is left out or drawn.

    Parameters
    ----------
    student, teacher
        Each a CRF of the same labels and its emissions ``[batch, time, label]``. Only the student's are learned.
    tags
        int64 ``[batch, time]``, y*.
    lengths
        ``[batch]``, or ``None``.
    temperature
        What all scores are divided by.

    Returns
    -------
    Tensor
        A scalar, the sum over the batch, in nats; the gradient is the student's.
    """
    (learning, emissions), (crf, scores) = student, teacher
    with torch.enable_grad():
        given = _softened(crf, scores.detach(), temperature)
        known = {name: tensor.detach().requires_grad_() for name, tensor in given.items()}
        pulls = torch.autograd.grad(_likelihood(crf, known, tags, lengths).sum(), list(known.values()))
    found = _softened(learning, emissions.float() if emissions.dtype != torch.float64 else emissions, temperature)
    likelihood = _likelihood(learning, found, tags, lengths)
    products = [(pull.to(score) * score).sum() for pull, score in zip(pulls, found.values(), strict=True)]
    return torch.stack(products).sum() - likelihood.sum()


def _softened(crf: CRF, emissions: Tensor, temperature: float) -> dict[str, Tensor]:
    parameters = {name: parameter / temperature for name, parameter in crf.named_parameters()}
    return {"emissions": emissions / temperature, **parameters}


def _likelihood(crf: CRF, scores: dict[str, Tensor], tags: Tensor, lengths: Tensor | None) -> Tensor:
    parameters = {name: score for name, score in scores.items() if name != "emissions"}
    found: Tensor = functional_call(crf, parameters, (scores["emissions"], tags), {"lengths": lengths})
    return found
