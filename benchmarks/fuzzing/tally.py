"""What became of the cases: counts, and the failures, each kept as a case that can be tried again."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from pathlib import Path

__all__ = ["Failure", "Tally"]

_KEPT = 3  # cases of each failure


@dataclasses.dataclass(frozen=True)
class Failure:
    """What must not happen, and did."""

    key: str  # the same for what is likely to have one cause
    said: str


class Tally:
    """Counts cases, and keeps those that failed in a folder."""

    def __init__(self, folder: Path) -> None:
        self.outcomes: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._said: dict[str, str] = {}
        self._folder = folder
        self._began = time.monotonic()

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.outcomes.total()

    def count(self, outcome: str) -> None:
        """Count a case that went as it should."""
        self.outcomes[outcome] += 1

    def fail(self, failure: Failure, case: bytes) -> None:
        """Count a failure, and keep its case if there are few of them yet."""
        self.outcomes["FAILED"] += 1
        self.failures[failure.key] += 1
        self._said.setdefault(failure.key, failure.said)
        number = self.failures[failure.key]
        if number <= _KEPT:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = "".join(letter if letter.isalnum() else "_" for letter in failure.key)[:80]
            (self._folder / f"{name}-{number}").write_bytes(case)
            (self._folder / f"{name}-{number}.txt").write_text(failure.said, "utf-8", "backslashreplace")

    def report(self, what: str) -> str:
        """Say what there was, in lines."""
        seconds = time.monotonic() - self._began
        lines = [f"{what}: {self.cases} cases in {seconds:.0f} s"]
        lines += [f"  {count:7d}  {outcome}" for outcome, count in self.outcomes.most_common()]
        lines += [f"  FAILURE {count} × {key}: {self._said[key][:300]}" for key, count in self.failures.most_common()]
        return "\n".join(lines)
