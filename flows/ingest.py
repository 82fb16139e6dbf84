"""Drains the inbox: batch after batch until it is empty. Plain functions; nothing here waits for Prefect."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from flows.interrupt import Interrupted, Interruptible
from flows.lanes import Lanes, Piece
from index.documents import Lane, Write
from index.errors import is_storage_failure
from index.store import Store
from tasks.batch import Outcome, isolate, run_batch
from tasks.plan import halves
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.retention import Retention
from tasks.upkeep import Upkeep, giving_way

FAULTS_BEFORE_SPLIT = 3
MAX_BACK_OFF_S = 30.0
PATIENCE_S = 0.5
GIVES_WAY_AFTER_S = 1.0
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Drain:
    """Takes batches from the inbox to the index. `stopping` is asked between batches and while backing off."""

    store: Store
    publisher: Publisher
    stopping: Callable[[], bool]
    pause: Callable[[float], object]
    retention: Retention = field(default_factory=Retention)
    upkeep: Upkeep = field(init=False)
    _lanes: Lanes = field(init=False)
    _patient: Interruptible = field(init=False)
    _began: float = 0.0
    _unfinished: bool = False
    _tries: Counter[Lane] = field(default_factory=Counter)
    _faults: Counter[Lane] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Nothing is taken yet."""
        self.upkeep = Upkeep(self.store, self.publisher, self.retention)
        self._lanes = Lanes(self.store.inbox)
        self._patient = Interruptible(self.tools.embedder, self._must_yield)

    @property
    def tools(self) -> Tools:
        """Those that the newest release was made with."""
        return self.publisher.tools

    def next_batch(self) -> list[Outcome]:
        """Indexes what waits, at most one batch; an empty list when nothing does.

        The segments are acknowledged after the release that contains them. A failure of the storage or the
        machine backs off and is tried again, for ever if it must be: it is never charged to a document.
        """
        piece = self._lanes.next_piece(self._is_read)
        if piece is None:
            return []
        began = monotonic()
        self._began = began
        try:
            piece = self._without_slow(piece)
            outcomes = self._index(piece)
        except Interrupted as interruption:
            _log.info("a bulk batch gives way to the express lane: %s", interruption)
            return self.next_batch()
        except Exception as error:  # noqa: BLE001 - whatever a batch trips over must not stop those behind it
            self._after_failure(error, piece)
            return []
        if self._tries[piece.lane]:
            self._tell(None)
        self._tries[piece.lane] = self._faults[piece.lane] = 0
        self._lanes.done(piece, monotonic() - began)
        if piece.lane == "bulk":
            self._patient.forget()
        self.upkeep.note_batch(sum(outcome.written for outcome in outcomes))
        return outcomes

    def keep_up(self) -> None:
        """Publishes what was folded beside the batches, and begins to fold now and then, so that searches stay as fast as they were."""
        if not self._unfinished:
            self.upkeep.go_on()

    def rest(self) -> None:
        """What there is time for when nothing waits: fold what is not, publish what maintenance has folded meanwhile."""
        with giving_way():
            self.settle()
        if self._unfinished:
            return
        if self.upkeep.unfolded:
            self.upkeep.begin()
        else:
            with giving_way():
                self.publisher.publish_maintenance()

    def unsettle(self) -> None:
        """Something else than a batch may have left the tables unfinished: the last release is restored before they are used again."""
        self._unfinished = True

    def settle(self) -> None:
        """Takes back what is unfinished."""
        if self._unfinished:
            self.publisher.take_over()
            self._unfinished = False

    def _is_read(self, writes: Sequence[Write]) -> bool:
        return not self.tools.parsers.is_reading(write.draft for write in writes)

    def _without_slow(self, piece: Piece) -> Piece:
        """The piece without documents that take long to read, or hang: they come when they are read, and nobody waits for them."""
        if self._lanes.is_held(piece):
            return piece
        slow = self.tools.parsers.begin((write.draft for write in piece.writes if write.draft.action == "put"), PATIENCE_S)
        return self._lanes.hold_back(piece, slow) if slow else piece

    def _index(self, piece: Piece) -> list[Outcome]:
        self.settle()
        if self._faults[piece.lane] < FAULTS_BEFORE_SPLIT:
            self._patient.inner = self.tools.embedder
            tools = replace(self.tools, embedder=self._patient) if piece.lane == "bulk" else self.tools
            return run_batch(self.store, self.publisher, tools, piece.writes)
        return self._split(piece.writes)

    def _must_yield(self) -> bool:
        """Whether a single document has come while a bulk batch has had its time."""
        return monotonic() - self._began > GIVES_WAY_AFTER_S and bool(self.store.inbox.segments("express"))

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

    def _after_failure(self, error: Exception, piece: Piece) -> None:
        self._unfinished = True
        self._tries[piece.lane] += 1
        self._faults[piece.lane] += not is_storage_failure(error)
        tries = self._tries[piece.lane]
        kind = "the storage or the machine failed" if is_storage_failure(error) else "an unexpected error"
        self._tell(f"{kind} ({type(error).__name__}); {len(piece.writes)} writes wait and are tried again, {tries} times so far")
        _log.error("%s batch of %d writes failed (try %d)", piece.lane, len(piece.writes), tries, exc_info=error)
        until = monotonic() + min(MAX_BACK_OFF_S, 0.5 * 2.0 ** min(tries, 10))
        while monotonic() < until and not self.stopping():
            self.pause(0.2)

    def _tell(self, trouble: str | None) -> None:
        """Lets those who look from outside know; where even that fails, the log does."""
        with suppress(OSError):
            self.store.inbox.note_trouble(trouble)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
