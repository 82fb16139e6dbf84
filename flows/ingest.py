"""Drains the inbox: batch after batch until it is empty. Plain functions; nothing here waits for Prefect."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from index.documents import Write
from index.errors import BatchFailed
from index.inbox import Inbox
from index.store import Store
from tasks.batch import Outcome, isolate, run_batch
from tasks.plan import halves
from tasks.prepare import Tools
from tasks.publish import Publisher

MAX_DOCUMENTS = 100
MAX_BYTES = 512 * 1024
TRIES_BEFORE_SPLIT = 3
MAX_BACK_OFF_S = 30.0
FOLD_EVERY = 20
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Drain:
    """Takes batches from the inbox to the index. `stopping` is asked between batches and while backing off."""

    store: Store
    publisher: Publisher
    tools: Tools
    stopping: Callable[[], bool]
    pause: Callable[[float], object]
    unfolded: int = 0
    _failures: dict[str, int] = field(default_factory=dict)

    def next_batch(self) -> list[Outcome]:
        """Indexes what waits, at most one batch; an empty list when nothing does.

        The segments are acknowledged after the release that contains them. An error of the store or the
        machine backs off and is tried again, for ever if it must be: it is never charged to a document.
        """
        names, writes = take(self.store.inbox)
        if not names:
            return []
        try:
            outcomes = run_batch(self.store, self.publisher, self.tools, writes)
        except (OSError, RuntimeError, ValueError, MemoryError, BatchFailed) as error:
            recovered = self._after_failure(names, writes, error)
            if recovered is None:
                return []
            outcomes = recovered
        self._failures.clear()
        self.store.inbox.acknowledge(names)
        self.unfolded += 1
        return outcomes

    def fold_if_due(self) -> None:
        """Folds the tail into the indexes now and then, so that searches stay as fast as they were."""
        if self.unfolded >= FOLD_EVERY:
            self.fold()

    def rest(self) -> None:
        """What there is time for when nothing waits: fold what is not, publish what maintenance has folded meanwhile."""
        if self.unfolded:
            self.fold()
        else:
            self._giving_way(self.publisher.publish_maintenance)

    def fold(self) -> None:
        """Folds and publishes the folded state. Giving way to somebody else's commit is no failure."""
        self.unfolded = 0
        for step in (self.publisher.table.fold, self.store.ledger.fold, self.publisher.publish_maintenance):
            self._giving_way(step)

    def _giving_way(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (OSError, RuntimeError, ValueError) as error:
            _log.warning("folding gave way, it is tried again later: %s", error)

    def _after_failure(self, names: Sequence[str], writes: Sequence[Write], error: Exception) -> list[Outcome] | None:
        key = names[0]
        self._failures[key] = self._failures.get(key, 0) + 1
        tries = self._failures[key]
        _log.exception("batch of %d writes failed (try %d)", len(writes), tries)
        self.publisher.take_over()
        if isinstance(error, OSError | MemoryError) or tries < TRIES_BEFORE_SPLIT:
            self._back_off(tries)
            return None
        return self._bisect(writes, str(error).splitlines()[0][:200])

    def _bisect(self, writes: Sequence[Write], reason: str) -> list[Outcome]:
        """Finds the documents that a batch can't be done with, sets them aside and indexes the rest."""
        if len(writes) == 1:
            _log.error("document %r is set aside: %s", writes[0].doc_id, reason)
            return isolate(self.store, self.publisher, self.tools, writes, reason)
        outcomes = []
        for half in halves(writes):
            try:
                outcomes += run_batch(self.store, self.publisher, self.tools, half)
            except (RuntimeError, ValueError):
                self.publisher.take_over()
                outcomes += self._bisect(half, reason)
        return outcomes

    def _back_off(self, tries: int) -> None:
        until = monotonic() + min(MAX_BACK_OFF_S, 0.5 * 2**tries)
        while monotonic() < until and not self.stopping():
            self.pause(0.2)


def take(inbox: Inbox) -> tuple[list[str], list[Write]]:
    """The oldest segments that make up one batch, and their writes in order."""
    names: list[str] = []
    writes: list[Write] = []
    size = 0
    for segment in inbox.segments():
        if names and (len(writes) + segment.writes > MAX_DOCUMENTS or size + segment.size > MAX_BYTES):
            break
        names.append(segment.name)
        writes += inbox.read(segment.name)
        size += segment.size
    return names, writes
