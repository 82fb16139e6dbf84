"""Shadow mode: while the gate looks at a candidate, or holds it, a sample of real searches is asked of it too, out of everybody's way."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from statistics import mean
from threading import Event, Lock, Thread
from time import monotonic

from api.models import Models
from index.errors import GroundworkError
from index.reader import Opened, Reader
from index.release_log import ReleaseLog
from index.releases import Release
from tasks.retrieve import Hit, Query, Retrieved, retrieve

# At most so many a second, so that real searches don't feel it.
PER_S = 2.0
WAITING = 8
REMEMBERED = 1_000
_log = logging.getLogger("groundwork.api")


@dataclass(frozen=True, slots=True)
class Beside:
    """One search, on both: the share of documents in common, whether the first is the same, and milliseconds of the search in each."""

    overlap: float
    same_first: bool
    live_ms: float
    candidate_ms: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Searches that were asked of a candidate too; means."""

    release: int
    searches: int
    overlap: float | None
    same_first: float | None
    live_ms: float | None
    candidate_ms: float | None


class Shadow:
    """Takes searches that were answered, and asks some of them again in a thread of its own. Nobody waits for it."""

    def __init__(self, log: ReleaseLog, reader: Reader, models: Models) -> None:
        self._log = log
        self._reader = reader
        self._models = models
        self._waiting: Queue[tuple[Query, Retrieved]] = Queue(WAITING)
        self._found: dict[int, deque[Beside]] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._next = 0.0

    def start(self) -> None:
        """Begins to ask."""
        Thread(target=self._run, name="shadow", daemon=True).start()

    def stop(self) -> None:
        """Ends it after the search in hand."""
        self._stopping.set()

    def saw(self, query: Query, found: Retrieved) -> None:
        """A search of the live release was answered: it may be asked again, if there is a candidate and not too much to do."""
        if query.release is None and self.candidate() and monotonic() >= self._next:
            self._next = monotonic() + 1 / PER_S
            try:
                self._waiting.put_nowait((query, found))
            except Full:
                return

    def candidate(self) -> Release | None:
        """The newest release that is held and newer than all that were live; None when there is none."""
        newest = self._log.newest_candidate
        return newest if newest and newest.status == "held" else None

    def of(self, release: int) -> Compared:
        """What was seen of a candidate."""
        with self._lock:
            found = list(self._found.get(release, ()))
        if not found:
            return Compared(release, 0, None, None, None, None)
        return Compared(
            release,
            len(found),
            mean(each.overlap for each in found),
            mean(each.same_first for each in found),
            mean(each.live_ms for each in found),
            mean(each.candidate_ms for each in found),
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                query, found = self._waiting.get(timeout=0.2)
                self._ask(query, found)
            except Empty:
                continue
            except (OSError, RuntimeError, ValueError, GroundworkError) as error:
                _log.info("a search of the candidate failed: %s", error)

    def _ask(self, query: Query, found: Retrieved) -> None:
        if (candidate := self.candidate()) is None:
            return
        view = self._reader.view(candidate.number)
        again = retrieve(Opened(view), self._models.of(view.release), query)
        beside = compared(found.hits, again.hits, found.timings_ms["search"], again.timings_ms["search"])
        with self._lock:
            self._found.setdefault(candidate.number, deque(maxlen=REMEMBERED)).append(beside)


def compared(live: Sequence[Hit], candidate: Sequence[Hit], live_ms: float, candidate_ms: float) -> Beside:
    """By documents: passages are others where the chunker is another one."""
    here, there = ({hit.chunk.doc_id for hit in hits} for hits in (live, candidate))
    overlap = len(here & there) / len(here | there) if here | there else 1.0
    first = [hits[0].chunk.doc_id if hits else None for hits in (live, candidate)]
    return Beside(overlap, first[0] == first[1], live_ms, candidate_ms)
