"""What must not matter to an estimator's answers."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd

from tidegate.estimator import Estimator
from tidegate.testing.answers import close_answers, columns_of, fresh, predict, same_answers, series_of
from tidegate.testing.verdicts import hold

__all__ = ["check_company", "check_longer_history", "check_series_order", "check_threads"]

_ROUNDS = 3


def check_series_order(estimator: Estimator, frame: pd.DataFrame) -> None:
    """Check that the order of the series changes no answer beyond rounding."""
    parts = series_of(estimator, frame)
    model: Any = fresh(estimator).fit(frame)  # type: ignore[attr-defined]
    turned = pd.concat([*parts[1:], parts[0]][::-1], ignore_index=True)
    difference = close_answers(predict(model, turned), predict(model, frame))
    hold(not difference, f"with the series in another order, {difference}")


def check_company(estimator: Estimator, frame: pd.DataFrame) -> None:
    """Check that a series asked about alone is answered as in company: nothing of the others reaches it."""
    parts = series_of(estimator, frame)
    model: Any = fresh(estimator).fit(frame)  # type: ignore[attr-defined]
    alone = pd.concat([predict(model, part) for part in parts]).sort_index()
    difference = close_answers(alone, predict(model, frame))
    hold(not difference, f"asked about each series alone, {difference}")


def check_longer_history(estimator: Estimator, frame: pd.DataFrame) -> None:
    """Check that rows before the last ``context_``, where a model has that, change no answer beyond rounding."""
    model: Any = fresh(estimator).fit(frame)  # type: ignore[attr-defined]
    context = getattr(model, "context_", None)
    if context is None:
        return
    parts = series_of(estimator, frame)
    time = columns_of(estimator).time
    hold(any(len(part) > context for part in parts), f"the check needs a series of more than {context} rows")
    for part in parts:
        short, long = predict(model, part.tail(context)), predict(model, part)
        # Where rows of the table itself are answered, only the last one has its whole context in both tables.
        end = part[time].max()
        short, long = (answer[answer.index.get_level_values(time) >= end] for answer in (short, long))
        difference = close_answers(short, long)
        hold(not difference, f"without the rows before the last {context}, {difference}")


def check_threads(estimator: Estimator, frame: pd.DataFrame) -> None:
    """Check that asked by several threads at once, each gets the answer to its own question, to the bit."""
    parts = series_of(estimator, frame)
    model: Any = fresh(estimator).fit(frame)  # type: ignore[attr-defined]
    expected = [predict(model, part) for part in parts]
    barrier = threading.Barrier(len(parts))
    wrong: list[str] = []

    def ask(index: int) -> None:
        barrier.wait()
        for _ in range(_ROUNDS):
            try:
                if not same_answers(predict(model, parts[index]), expected[index]):
                    wrong.append("a thread got another answer than it gets alone")
            except Exception as error:  # it is reported by the thread that waits
                wrong.append(f"a thread met {type(error).__name__}: {error}")

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hold(not wrong, f"predict from {len(parts)} threads: {wrong[0] if wrong else ''}")
