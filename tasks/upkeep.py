"""Folding and tidying beside the batches: in a thread of its own, so that no batch waits for them."""

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from index.errors import Conflict, Unavailable
from index.store import Store
from tasks.fold import fold, fold_text
from tasks.maintain import tidy
from tasks.publish import Publisher
from tasks.retention import Retention

FOLD_EVERY = 20  # batches
# Searches by text tokenise each row that is in no index, 6 ms a thousand; those by vector take 1.3 ms more.
TEXT_ROWS = 1_000
MOST_NEW_ROWS = 4 * TEXT_ROWS
TIDY_EVERY = 5  # foldings
_log = logging.getLogger("groundwork.ingester")


@contextmanager
def giving_way() -> Iterator[None]:
    """Somebody else's commit, or a full disk, is no failure of what can be done later as well."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, Conflict, Unavailable) as error:
        _log.warning("folding gave way, it is tried again later: %s", error)


@dataclass(slots=True)
class Upkeep:
    """Keeps the served generation in shape. Called by its one writer between batches, who has nothing unfinished in the tables.

    What folding commits meanwhile is in the release of the next batch, or in one of its own.

    Attributes:
        fold_every: so many batches.
        unfolded: batches since folding last began.
        new_rows: rows that came since then, or since the full text was folded alone.
        foldings: seconds of the last ones.
    """

    store: Store
    publisher: Publisher
    retention: Retention = field(default_factory=Retention)
    fold_every: int = FOLD_EVERY
    unfolded: int = 0
    new_rows: int = 0
    foldings: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    _untidied: int = 0
    _gave_way: bool = False
    _folding: Future[None] | None = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="upkeep"))

    def note_batch(self, rows: int) -> None:
        """One more batch is in the index, with so many new rows."""
        self.unfolded += 1
        self.new_rows += rows

    def go_on(self) -> None:
        """Publishes what was folded meanwhile, and begins to fold when it is due.

        Waits where folding can't keep up with the batches: else the tail would grow for ever, and with it what each search takes.
        """
        if self.unfolded >= self.fold_every or self.new_rows >= MOST_NEW_ROWS:
            self.finish()
        self._publish_folded()
        if self.unfolded >= self.fold_every:
            again = self._gave_way
            self.begin()
            if again:  # where batches change rows that are new, one takes each compaction its commit: this time they wait
                self.finish()
        elif self.new_rows >= TEXT_ROWS and self._folding is None:
            self.new_rows = 0
            self._folding = self._thread.submit(self._fold_text, self.publisher.table.generation)

    def begin(self) -> None:
        """Begins to fold what came since it last began, unless that still goes on."""
        if self._folding is None:
            self.unfolded = self.new_rows = 0
            self._folding = self._thread.submit(self._fold, self.publisher.table.generation)

    def finish(self) -> None:
        """Waits for what was begun, and publishes it."""
        if self._folding:
            wait([self._folding])
        self._publish_folded()

    def _fold_text(self, generation: str) -> None:
        with giving_way():
            fold_text(self.store, self.store.existing_chunk_table(generation))

    def _fold(self, generation: str) -> None:
        began = monotonic()
        self._gave_way = True
        with giving_way():
            fold(self.store, self.store.existing_chunk_table(generation))
            self._gave_way = False
        with giving_way():
            self.store.ledger.fold()
        self.foldings.append(monotonic() - began)
        self._untidied += 1
        if self._untidied >= TIDY_EVERY:
            self._untidied = 0
            with giving_way():
                tidy(self.store, generation, self.retention)

    def _publish_folded(self) -> None:
        if self._folding and self._folding.done():
            if error := self._folding.exception():
                _log.error("folding failed, it is tried again later", exc_info=error)
            self._folding = None
            with giving_way():
                self.publisher.publish_maintenance()
