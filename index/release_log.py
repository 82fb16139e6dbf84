"""The release log: which states can be served, and which one is live.

Live is a fold of the log. An event is inserted on `seq` = last + 1 only if nobody else took that
number; otherwise the log is read again and the event folded anew. So a rollback that races a
thousand publishes is never undone: a new release does not change a pin.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from threading import Lock, RLock
from typing import Any

from lancedb.db import DBConnection
from lancedb.expr import Expr, col, lit

from index.arrivals import Arrival, from_json, to_json
from index.errors import Conflict, NotFound, Unavailable
from index.events import Events
from index.releases import Event, Kind, Release, Shape, State, fold
from index.timeline import Timeline

COMPACT_EVERY = 100
# Whoever appends an event has looked at the log a moment ago: what came since must be where it looks for numbers that are taken.
NEVER_PAST = 100
PAST_AFTER = timedelta(minutes=15)
# An event that took longer was perhaps inserted by who was paused, under a number that has been set aside meanwhile.
SUSPECT_AFTER = timedelta(minutes=1)
# Of a log that has grown for long: a part each time, so that no batch waits.
AT_ONCE = 20_000
# They say nothing any more when their release is reclaimed.
_PASSING = ("released", "kept")
_RELEASED: Expr = col("kind") == lit("released")


class ReleaseLog:
    """Reads and appends to the log. Safe to share between threads.

    In memory, and in what is read at the start, are the releases that are not reclaimed, and what was done to them and by whom: a
    bounded number, and some more a day. The others are looked up when somebody asks for them.

    Attributes:
        events: those that are of use still, in their order. A list that once was read never changes but by what is appended.
        last: the newest event; None in an empty log.
    """

    def __init__(self, db: DBConnection) -> None:
        self._stored = Events(db)
        self._lock = RLock()
        self._db = db
        self._history_lock = Lock()
        self._version = -1
        self.events: list[Event] = []
        self.last: Event | None = None
        self._releases: dict[int, Release] = {}
        self._lasting: set[int] = set()
        self._shapes: dict[str, Shape] = {}
        self._candidate = self._highest = 0
        self.refresh()

    @cached_property
    def _history(self) -> Events:
        """Who asks for what is long past shall not have searches and batches wait."""
        return Events(self._db)

    @property
    def state(self) -> State:
        """The folded state as of the last refresh."""
        return self.last.state if self.last else State()

    @property
    def seq(self) -> int:
        """The number of the newest event; 0 in an empty log."""
        return self.last.seq if self.last else 0

    def refresh(self) -> bool:
        """Reads what others appended; True when there was something new."""
        with self._lock:
            version = self._stored.version()
            if version == self._version:
                return False
            later = col("seq") > lit(self.seq)
            new = self._stored.in_use(later)
            if self.last and new and new[-1].seq - self.seq > len(new):
                new = self._stored.ever(later)  # some are set aside by now, with what they say of releases that are known here
            self._version = version
            for event in new:
                self._apply(event)
            return bool(new)

    def append(
        self,
        kind: Kind,
        release: int,
        by: str,
        reason: str | None = None,
        detail: dict[str, Any] | None = None,
        precondition: Callable[[], object] = lambda: None,
        arrivals: Iterable[Arrival] = (),
    ) -> Event:
        """Appends one event, after whatever others append meanwhile; `arrivals` are what a new release brings.

        `precondition` is called on the log as it is right before the event, and may raise to stop it.
        Raises `Unavailable` when a hundred others were faster.
        """
        with self._lock:
            for _ in range(100):
                began = datetime.now(UTC)
                self.refresh()
                precondition()
                event = Event(self.seq + 1, kind, datetime.now(UTC), by, reason, release, detail or {}, fold(self.state, kind, release))
                if self._stored.insert(event, to_json(arrivals)):
                    if datetime.now(UTC) - began > SUSPECT_AFTER and self._stored.take_back(event.seq):
                        continue
                    self.refresh()
                    return event
        raise Unavailable("the release log is written by too many at once; try again")

    def get(self, number: int) -> Release:
        """One release; `NotFound` when there is none with this number."""
        release = self._releases.get(number) or next(iter(self._reclaimed([number])), None)
        if release is None:
            raise NotFound(f"there is no release {number}; GET /v1/releases lists them")
        return release

    @property
    def next_number(self) -> int:
        """The number of the release that comes next: those of candidates are taken too."""
        return self._highest + 1

    @property
    def newest_candidate(self) -> Release | None:
        """The generation that was offered last to be examined, whatever became of it; None where there was none."""
        return self._releases[self._candidate] if self._candidate else None

    def live(self) -> Release:
        """The release being served; `Unavailable` before the first."""
        if not self.state.live:
            raise Unavailable("no release yet: the ingester makes the first one when it starts")
        return self.get(self.state.live)

    def servable(self, number: int) -> Release:
        """One release that still has its rows; `Conflict` when they were reclaimed."""
        release = self.get(number)
        if release.status == "reclaimed":
            raise Conflict(f"release {number} was reclaimed, by retention or by a purge, and can't be served any more")
        return release

    def keep(self, number: int, until: datetime, by: str) -> None:
        """Has retention leave a release until then, for long work on it; raises `NotFound`, or `Conflict` when it came too late."""
        self.append("kept", number, by, detail={"until": until.isoformat()}, precondition=lambda: self.servable(number))

    def shape(self, generation: str) -> Shape | None:
        """The vector index that a generation has, or is about to have; None when it is searched row by row."""
        return self._shapes.get(generation)

    def kept(self) -> list[Release]:
        """Each release that is not reclaimed, newest first."""
        found = [each for each in list(self._releases.values()) if each.status != "reclaimed"]
        return sorted(found, key=lambda each: each.number, reverse=True)

    def are_reclaimed(self, numbers: Iterable[int]) -> set[int]:
        """Those of the numbers whose release was reclaimed."""
        following = self.next_number  # before the next line: one that is made meanwhile is not reclaimed
        kept = {release.number for release in self.kept()}
        return {number for number in numbers if number < following and number not in kept}

    def page(self, before: int | None, limit: int) -> list[Release]:
        """The `limit` releases before a number, or the newest: reclaimed ones too, newest first."""
        end = self.next_number if before is None else min(before, self.next_number)
        numbers = range(end - 1, max(0, end - 1 - limit), -1)
        found = self._releases | {each.number: each for each in self._reclaimed(set(numbers) - self._releases.keys())}
        return [found[number] for number in numbers if number in found]

    def first_served(self, numbers: Iterable[int]) -> dict[int, datetime]:
        """When each of these releases, or a later one, was first live; without those that haven't been yet."""
        asked, events = set(numbers), self.events
        own = {event.release: event for event in self._past(asked - self._releases.keys())}
        highest = list(accumulate((event.state.live for event in events), max))
        found = {number: own[number].at for number in asked & own.keys() if own[number].state.live >= number}
        places = {number: bisect_left(highest, number) for number in asked - found.keys()}
        return found | {number: events[place].at for number, place in places.items() if place < len(highest)}

    def arrivals_after(self, seq: int) -> dict[int, list[Arrival]]:
        """What the releases after an event brought, by the number of their event. Asked for soon: later it is forgotten."""
        with self._lock:
            return {number: from_json(brought) for number, brought in self._stored.arrivals(col("seq") > lit(seq))}

    def timeline(self) -> Timeline:
        """What was live when, from the first event on. Takes a moment where there were a million."""
        with self._history_lock:
            return self._history.timeline()

    def rows_by_day(self) -> list[tuple[datetime, int]]:
        """How many rows the last release of each day had, and when it was made."""
        with self._history_lock:
            return [(event.at, event.detail["rows"]) for event in self._history.last_of_days(_RELEASED)]

    def compact(self, past_after: timedelta = PAST_AFTER) -> None:
        """Sets aside what is of no use any more, and merges the small appends; the history stays."""
        with self._lock:
            used = {event.seq for event in self.events}
            self._stored.set_aside(used, self.seq - NEVER_PAST + 1, datetime.now(UTC) - past_after, AT_ONCE)
            self._stored.compact()

    def _past(self, numbers: Iterable[int]) -> list[Event]:
        """The events that made these releases, of those that were reclaimed."""
        wanted = [number for number in numbers if 0 < number < self.next_number]
        with self._history_lock:
            return self._history.ever(_RELEASED & col("release").isin(wanted)) if wanted else []

    def _reclaimed(self, numbers: Iterable[int]) -> list[Release]:
        return [replace(self._scored(event), status="reclaimed") for event in self._past(numbers)]

    def _scored(self, event: Event) -> Release:
        """A release that is in memory no more, with the scores that proved it."""
        proofs = [each for each in self.events if each.kind == "proven" and each.release == event.release]
        return replace(_made(event), scores=proofs[-1].detail.get("scores", []) if proofs else [])

    def _apply(self, event: Event) -> None:
        self.last = event
        if event.kind == "reclaimed":
            self._forget(event)
            return
        self.events.append(event)
        if event.kind in ("released", "candidate"):
            self._releases[event.release] = _made(event)
            self._highest = max(self._highest, event.release)
            if event.kind == "candidate":
                self._candidate = event.release
            # A candidate is asked for whatever became of it, and whether a request was followed must be known for ever.
            if event.kind == "candidate" or "requeued" in event.detail.get("checks", {}):
                self._lasting.add(event.release)
        elif event.kind == "proven":
            self._replace(event.release, status="proven", scores=event.detail.get("scores", []))
        elif event.kind == "held":
            self._replace(event.release, status="held")
        elif event.kind == "kept":
            self._replace(event.release, kept_until=datetime.fromisoformat(event.detail["until"]))
        elif event.kind == "indexed":
            self._shapes[event.detail["generation"]] = Shape(**event.detail)
        elif event.kind == "tuned":
            shape = self._shapes[event.detail["generation"]]
            self._shapes[shape.generation] = replace(shape, tuning=event.detail)

    def _forget(self, event: Event) -> None:
        """Leaves nothing of reclaimed releases in memory, but of those that last; others may be in the middle of the lists of before."""
        lasting = self._lasting.intersection(event.detail["releases"])
        gone = {*event.detail["releases"]} - lasting
        events = [each for each in self.events if each.kind not in _PASSING or each.release not in gone]
        self.events = [*events, event] if lasting else events
        self._releases = {number: release for number, release in self._releases.items() if number not in gone}
        for number in lasting:
            self._replace(number, status="reclaimed")

    def _replace(self, number: int, **changes: Any) -> None:
        if number in self._releases:
            self._releases[number] = replace(self._releases[number], **changes)


def _made(event: Event) -> Release:
    status = "held" if event.kind == "candidate" else "checked"
    return Release(event.release, created_at=event.at, status=status, **event.detail)
