"""The freshness level: how long what was accepted takes to be searchable, or gone; and when to raise an alarm (pure)."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from index.arrivals import Arrival, Kind
from index.documents import LANES, Lane

WINDOW = timedelta(minutes=10)
# The goal is a 99th percentile: fewer documents than this do not show one.
MIN_DOCUMENTS = 20
MAX_OBSERVATIONS = 50_000
# Longer without any release, while something waits, than the slowest single step takes.
STUCK_AFTER = timedelta(seconds=30)
STARTING_TAKES = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Observation:
    """One write that became visible at `at`, so many seconds after it was accepted."""

    at: datetime
    lane: Lane
    source: str
    kind: Kind
    seconds: float


@dataclass(frozen=True, slots=True)
class Level:
    """Seconds from acceptance to effect, of `count` writes of one source."""

    source: str
    kind: Kind
    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """Whether the level holds: `late` when single documents take longer than the goal, `stuck` when nothing moves."""

    state: Literal["ok", "late", "stuck"]
    detail: str = ""


@dataclass(slots=True)
class Window:
    """The observations of the last ten minutes."""

    _observations: deque[Observation] = field(default_factory=lambda: deque(maxlen=MAX_OBSERVATIONS))

    def add(self, arrivals: Iterable[Arrival], at: datetime, pinned: bool) -> list[Observation]:
        """Takes note of what became visible at `at`. While live is pinned only deletions do; the rest is not late by itself."""
        seen = [
            Observation(at, arrival.lane, arrival.source, arrival.kind, max(0.0, (at - arrival.accepted_at).total_seconds()))
            for arrival in arrivals
            if arrival.kind == "unsearchable" or not pinned
        ]
        self._observations.extend(seen)
        return seen

    def recent(self, now: datetime) -> Sequence[Observation]:
        """What is not older than the window."""
        while self._observations and now - self._observations[0].at > WINDOW:
            self._observations.popleft()
        return tuple(self._observations)


def levels(observations: Iterable[Observation]) -> list[Level]:
    """Percentiles by source and kind."""
    groups: dict[tuple[str, Kind], list[float]] = {}
    for observation in observations:
        groups.setdefault((observation.source, observation.kind), []).append(observation.seconds)
    return [_level(source, kind, seconds) for (source, kind), seconds in sorted(groups.items())]


def alarm(
    observations: Iterable[Observation], goal_s: float, now: datetime, oldest: datetime | None, moved_at: datetime, started_at: datetime
) -> Alarm:
    """Whether the level holds.

    Args:
        observations: of the window. Only the express lane counts: a bulk load takes as long as it takes.
        goal_s: seconds that 99 of 100 single documents must not exceed.
        now: the present.
        oldest: when the oldest write was accepted that still waits; None when nothing does.
        moved_at: when the newest release was made.
        started_at: when this process started; an ingester that starts with it needs a while.
    """
    if oldest is not None:
        idle = now - max(oldest, moved_at)
        if idle > STUCK_AFTER and now - started_at > STARTING_TAKES:
            return Alarm("stuck", f"a write has waited since {oldest:%H:%M:%S} UTC and nothing moves: is the ingester running?")
    singles = [observation.seconds for observation in observations if observation.lane == "express"]
    if len(singles) >= MIN_DOCUMENTS and (p99 := float(np.percentile(singles, 99))) > goal_s:
        return Alarm("late", f"99 of 100 single documents took up to {p99:.1f} s in the last 10 minutes; the goal is {goal_s:g} s")
    return Alarm("ok")


def waiting_by_lane(segments: Iterable[tuple[Lane, int]]) -> dict[str, int]:
    """Documents that wait, by lane."""
    waiting: dict[str, int] = dict.fromkeys(LANES, 0)
    for lane, writes in segments:
        waiting[lane] += writes
    return waiting


def _level(source: str, kind: Kind, seconds: Sequence[float]) -> Level:
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(seconds, [50, 95, 99]))
    return Level(source, kind, len(seconds), p50, p95, p99)
