"""A rebuild beside the ingester's batches: a piece after each, so that neither waits long for the other."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from evals.examine import Report
from flows.ingest import Drain
from index.errors import GroundworkError, Misconfigured
from index.policy import IndexPolicy
from index.progress import RebuildProgress
from index.recipe import Recipe
from index.releases import Release
from index.store import Store
from index.wishes import RebuildState, Wish
from tasks import wish as wished
from tasks.prepare import Tools
from tasks.rebuild import Rebuild, forget_others

# Where batches take longer, on a slow or busy machine, a piece does too: else a rebuild would have next to none of the time.
SHORTEST_PIECE_S, LONGEST_PIECE_S = 0.5, 4.0
# Of the time: searches have the rest of the cores, and batches go on.
SHARE = 0.6
LOOK_EVERY_S = 0.5
AGAIN_AFTER_S = 60.0
TELL_EVERY_S = 30.0
LONGEST_EXAM = timedelta(hours=12)
BY = "ingester"
Examine = Callable[[Store, Release, Release, Tools, Tools], Report]
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Rebuilding:
    """Does what is asked for in the release log, one rebuild at a time, until its generation is served, held or cancelled.

    Attributes:
        workshop: makes the tools of a recipe; called in a thread, for it takes seconds.
        examine: compares the candidate with what is live; called in a thread.
        served: is told the release that a rebuild has made; must not take long.
    """

    drain: Drain
    workshop: Callable[[Recipe], Tools]
    examine: Examine
    policy: IndexPolicy = field(default_factory=IndexPolicy)
    served: Callable[[int], object] = lambda _: None
    wish: Wish | None = None
    rebuild: Rebuild | None = None
    _tools: Future[Tools] | None = None
    _candidate: Release | None = None
    _exam: Future[Report] | None = None
    _passed: Report | None = None
    _looked_at: float = float("-inf")
    _not_before: float = 0.0
    _told_at: float = 0.0
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="rebuild"))

    @property
    def is_under_way(self) -> bool:
        """Whether there is something to do now."""
        return self.rebuild is not None and monotonic() >= self._not_before

    def go_on(self, batch_s: float = 0.0) -> None:
        """Does a piece that takes about as long as the batch before it, `batch_s`, within bounds.

        After a failure what is served stays as it is, and the rebuild goes on a minute later where it was.
        """
        self._look()
        try:
            if self.wish and self.rebuild is None:
                self._begin(self.wish)
            elif self.wish and self.is_under_way:
                self._go_on(self.wish, piece_s(batch_s))
        except (OSError, RuntimeError, ValueError, GroundworkError) as error:
            _log.exception("the rebuild failed; it goes on in %.0f s, searches stay on the generation before it", AGAIN_AFTER_S)
            self._tell(f"failed, and is tried again: {error}")
            self._not_before = monotonic() + AGAIN_AFTER_S
            self.drain.unsettle()

    def _look(self) -> None:
        """Whether somebody has asked for a rebuild, or for its end."""
        if monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = monotonic()
        log = self.drain.store.log
        log.refresh()
        asked = wished.under_way(log)
        if self.wish and (asked is None or asked.id != self.wish.id):
            self._forget(self.wish)
        if asked and self.wish is None:
            self.wish = asked
            self._tools = self._thread.submit(self.workshop, asked.recipe)
            _log.info("rebuild %d is asked for by %s: %s", asked.id, asked.by, asked.recipe)
            self._tell("loads the model")

    def _begin(self, wish: Wish) -> None:
        """Begins when the tools are there."""
        if self._tools is None or not self._tools.done():
            return
        tools, self._tools = self._tools, None
        try:
            made = tools.result()
        except Misconfigured as error:
            self._end(wish, "failed", str(error))
            return
        except GroundworkError as error:
            _log.warning("%s; trying again", error)
            self._tools = self._thread.submit(self.workshop, wish.recipe)
            return
        newest = self.drain.publisher.table.generation
        if made.generation == newest:
            self._end(wish, "done", "the index was made so already")
            return
        forget_others(self.drain.store, made.generation, newest)
        self.rebuild = Rebuild(self.drain.store, self.drain.publisher, made, self.policy)

    def _go_on(self, wish: Wish, seconds: float) -> None:
        assert self.rebuild is not None  # noqa: S101 - as `is_under_way` says
        if self._exam and not self._exam.done():
            # What comes meanwhile is done at its end: to look what that is reads the whole ledger.
            self._not_before = monotonic() + LOOK_EVERY_S
            self._tell("is examined")
            return
        self.drain.settle()
        began = monotonic()
        caught_up = self.rebuild.step(seconds)
        pause = LOOK_EVERY_S if caught_up else (monotonic() - began) * (1 / SHARE - 1)
        self._not_before = monotonic() + pause
        if self._exam and self._exam.done():
            exam, self._exam = self._exam, None
            self._take(wish, exam.result())
        elif caught_up and (wish.override or self._passed):
            self._serve(wish)
        elif caught_up and self._exam is None:
            self._offer()
        if self.wish:
            self._tell("is examined" if self._exam else "makes passages and vectors")

    def _offer(self) -> None:
        """Has the generation examined beside what is live, while batches go on."""
        assert self.rebuild is not None  # noqa: S101 - called by `_go_on` alone
        store, live = self.drain.store, self.drain.publisher.tools
        self._withdraw()
        self._candidate = self.rebuild.offer()
        newest = store.log.get(store.log.state.newest)
        for release in (self._candidate, newest):
            store.log.keep(release.number, datetime.now(UTC) + LONGEST_EXAM, BY)
        self._exam = self._thread.submit(self.examine, store, newest, self._candidate, live, self.rebuild.tools)

    def _take(self, wish: Wish, report: Report) -> None:
        """Goes on, or not, as the gate says."""
        assert self._candidate is not None  # noqa: S101 - there was an exam
        _log.info("the gate: %s", report)
        if report.passed:
            self._passed = report
            return
        reason = f"held as release {self._candidate.number}, {report}"
        self._end(wish, "held", reason, candidate=self._candidate.number, report=report.as_json())

    def _serve(self, wish: Wish) -> None:
        assert self.rebuild is not None  # noqa: S101 - called by `_go_on` alone
        report = self._passed.as_json() if self._passed else {"override": wish.reason or ""}
        release = self.rebuild.serve({"rows": "ok", "rebuilt": "ok", "gate": report})
        self._withdraw()  # what is served now shows the same, and what came since
        self._end(wish, "done", f"release {release.number} is made of it", release=release.number, report=report)
        self.served(release.number)

    def _end(self, wish: Wish, state: RebuildState, reason: str, **detail: object) -> None:
        generation = self.rebuild.tools.generation if self.rebuild else None
        embedded = self.rebuild.embedded if self.rebuild else 0
        wished.end(self.drain.store.log, wish, state, BY, reason, generation=generation, embedded=embedded, **detail)
        _log.info("rebuild %d: %s, %s", wish.id, state, reason)
        self._reset()

    def _forget(self, wish: Wish) -> None:
        """It was cancelled: what was made for it goes."""
        _log.info("rebuild %d was cancelled", wish.id)
        if self._exam:
            self._exam.cancel()
        self._withdraw()
        self._reset()
        forget_others(self.drain.store, self.drain.publisher.table.generation)

    def _withdraw(self) -> None:
        """Takes the candidate out of service, if there is one."""
        if self._candidate:
            self.drain.store.log.append("reclaimed", 0, BY, detail={"releases": [self._candidate.number]})
            self._candidate = None

    def _reset(self) -> None:
        RebuildProgress(self.drain.store.folder).clear()
        self.wish = self.rebuild = self._tools = self._candidate = self._exam = self._passed = None
        self._not_before = 0.0

    def _tell(self, phase: str) -> None:
        """Lets those who look from outside know."""
        assert self.wish is not None  # noqa: S101 - nothing is told of no rebuild
        rebuild = self.rebuild
        documents = rebuild.progress() if rebuild else (0, 0)
        RebuildProgress(self.drain.store.folder).write(self.wish.id, phase, *documents, rebuild.embedded if rebuild else 0)
        if rebuild and monotonic() - self._told_at > TELL_EVERY_S:
            self._told_at = monotonic()
            _log.info("rebuilding: %d of %d documents, %d texts embedded so far", *documents, rebuild.embedded)


def piece_s(batch_s: float) -> float:
    """How long a piece shall take after a batch that took so long: neither waits much longer for the other than it takes itself."""
    return min(LONGEST_PIECE_S, max(SHORTEST_PIECE_S, batch_s))
