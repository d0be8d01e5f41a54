"""Each check of estimators refuses an estimator that breaks its promise, and passes one that keeps all."""

from __future__ import annotations

import dataclasses
import pickle
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pytest
import torch

from tidegate.errors import ColumnError, DataError, SpecError
from tidegate.estimator import Estimator
from tidegate.specs import checks
from tidegate.testing import ESTIMATOR_CHECKS, ExamplesTrial, TableTrial, Trial, check_estimator, example_frame
from tidegate.testing import estimators as promises
from tidegate.testing.files import check_harmless_file, check_save_load
from tidegate.testing.invariances import check_company, check_longer_history, check_series_order, check_threads
from tidegate.testing.parameters import check_clone, check_constructor, check_parameters, check_refused_parameters

Arrays = dict[str, np.ndarray[Any, Any]]
Refuses = Callable[..., None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noise:
    width: float = 0.1


class Level(Estimator):
    """Forecasts the mean of the last rows of each series, a little off: small, and keeps every promise."""

    kind: ClassVar[str] = "toy-level"
    specs: ClassVar[Mapping[str, type]] = {"noise": Noise}

    def __init__(self, *, noise: Noise = Noise(), seed: int = 0, device: str = "cpu") -> None:
        checks.whole("seed", seed, least=0)
        self.noise = noise
        self.seed = seed
        self.device = device

    def fit(self, frame: pd.DataFrame) -> Self:
        self.read(frame)
        self.shift_ = self.draw()
        self.context_ = 5
        return self

    def draw(self) -> np.ndarray[Any, Any]:
        return np.random.default_rng(self.seed).normal(1, self.noise.width, 4)

    @staticmethod
    def read(frame: pd.DataFrame) -> pd.DataFrame:
        if frame.empty:
            raise DataError("the table has no rows")
        return frame

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        self._require_fitted("predict")
        return self.answers(self.read(frame))

    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        recent = frame.groupby("unique_id").tail(self.context_)
        means = recent.groupby("unique_id")["y"].mean() * self.shift_.mean()
        ends = recent.groupby("unique_id")["ds"].max()
        return pd.DataFrame({"ds": ends + pd.Timedelta(days=1), "y_hat": means}).reset_index()

    def _is_fitted(self) -> bool:
        return hasattr(self, "shift_")

    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        return {"context": self.context_}, {"shift": self.shift_}

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        self.context_, self.shift_ = learned["context"], arrays["shift"]


@pytest.fixture(scope="module")
def trial() -> Trial:
    return TableTrial(example_frame())


def test_one_that_keeps_all_promises_passes() -> None:
    check_estimator(Level(), example_frame())


@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda check: check.__name__)
def test_a_check_leaves_its_subject_alone(check: Callable[..., None], trial: Trial) -> None:
    model, before = Level(), trial.copied()
    check(model, trial)
    assert vars(model) == {"noise": Noise(), "seed": 0, "device": "cpu"}
    trial.require_unchanged(before)


def test_the_message_names_estimator_check_and_finding(trial: Trial) -> None:
    class NoSelf(Level):
        def fit(self, frame: pd.DataFrame) -> Any:
            super().fit(frame)

    with pytest.raises(AssertionError, match="NoSelf does not pass check_clone: TypeError: Cannot clone"):
        check_estimator(NoSelf(), trial)


# -- parameters ----------------------------------------------------------------------------------------------


class Positional(Level):
    def __init__(self, noise: Noise = Noise(), *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(noise=noise, seed=seed, device=device)


class Thirteen(Level):
    def __init__(
        self, *, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0, g: int = 0, h: int = 0,
        i: int = 0, j: int = 0, noise: Noise = Noise(), seed: int = 0, device: str = "cpu",
    ) -> None:  # fmt: skip
        super().__init__(noise=noise, seed=seed, device=device)
        self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h, self.i, self.j = a, b, c, d, e, f, g, h, i, j


class Converts(Level):
    def __init__(self, *, noise: Noise = Noise(), seed: int = 0, device: str = "cpu") -> None:
        super().__init__(noise=dataclasses.replace(noise), seed=seed, device=device)


class Prepares(Level):
    def __init__(self, *, noise: Noise = Noise(), seed: int = 0, device: str = "cpu") -> None:
        super().__init__(noise=noise, seed=seed, device=device)
        self.cache: dict[str, float] = {}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Positional(), r"\['noise'\] must be keyword-only"),
        (Thirteen(), "takes 13 arguments; 12 are the most"),
        (Converts(), r"must store \['noise'\] as they are"),
        (Prepares(), r"it added \['cache'\]"),
    ],
)
def test_constructor(model: Estimator, words: str, trial: Trial, refuses: Refuses) -> None:
    refuses(check_constructor, model, trial, words=words)


