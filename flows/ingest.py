"""Drains the inbox: batch after batch until it is empty. Plain functions; nothing here waits for Prefect."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from index.documents import Write
from index.errors import is_storage_failure
from index.inbox import Inbox
from index.store import Store
from tasks.batch import Outcome, isolate, run_batch
from tasks.plan import halves
from tasks.prepare import Tools
from tasks.publish import Publisher

MAX_DOCUMENTS = 100
MAX_BYTES = 512 * 1024
FAULTS_BEFORE_SPLIT = 3
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
    _tries: int = 0
    _faults: int = 0

    def next_batch(self) -> list[Outcome]:
        """Indexes what waits, at most one batch; an empty list when nothing does.

        The segments are acknowledged after the release that contains them. A failure of the storage or the
        machine backs off and is tried again, for ever if it must be: it is never charged to a document.
        """
        names, writes = take(self.store.inbox)
        if not names:
            return []
        try:
            outcomes = self._index(writes)
        except Exception as error:  # noqa: BLE001 - whatever a batch trips over must not stop those behind it
            self._after_failure(error, len(writes))
            return []
        self._tries = self._faults = 0
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

    def _index(self, writes: Sequence[Write]) -> list[Outcome]:
        if self._tries:
            self.publisher.take_over()
        if self._faults < FAULTS_BEFORE_SPLIT:
            return run_batch(self.store, self.publisher, self.tools, writes)
        return self._split(writes)

    def _split(self, writes: Sequence[Write]) -> list[Outcome]:
        """Finds the documents that a batch can't be done with, sets them aside and indexes the rest."""
        try:
            return run_batch(self.store, self.publisher, self.tools, writes)
        except Exception as error:
            if is_storage_failure(error):
                raise
            self.publisher.take_over()
            if len(writes) == 1:
                _log.exception("document %r is set aside", writes[0].doc_id)
                return isolate(self.store, self.publisher, self.tools, writes, _reason(error))
        first, second = halves(writes)
        return self._split(first) + self._split(second)

    def _after_failure(self, error: Exception, writes: int) -> None:
        self._tries += 1
        self._faults += not is_storage_failure(error)
        _log.error("batch of %d writes failed (try %d)", writes, self._tries, exc_info=error)
        until = monotonic() + min(MAX_BACK_OFF_S, 0.5 * 2.0 ** min(self._tries, 10))
        while monotonic() < until and not self.stopping():
            self.pause(0.2)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


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
