"""Watches local folders, so that a saved file is searchable in seconds and does not wait for the next sweep.

It only hastens what the scheduled sweeps do: what it misses, or may not do, they find.
"""

import logging
import sqlite3
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from watchfiles import watch

from index.store import Store
from tasks.compare import MAX_REMOVED_SHARE, MIN_REMOVED
from tasks.discover import Configured, FolderSource
from tasks.sweep import Progress, Sweep, sweep, sweep_part

DEBOUNCE_MS = 200
QUIET_MS = 50
LOOK_UP_MS = 200
POLL_MS = 1000
# A file that is written all the time is taken this often.
PAUSE_S = 0.3
RETRY_S = 1.0
# The queue of the kernel ends at 16,384 events, and nobody tells when it has: after a flood everything is looked at.
FLOOD = 2000
# What a sweep may trip over; none of it must end the watching.
TROUBLE = (OSError, RuntimeError, ValueError, sqlite3.Error)
_log = logging.getLogger("groundwork.watch")


class Watcher:
    """Watches the folders among the configured sources, each in a thread of its own."""

    def __init__(self, store: Store, sources: Mapping[str, Configured]) -> None:
        self._stop = Event()
        self._watches = [
            FolderWatch(store, configured.source, Losses(configured.every), self._stop, polls=configured.watch == "poll")
            for configured in sources.values()
            if isinstance(configured.source, FolderSource) and configured.watch != "no"
        ]
        self._threads = [Thread(target=one.run, name=f"watch {one.source.name}", daemon=True) for one in self._watches]

    def start(self) -> None:
        """Begins to watch, and sweeps each folder once for what changed while nobody watched."""
        for thread in self._threads:
            thread.start()

    def stop(self, within_s: float = 2.0) -> None:
        """Ends the watching; what is being handed in at this moment may still be."""
        self._stop.set()
        until = monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))


class Stopping(Exception):
    """The watcher is to end while a sweep waits."""


@dataclass(slots=True)
class Losses:
    """How many documents may vanish without anybody being asked: a tenth of the source, in the time between two sweeps."""

    window: timedelta
    size: int = 0
    _lost: deque[tuple[float, int]] = field(default_factory=deque)

    def allow(self, count: int) -> bool:
        """Whether so many more may be removed now; if so, they are counted."""
        now = monotonic()
        while self._lost and now - self._lost[0][0] > self.window.total_seconds():
            self._lost.popleft()
        if sum(lost for _, lost in self._lost) + count > max(MIN_REMOVED, self.size * MAX_REMOVED_SHARE):
            return False
        self._lost.append((now, count))
        return True


@dataclass(slots=True)
class FolderWatch:
    """One folder under watch. It may vanish and come back."""

    store: Store
    source: FolderSource
    losses: Losses
    stopping: Event
    polls: bool
    _is_away: bool = False
    _sweeping: Thread | None = None

    def run(self) -> None:
        """Watches until it is stopped."""
        while not self.stopping.is_set():
            try:
                self.follow()
            except FileNotFoundError:
                if not self._is_away:
                    _log.warning("%s: %s is away; nothing of it is removed", self.source.name, self.source.folder)
                self._is_away = True
                self.stopping.wait(RETRY_S)
            except TROUBLE as error:
                self._after_failure(error)
            except Stopping:
                return

    def follow(self) -> None:
        """Follows the changes for as long as it is the same folder; raises `FileNotFoundError` when it is away."""
        identity = self._identity()
        changes = watch(
            self.source.folder,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=QUIET_MS,
            rust_timeout=LOOK_UP_MS,
            yield_on_timeout=True,
            stop_event=self.stopping,
            force_polling=self.polls,
            poll_delay_ms=POLL_MS,
            ignore_permission_denied=True,
        )
        is_first = True
        for batch in changes:
            if self._identity() != identity:
                return
            if is_first:  # from here on nothing is missed, so this is the time to see what was
                self._is_away = is_first = False
                self.catch_up()
            self.take(Path(path) for _, path in batch)

    def take(self, paths: Iterable[Path]) -> None:
        """Sweeps what changed; everything when that is very much."""
        wanted = sorted({path for path in paths if self.source.covers(path)})
        if len(wanted) > FLOOD:
            self.catch_up()
        elif wanted:
            try:
                self._warn(sweep_part(self.store, self.source, wanted, self.losses.allow, self._progress()))
            except TROUBLE as error:
                _log.warning("%s: what changed waits for the next sweep: %s", self.source.name, error)
            self.stopping.wait(PAUSE_S)

    def catch_up(self) -> None:
        """Sweeps the whole folder in the background, unless that is going on: what is saved meanwhile does not wait for it."""
        if self._sweeping is None or not self._sweeping.is_alive():
            self._sweeping = Thread(target=self._sweep, name=f"sweep {self.source.name}", daemon=True)
            self._sweeping.start()

    def _sweep(self) -> None:
        try:
            swept = sweep(self.store, self.source, progress=self._progress())
        except TROUBLE as error:
            _log.warning("%s: the folder can't be swept now: %s", self.source.name, error)
        except Stopping:
            return
        else:
            self.losses.size = swept.known + len(swept.changes.added)
            self._warn(swept)

    def _warn(self, swept: Sweep) -> None:
        if swept.withheld:
            _log.warning(
                "%s: %d documents are gone, together more than a tenth: they stay until a scheduled sweep has asked",
                swept.source,
                swept.changes.lost,
            )
        for item in swept.skipped:
            _log.warning("%s: left out: %s", item.doc_id, item.reason)

    def _progress(self) -> Progress:
        def pause(seconds: float) -> None:
            if self.stopping.wait(seconds):
                raise Stopping

        return Progress(_log.info, pause)

    def _identity(self) -> tuple[int, int]:
        facts = self.source.folder.stat()
        return facts.st_dev, facts.st_ino

    def _after_failure(self, error: Exception) -> None:
        """The limits of the kernel are used up, or the file system can't tell of changes: looks for itself from now on."""
        if not self.polls:
            _log.warning("%s: looking for changes every %d ms, as they can't be told: %s", self.source.name, POLL_MS, error)
        self.polls = True
        self.stopping.wait(RETRY_S)
