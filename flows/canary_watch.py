"""Canaries in the ingester's process: asked on what is live every few minutes, by the model that is warm, in a thread of its own."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isnan
from threading import Event, Thread

from evals.canary_runs import COUNT, Questions, mean_rank, refresh, run
from evals.drift import Rule, fallen
from index.canaries import Canary, CanaryRun
from index.embedder import Embedder
from index.errors import GroundworkError
from index.releases import Release
from index.search import View
from index.store import Store

FIRST_S, EVERY_S = 30.0, 300.0
# Of the process, a run; what it does not get to is asked in the next one.
BUDGET_S = 1.0
# After each question: batches and searches get the machine meanwhile.
PAUSE_S = 0.02
REFRESH_EVERY = timedelta(hours=1)
TROUBLE = (OSError, RuntimeError, ValueError, GroundworkError)
_log = logging.getLogger("groundwork.canaries")


@dataclass(slots=True)
class CanaryWatch:
    """Keeps canaries, and asks them on the live release. What goes wrong is tried again the next time; no batch waits for it.

    Attributes:
        store: with handles of its own.
        embedder_of: the embedder of a release.
        budget_s: seconds of the process that a run may take.
        on_fall: is told the release on which canaries find significantly less than when they were asked before.
    """

    store: Store
    embedder_of: Callable[[Release], Embedder]
    every_s: float = EVERY_S
    budget_s: float = BUDGET_S
    pause_s: float = PAUSE_S
    on_fall: Callable[[int], object] = lambda _: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _questions: Questions = field(default_factory=Questions)
    _stopping: Event = field(default_factory=Event)
    _thread: Thread | None = None
    _refreshed_at: datetime | None = None
    _refreshed_on: int = 0
    _more: bool = False
    _seen: tuple[int, tuple[str, ...]] = (0, ())
    _asked: set[str] = field(default_factory=set)
    _last: str = ""
    _ranks: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Begins, half a minute from now."""
        self._thread = Thread(target=self._watch, name="canaries", daemon=True)
        self._thread.start()

    def stop(self, within_s: float = 1.0) -> None:
        """Ends after the question in hand."""
        self._stopping.set()
        if self._thread:
            self._thread.join(within_s)

    def look(self) -> CanaryRun | None:
        """One run; None where there is nothing to ask, or all was asked on the same release before."""
        self.store.log.refresh()
        view = self.store.reader().view(self.store.log.live().number)
        if not view.release.rows:
            return None
        embedder = self.embedder_of(view.release)
        canaries = self.store.canaries.all()
        if self._is_refresh_due(view, sum(canary.kind != "phrased" for canary in canaries)):
            self._refresh(view, embedder)
            canaries = self.store.canaries.all()
        left = self._left(view, canaries)
        if not left:
            _log.debug("release %d is as it was when all canaries were asked", view.release.number)
            return None
        taken, stale = run(view, embedder, self._questions, left, self.clock(), self.budget_s, self._pause)
        self.store.canary_runs.write(taken)
        self._asked |= set(taken.canaries)
        self._last = taken.canaries[-1]
        if stale:
            self._refreshed_at = None
        rank = mean_rank(taken)
        told = "unmeasured" if rank is None else f"{rank:.3f}"
        _log.info("release %d: %d canaries, mean reciprocal rank %s, %.2f s", taken.release, len(taken.ranks), told, taken.cpu_s)
        self._compare(taken)
        return taken

    def _watch(self) -> None:
        wait = FIRST_S
        while not self._stopping.wait(wait):
            wait = self.every_s
            try:
                self.look()
            except TROUBLE as error:
                _log.warning("the canaries could not be asked, they are asked again in %.0f s: %s", wait, error)

    def _is_refresh_due(self, view: View, count: int) -> bool:
        """Where some are gone or missing, and now and then: documents change."""
        if self._refreshed_at is None or self._more:
            return True
        same = self._refreshed_on == view.release.number
        return not same and (count < COUNT or self.clock() - self._refreshed_at >= REFRESH_EVERY)

    def _refresh(self, view: View, embedder: Embedder) -> None:
        done = refresh(self.store.canaries, view, embedder, self._questions, self.clock(), self._pause)
        self._refreshed_at, self._refreshed_on, self._more = self.clock(), view.release.number, done.more
        if done.made or done.dropped or done.refused:
            _log.info("canaries: %d new, %d gone; %d more did not find their passage", done.made, done.dropped, done.refused)

    def _compare(self, taken: CanaryRun) -> None:
        """A fall is told once: from then on it is what the next run is compared with."""
        now = {name: rank for name, rank in zip(taken.canaries, taken.ranks, strict=True) if not isnan(rank)}
        if fallen("canaries", now, self._ranks, Rule()).state == "alarm":
            _log.warning("release %d: canaries find less than before", taken.release)
            self.on_fall(taken.release)
        self._ranks |= now

    def _left(self, view: View, canaries: list[Canary]) -> list[Canary]:
        """Those that were not asked on this very release, from where the last run stopped."""
        seen = (view.release.number, tuple(view.hidden))
        if seen != self._seen:
            self._seen, self._asked = seen, set()
        names = sorted(canaries, key=lambda canary: (canary.id <= self._last, canary.id))
        return [canary for canary in names if canary.id not in self._asked]

    def _pause(self) -> None:
        if self._stopping.wait(self.pause_s):
            raise OSError("the process is ending")