class ShallowOnly(Level):
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return super().get_params(deep=False)


class DropsSeed(Level):
    def set_params(self, **params: Any) -> Self:
        return super().set_params(**{name: value for name, value in params.items() if name != "seed"})


class SetsNoSelf(Level):
    def set_params(self, **params: Any) -> Any:
        super().set_params(**params)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (ShallowOnly(), r"lacks the specs' fields \['noise__width'\]"),
        (DropsSeed(), r"set_params\(seed=…\) did not set"),
        (SetsNoSelf(), "must return self"),
    ],
)
def test_parameters(model: Estimator, words: str, trial: Trial, refuses: Refuses) -> None:
    refuses(check_parameters, model, trial, words=words)


class TakesAnything(Level):
    def set_params(self, **params: Any) -> Self:
        for name, value in params.items():
            setattr(self, name, value)
        return self


class SetsBeforeRefusing(Level):
    def set_params(self, **params: Any) -> Self:
        for name, value in params.items():
            if name not in ("noise", "seed", "device"):
                raise SpecError(f"no parameter {name}")
            super().set_params(**{name: value})
        return self


def test_refused_parameters(trial: Trial, refuses: Refuses) -> None:
    refuses(check_refused_parameters, TakesAnything(), trial, words="set_params took .*no_such_parameter")
    refuses(check_refused_parameters, SetsBeforeRefusing(), trial, words="but set something all the same")


class ClonesFitted(Level):
    def __sklearn_clone__(self) -> Self:
        return self if not self._is_fitted() else type(self)().fit(example_frame())


def test_clone(trial: Trial, refuses: Refuses) -> None:
    refuses(check_clone, ClonesFitted(), trial, words="another of the same class")

    class Refits(ClonesFitted):
        def __sklearn_clone__(self) -> Self:
            return type(self)().fit(example_frame())

    refuses(check_clone, Refits(), trial, words="the clone is fitted")


# -- fitting -------------------------------------------------------------------------------------------------


def test_fit_returns_self(trial: Trial, refuses: Refuses) -> None:
    class Copies(Level):
        def fit(self, frame: pd.DataFrame) -> Self:
            return type(self)().fit(frame) if self.seed else super().fit(frame) and type(self)()

    refuses(promises.check_fit_returns_self, Copies(), trial, words="must return self")


class Bare(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        self.mean = frame["y"].mean()
        return super().fit(frame)


class Settles(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        self.noise = Noise(width=0.2)
        return super().fit(frame)


class Idle(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        return self


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Bare(), r"fit added \['mean'\]"),
        (Settles(), r"changed the arguments \['noise'\]"),
        (Idle(), "learned nothing"),
    ],
)
def test_learned_names(model: Estimator, words: str, trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_learned_names, model, trial, words=words)


class GlobalTorch(Level):
    def draw(self) -> np.ndarray[Any, Any]:
        return torch.rand(4).double().numpy()


class GlobalNumpy(Level):
    def draw(self) -> np.ndarray[Any, Any]:
        return super().draw() + np.random.rand()  # noqa: NPY002


class GlobalRandom(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        return super().answers(frame).assign(y_hat=lambda given: given["y_hat"] + random.random())


class Unseeded(Level):
    def draw(self) -> np.ndarray[Any, Any]:
        return np.random.default_rng().normal(size=4)


class SeedIgnored(Level):
    def draw(self) -> np.ndarray[Any, Any]:
        return np.ones(4)


@pytest.mark.parametrize("model", [GlobalTorch(), GlobalNumpy(), Unseeded()])
def test_same_seed(model: Estimator, trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_same_seed, model, trial, words=r"with one seed, \['shift'\] differ")


def test_other_seed(trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_other_seed, SeedIgnored(), trial, words="another seed changes nothing")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (GlobalTorch(), "fit moved the global generator of torch"),
        (GlobalNumpy(), "fit moved the global generator of numpy"),
        (GlobalRandom(), "predict moved the global generator of random"),
    ],
)
def test_global_generators(model: Estimator, words: str, trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_global_generators, model, trial, words=words)


