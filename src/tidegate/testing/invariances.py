"""What must not matter to an estimator's answers."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd

from tidegate.estimator import Estimator
from tidegate.testing.answers import close_answers, fresh, same_answers
from tidegate.testing.trials import TableTrial, Trial, columns_of
from tidegate.testing.verdicts import hold

__all__ = ["check_company", "check_longer_history", "check_series_order", "check_threads"]

_ROUNDS = 3
_THREADS = 4


def check_series_order(estimator: Estimator, trial: Trial) -> None:
    """Check that the order of the series, or of the examples, changes no answer beyond rounding."""
    turned = trial.turned(estimator)
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    difference = close_answers(turned.ask(model), trial.ask(model))
    hold(not difference, f"with the series in another order, {difference}")


def check_company(estimator: Estimator, trial: Trial) -> None:
    """Check that a series asked about alone is answered as in company: nothing of the others reaches it."""
    parts = trial.parts(estimator)
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    alone = pd.concat([part.ask(model) for part in parts]).sort_index()
    difference = close_answers(alone, trial.ask(model))
    hold(not difference, f"asked about each series alone, {difference}")


def check_longer_history(estimator: Estimator, trial: Trial) -> None:
    """Check that rows before the last ``context_``, where a model has that, change no answer beyond rounding."""
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    context = getattr(model, "context_", None)
    if context is None:
        return
    tables = [part.given("predict")[0] for part in trial.parts(estimator)]
    time = columns_of(estimator).time
    hold(any(len(table) > context for table in tables), f"the check needs a series of more than {context} rows")
    for table in tables:
        short, long = TableTrial(table.tail(context)).ask(model), TableTrial(table).ask(model)
        # Where rows of the table itself are answered, only the last one has its whole context in both tables.
        end = table[time].max()
        short, long = (answer[answer.index.get_level_values(time) >= end] for answer in (short, long))
        difference = close_answers(short, long)
        hold(not difference, f"without the rows before the last {context}, {difference}")


def check_threads(estimator: Estimator, trial: Trial) -> None:
    """Check that asked by several threads at once, each gets the answer to its own question, to the bit."""
    parts = trial.parts(estimator)[:_THREADS]
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    expected = [part.ask(model) for part in parts]
    barrier = threading.Barrier(len(parts))
    wrong: list[str] = []

    def ask(index: int) -> None:
        barrier.wait()
        for _ in range(_ROUNDS):
            try:
                if not same_answers(parts[index].ask(model), expected[index]):
                    wrong.append("a thread got another answer than it gets alone")
            except Exception as error:  # it is reported by the thread that waits
                wrong.append(f"a thread met {type(error).__name__}: {error}")

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hold(not wrong, f"predict from {len(parts)} threads: {wrong[0] if wrong else ''}")
