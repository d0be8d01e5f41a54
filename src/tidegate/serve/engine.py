"""The models that are served, whatever protocol asks: found by name, asked, read again when their files change."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tidegate.errors import MissingFileError, TidegateError
from tidegate.serve.batching import Batcher, Counts
from tidegate.serve.faults import RequestError, Status
from tidegate.serve.folder import Found, is_name, is_version, look
from tidegate.serve.kinds import load_served
from tidegate.serve.limits import Limits
from tidegate.serve.metrics import Metrics
from tidegate.serve.sequences import Sequences, sequence_of
from tidegate.serve.served import Answer, Asked, Served

__all__ = ["Engine", "Entry"]

_LOG = logging.getLogger("tidegate.serve")
_SWEEP = 0.025  # seconds between two looks for requests that are too late

Key = tuple[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A version of a model, ready to answer."""

    name: str
    version: str
    mark: tuple[int, int, int]
    served: Served
    batcher: Batcher
    sequences: Sequences


class Engine:
    """All models of a folder.

    Everything is called in the event loop; files are read in other threads, and each model answers in one of its own.

    Parameters
    ----------
    folder
        See `tidegate.serve.folder`.
    limits
        Of all that is taken.
    device
        Where the models compute.
    threads
        Of torch, for each model.
    load
        Reads a model file.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        limits: Limits,
        device: str = "cpu",
        threads: int = 1,
        load: Callable[..., Served] = load_served,
    ) -> None:
        self.limits = limits
        self.began = time.monotonic()
        self.draining = False
        self.in_flight = 0
        self.reloads: Counter[str] = Counter()
        self.metrics = Metrics(self)
        self._folder = folder
        self._device = device
        self._threads = threads
        self._load = load
        self._entries: dict[Key, Entry] = {}
        self._newest: dict[str, Entry] = {}
        self._failed: dict[Key, tuple[int, int, int]] = {}
        self._remarked: set[str] = set()
        self._past: dict[Key, Counts] = {}  # of models that have been replaced
        self._leaving: list[tuple[Key, Entry]] = []  # replaced, with requests on their way
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Read the models, and begin to look for changes.

        Raises
        ------
        MissingFileError
            If there is no such folder, or no model in it.
        TidegateError
            If none of its models can be used; this is what is wrong with the first.
        """
        models, remarks = await asyncio.to_thread(look, self._folder)
        self._remark(remarks)
        if not models:
            raise MissingFileError(
                f"there is no model in {str(self._folder)!r}; it may hold NAME.safetensors, NAME/model.safetensors or "
                "NAME/VERSION/model.safetensors" + (f"; {remarks[0]}" if remarks else "")
            )
        errors = [error for found in models.values() if (error := await self._take(found))]
        if len(errors) == len(models):
            raise errors[0]
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._sweep())]

    async def close(self) -> None:
        """Stop looking, and end the models after what they have accepted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for entry in self.entries():
            entry.batcher.close()

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""
        return bool(self._entries) and not self.draining

    def entries(self) -> Iterable[Entry]:
        """Give all versions of all models."""
        return tuple(self._entries.values())

    def versions(self, name: str) -> list[str]:
        """Give the versions of a model, in order."""
        return sorted((version for other, version in self._entries if other == name), key=int)

    def counts(self) -> dict[Key, Counts]:
        """Give what has become of the requests of each model, those before it was read anew among them."""
        total = dict(self._past)
        for key, entry in (*self._entries.items(), *self._leaving):
            total[key] = _sum(total.get(key), entry.batcher.counts)
        return total

    def find(self, name: str, version: str = "") -> Entry:
        """Give a model; its newest version where none is named.

        Raises
        ------
        RequestError
            If there is none, or the name is none that a model can have.
        """
        entry = self._entries.get((name, version)) if version else self._newest.get(name)
        if entry is not None:
            return entry
        if not is_name(name):
            raise RequestError(
                Status.INVALID,
                f"{name[:80]!r} is no name of a model: those have letters, digits, '.', '_' and '-', and are no paths",
            )
        if version and not is_version(version):
            raise RequestError(Status.INVALID, f"a version is a whole number from 1 on; got {version[:80]!r}")
        known = self.versions(name)
        if known:
            raise RequestError(
                Status.UNKNOWN, f"model {name!r} has no version {version!r}; it has {', '.join(known[-20:])}"
            )
        raise RequestError(Status.UNKNOWN, f"there is no model {name!r}; see the folder that is served")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Count a request from its arrival to its answer.

        Raises
        ------
        RequestError
            If there are too many, or the server is about to stop.
        """
        if self.draining:
            raise RequestError(Status.UNREADY, "the server is about to stop; ask another one, or again in a moment")
        if self.in_flight >= self.limits.concurrency:
            raise RequestError(
                Status.BUSY, f"{self.in_flight} requests are being answered already, the most at once; try later"
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def ask(self, entry: Entry, asked: Asked, deadline: float) -> asyncio.Future[Answer]:
        """Accept a request for inference: checked, with the rows of its sequence, in the queue.

        A sequence keeps the rows of a request that was accepted, and of no other.

        Raises
        ------
        RequestError
            If the request cannot be answered, or there are too many.
        """
        entry.batcher.require_room()
        if not asked.parameters:
            return entry.batcher.submit(entry.served.prepare(asked, self.limits.rows), deadline)
        sequence = sequence_of(asked.parameters)
        if sequence is not None:
            entry.served.signature.check(asked, 1)
            asked = entry.sequences.continued(entry.served, asked, sequence)
        answer = entry.batcher.submit(entry.served.prepare(asked, self.limits.rows), deadline)
        if sequence is not None:
            entry.sequences.keep(asked, sequence)
        return answer

    def ask_rows(self, entry: Entry, body: Mapping[str, Any], deadline: float) -> asyncio.Future[Mapping[str, Any]]:
        """Accept rows as people write them. Raises `RequestError` if there are too many requests."""
        return entry.batcher.call(lambda: entry.served.from_rows(body), deadline)

    async def refresh(self) -> None:
        """Look at the folder once, and read what has changed. Requests go on meanwhile, to the models as they were."""
        try:
            models, remarks = await asyncio.to_thread(look, self._folder)
        except MissingFileError as error:
            models, remarks = {}, [str(error)]
        self._remark(remarks)
        for key, found in models.items():
            entry = self._entries.get(key)
            if (entry is None or entry.mark != found.mark) and self._failed.get(key) != found.mark:
                self.reloads["failed" if await self._take(found) else "read"] += 1
        if models:  # an empty folder is rather one that is being replaced
            for key in [key for key in self._entries if key not in models]:
                _LOG.warning("model %r, version %s, is no longer there", *key)
                self._retire(key)

    async def _take(self, found: Found) -> TidegateError | None:
        """Read a file and put the model in the place of the one before; if it cannot be read, that one stays."""
        key = (found.name, found.version)
        try:
            served = await asyncio.to_thread(self._load, found.path, device=self._device)
        except TidegateError as error:
            self._failed[key] = found.mark
            _LOG.error("model %r, version %s, is not served: %s", *key, error)
            return error
        self._failed.pop(key, None)
        before = self._entries.get(key)
        self._retire(key)
        self._entries[key] = Entry(
            name=found.name,
            version=found.version,
            mark=found.mark,
            served=served,
            batcher=Batcher(
                served,
                limits=self.limits,
                name=found.name,
                threads=self._threads,
                observe=self.metrics.observer(*key),
            ),
            sequences=_sequences(before, served, self.limits),
        )
        self._choose(found.name)
        _LOG.info("serving %s %r, version %s", served.kind, *key)
        return None

    def _retire(self, key: Key) -> None:
        """Take a model out; its thread ends after the requests that it has accepted."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        entry.batcher.close()
        self._leaving.append((key, entry))
        self._choose(key[0])

    def _settle(self) -> None:
        """Let go of models that were replaced and have answered all that they had accepted."""
        for key, entry in [leaving for leaving in self._leaving if leaving[1].batcher.settled]:
            self._past[key] = _sum(self._past.get(key), entry.batcher.counts)
            self._leaving.remove((key, entry))

    def _choose(self, name: str) -> None:
        """Say which version is the newest."""
        versions = self.versions(name)
        if versions:
            self._newest[name] = self._entries[name, versions[-1]]
        else:
            self._newest.pop(name, None)

    def _remark(self, remarks: Iterable[str]) -> None:
        for remark in remarks:
            if remark not in self._remarked and len(self._remarked) < 1000:
                self._remarked.add(remark)
                _LOG.warning("%s", remark)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.limits.poll)
            try:
                await self.refresh()
            except Exception:  # whatever it is, the models that are there go on
                _LOG.exception("the folder of models could not be looked at")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            now = time.monotonic()
            for entry in (*self._entries.values(), *(entry for _, entry in self._leaving)):
                entry.batcher.expire(now)
            if self._leaving:
                self._settle()


def _sequences(before: Entry | None, served: Served, limits: Limits) -> Sequences:
    """Keep the sequences of a model that is read anew, if its inputs are the same."""
    if before is not None and before.served.signature.inputs == served.signature.inputs:
        return before.sequences
    return Sequences(limits)


def _sum(first: Counts | None, second: Counts) -> Counts:
    if first is None:
        return dataclasses.replace(second)
    fields = [field.name for field in dataclasses.fields(Counts)]
    return Counts(**{name: getattr(first, name) + getattr(second, name) for name in fields})