class Leaves(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        self.shift_ = np.ones(4)
        return super().fit(frame)


class TakesNoRows(Level):
    @staticmethod
    def read(frame: pd.DataFrame) -> pd.DataFrame:
        return frame


class RaisesForeign(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        frame["y"].iloc[0]
        return super().fit(frame)


def test_failed_fit(trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_failed_fit, Leaves(), trial, words=r"left \['shift_'\]")
    refuses(promises.check_failed_fit, TakesNoRows(), trial, words="took data without rows")
    with pytest.raises(IndexError):  # check_estimator makes an AssertionError of it
        promises.check_failed_fit(RaisesForeign(), trial)


# -- asking --------------------------------------------------------------------------------------------------


class Learns(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        answer = super().answers(frame)
        self.shift_ = self.shift_ + 1e-9
        return answer


class Counts(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        self.context_ += 1
        return super().answers(frame).assign(y_hat=1.0)


def test_predict_repeats(trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_predict_repeats, Learns(), trial, words="otherwise when it is asked again")
    refuses(promises.check_predict_repeats, GlobalRandom(), trial, words="otherwise when it is asked again")
    refuses(promises.check_predict_repeats, Counts(), trial, words="predict changed what was learned")


class AnswersUnfitted(Level):
    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame if not self._is_fitted() else super().predict(frame)


class RaisesBare(Level):
    def _require_fitted(self, action: str) -> None:
        if not self._is_fitted():
            raise ColumnError("no")


def test_not_fitted(trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_not_fitted, AnswersUnfitted(), trial, words="predict before fit must raise NotFittedError")
    with pytest.raises(ColumnError):
        promises.check_not_fitted(RaisesBare(), trial)


class Overwrites(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        frame["y"] = frame["y"].round(1)
        return super().fit(frame)


class Fills(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame["row"] = 1
        return super().answers(frame)


def test_input_unchanged(trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_input_unchanged, Overwrites(), trial, words="fit changed the data")
    refuses(promises.check_input_unchanged, Fills(), trial, words="predict changed the data")


class Shares(Level):
    def fit(self, frame: pd.DataFrame) -> Self:
        if hasattr(self, "shift_"):
            self.shift_[:] = self.draw()
            return self
        return super().fit(frame)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self)(**self.get_params(deep=False))
        vars(twin).update(vars(self))
        return twin


def test_deep_copy(trial: Trial, refuses: Refuses) -> None:
    refuses(promises.check_deep_copy, Shares(), trial, words="they share what was learned")

    class Forgets(Level):
        def __deepcopy__(self, memo: dict[int, Any]) -> Self:
            return type(self)(seed=self.seed + 3).fit(example_frame())

    refuses(promises.check_deep_copy, Forgets(), trial, words="answers otherwise than the original")


# -- files ---------------------------------------------------------------------------------------------------


class Rounds(Level):
    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        learned, arrays = super()._learned()
        return learned, {"shift": arrays["shift"].astype(np.float32)}

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        super()._restore(learned, {"shift": arrays["shift"].astype(np.float64)})


class Alters(Level):
    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        super()._restore(learned, {"shift": np.nextafter(arrays["shift"], 2)})


class ForgetsContext(Level):
    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        super()._restore({"context": 1}, arrays)

    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        return {}, super()._learned()[1]


class Stamps(Level):
    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        learned, arrays = super()._learned()
        return {**learned, "time": time.perf_counter_ns()}, arrays


def test_save_load(trial: Trial, refuses: Refuses) -> None:
    refuses(check_save_load, Alters(), trial, words="not the same, to the bit, after saving")
    refuses(check_save_load, Rounds(), trial, words="answers otherwise after saving")
    refuses(check_save_load, ForgetsContext(), trial, words="answers otherwise after saving")
    refuses(check_save_load, Stamps(), trial, words="not the same, to the bit|files differ")


class Pickles(Level):
    def save(self, path: Any) -> None:
        Path(path).write_bytes(pickle.dumps(self.shift_))


class SmugglesPickles(Level):
    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        learned, arrays = super()._learned()
        return learned, {**arrays, "ids": np.frombuffer(pickle.dumps(Noise()), np.uint8)}


class SmugglesOldPickles(Level):
    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        learned, arrays = super()._learned()
        return learned, {**arrays, "ids": np.frombuffer(pickle.dumps(Noise(), protocol=0), np.uint8)}


class WritesTwo(Level):
    def save(self, path: Any) -> None:
        super().save(path)
        Path(path).with_suffix(".json").write_text("{}")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Pickles(), "not safetensors"),
        (SmugglesPickles(), r"\['ids'\] hold pickles"),
        (SmugglesOldPickles(), r"\['ids'\] hold pickles"),
        (WritesTwo(), "must write one file"),
    ],
)
def test_harmless_file(model: Estimator, words: str, trial: Trial, refuses: Refuses) -> None:
    refuses(check_harmless_file, model, trial, words=words)


# -- what must not matter ------------------------------------------------------------------------------------


class ByPlace(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        order = {name: place for place, name in enumerate(frame["unique_id"].unique())}
        return super().answers(frame).assign(y_hat=lambda given: given["unique_id"].map(order).astype(float))


class Pools(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        return super().answers(frame).assign(y_hat=frame["y"].mean())


class ReadsAll(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        means = frame.groupby("unique_id")["y"].mean()
        return super().answers(frame).assign(y_hat=lambda given: given["unique_id"].map(means))


class KeepsTable(Level):
    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        self.table_ = frame
        time.sleep(0.01)
        return super().answers(self.table_)


def test_series_order(trial: Trial, refuses: Refuses) -> None:
    refuses(check_series_order, ByPlace(), trial, words="in another order, y_hat of .*'b'.* is 2.0 instead of 1.0")


def test_company(trial: Trial, refuses: Refuses) -> None:
    refuses(check_company, Pools(), trial, words="asked about each series alone, y_hat of")


def test_longer_history(trial: Trial, refuses: Refuses) -> None:
    refuses(check_longer_history, ReadsAll(), trial, words="without the rows before the last 5, y_hat of")


def test_threads(trial: Trial, refuses: Refuses) -> None:
    refuses(check_threads, KeepsTable(), trial, words="predict from 3 threads: a thread")


def test_company_needs_a_table_of_several_series(refuses: Refuses) -> None:
    refuses(check_company, Level(), TableTrial(example_frame().head(30)), words="at least two series")
    refuses(
        check_company, Level(), TableTrial(example_frame().drop(columns="unique_id")), words="the id column 'unique_id'"
    )


# -- examples instead of a table -------------------------------------------------------------------------------


class Threshold(Estimator):
    """Tells long texts from short ones: small, and keeps every promise."""

    kind: ClassVar[str] = "toy-threshold"
    specs: ClassVar[Mapping[str, type]] = {}

    def __init__(self, *, seed: int = 0, device: str = "cpu") -> None:
        checks.whole("seed", seed, least=0)
        self.seed = seed
        self.device = device

    def fit(self, texts: list[str], labels: list[str]) -> Self:
        if not texts:
            raise DataError("no texts")
        noise = np.random.default_rng(self.seed).normal(0, 1e-3)
        self.limit_ = np.array([np.mean([len(text) for text in texts]) + noise])
        self.names_ = sorted(set(labels))
        return self

    def predict(self, texts: list[str]) -> list[str]:
        self._require_fitted("predict")
        return [self.names_[int(len(text) > self.limit_[0])] for text in texts]

    def predict_proba(self, texts: list[str]) -> np.ndarray[Any, Any]:
        high = 1 / (1 + np.exp(self.limit_[0] - np.array([len(text) for text in texts])))
        return np.stack([1 - high, high], axis=1)

    def _is_fitted(self) -> bool:
        return hasattr(self, "limit_")

    def _learned(self) -> tuple[dict[str, Any], Arrays]:
        return {"names": self.names_}, {"limit": self.limit_}

    def _restore(self, learned: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        self.names_, self.limit_ = learned["names"], arrays["limit"]


EXAMPLES = ExamplesTrial(["a", "bb", "ccccccc", "dddddddd"], ["short", "short", "tall", "tall"])


def test_one_that_answers_examples_keeps_all_promises_too() -> None:
    check_estimator(Threshold(), EXAMPLES)


class Forgetful(Threshold):
    def predict(self, texts: list[str]) -> list[str]:
        return super().predict(texts)[:-1]


class Relative(Threshold):
    def predict_proba(self, texts: list[str]) -> np.ndarray[Any, Any]:
        answers = super().predict_proba(texts)
        shares: np.ndarray[Any, Any] = answers / answers.max()
        return shares


class Sorts(Threshold):
    def fit(self, texts: list[str], labels: list[str]) -> Self:
        texts.reverse()
        return super().fit(texts, labels)


class Numbers(Threshold):
    def predict(self, texts: list[str]) -> list[str]:
        return [str(place) for place, _ in enumerate(super().predict(texts))]


def test_checks_of_examples_can_fail(refuses: Refuses) -> None:
    refuses(promises.check_predict_repeats, Forgetful(), EXAMPLES, words="predict gave 3 answers to 4 examples")
    refuses(
        check_company, Relative(), EXAMPLES, words="asked about each series alone, probability 0 of 1 is 1.0 instead of"
    )
    refuses(check_series_order, Numbers(), EXAMPLES, words="in another order, answer of 0 is 3 instead of 0")
    refuses(promises.check_input_unchanged, Sorts(), EXAMPLES.copied(), words="fit changed the data")
    refuses(check_company, Threshold(), ExamplesTrial(["a"], ["b"]), words="at least two examples")
