"""`/v1/freshness`: how long writes take to be visible on this replica, and the alarm when they take too long."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import monotonic
from typing import Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from api.auth import requires
from api.runs import Runs
from index.errors import Unavailable
from index.store import Store
from tasks.freshness import Alarm, Window, alarm, levels, waiting_by_lane

LOOKED_AT_EVERY_S = 1.0
ALL_IS_WELL = Alarm("ok")
BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_log = logging.getLogger("groundwork.api")


class LevelReply(msgspec.Struct):
    """Seconds from acceptance until `count` writes of one source were searchable, or gone."""

    source: str
    kind: Literal["searchable", "unsearchable"]
    count: int
    p50: float
    p95: float
    p99: float


class FreshnessReply(msgspec.Struct):
    """The freshness level of the last ten minutes. The goal holds for `express`: single documents, deletions and watched files.

    `trouble`: why nothing gets into the index at the moment, although the ingester tries.
    """

    state: Literal["ok", "late", "stuck"]
    detail: str
    goal_s: float
    waiting: dict[str, int]
    oldest_waiting_s: float | None
    levels: list[LevelReply]
    express: list[LevelReply]
    trouble: str | None = None


@dataclass(slots=True, eq=False)
class Freshness(Collector):
    """Watches releases as this process begins to serve them. `look` is called by the thread that follows the release log.

    `counted` is where its counts are told, and what it looks up is told where it is registered.
    """

    store: Store
    goal_s: float
    runs: Runs
    counted: CollectorRegistry
    alarm: Alarm = ALL_IS_WELL
    window: Window = field(default_factory=Window)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _started_at: datetime = field(init=False)
    _seen: int = -1
    _judged_at: float = 0.0
    _oldest: datetime | None = None
    _histograms: dict[str, Histogram] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Makes what it counts."""
        self._started_at = self.clock()
        for kind in ("searchable", "unsearchable"):
            name, text = f"groundwork_time_to_{kind}_seconds", f"Seconds from acceptance until a write was {kind} on this replica."
            self._histograms[kind] = Histogram(name, text, ["source"], buckets=BUCKETS, registry=self.counted)

    def look(self) -> None:
        """Takes note of new releases, and now and then judges whether the level holds."""
        self._observe()
        if monotonic() - self._judged_at > LOOKED_AT_EVERY_S:
            self._judge()
            self._judged_at = monotonic()

    def oldest_waiting(self) -> datetime | None:
        """When the oldest write was accepted that still waited at the last look."""
        return self._oldest

    def collect(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        """The alarm and the age of what waits longest."""
        age = (self.clock() - self._oldest).total_seconds() if self._oldest else 0.0
        yield GaugeMetricFamily("groundwork_oldest_waiting_seconds", "Age of the oldest write that no release contains.", value=age)
        state = GaugeMetricFamily("groundwork_freshness_alarm", "1 for the state that the freshness level is in.", labels=["state"])
        failing = float(self.store.inbox.trouble() is not None)
        yield GaugeMetricFamily("groundwork_ingester_failing", "1 while a batch fails for no fault of its documents.", value=failing)
        for name in ("ok", "late", "stuck"):
            state.add_metric([name], float(self.alarm.state == name))
        yield state

    def _observe(self) -> None:
        log = self.store.log
        newest = log.seq
        if self._seen == newest:
            return
        now, first = self.clock(), self._seen < 0
        events = [event for event in log.events if self._seen < event.seq <= newest and event.kind == "released"]
        if first:  # what happened before this process is judged by the log alone
            events = [event for event in events if now - event.at < timedelta(minutes=10)]
        brought = log.arrivals_after(events[0].seq - 1) if events else {}
        for event in events:
            seen = self.window.add(brought.get(event.seq, ()), event.at if first else now, event.state.pinned)
            for observation in () if first else seen:
                self._histograms[observation.kind].labels(observation.source).observe(observation.seconds)
        self._seen = newest

    def _judge(self) -> None:
        now = self.clock()
        segments = self.store.inbox.segments()
        self._oldest = segments[0].accepted_at if segments else None
        moved_at = max((event.at for event in self.store.log.events[-20:] if event.kind == "released"), default=self._started_at)
        before, self.alarm = (
            self.alarm,
            alarm(self.window.recent(now), self.goal_s, now, self._oldest, moved_at, self._started_at),
        )
        if self.alarm.state != before.state:
            self._announce(before)

    def _announce(self, before: Alarm) -> None:
        (_log.info if self.alarm.state == "ok" else _log.error)("freshness: %s %s", self.alarm.state, self.alarm.detail)
        name = "groundwork.freshness.recovered" if self.alarm.state == "ok" else f"groundwork.freshness.{self.alarm.state}"
        payload = {"state": self.alarm.state, "was": before.state, "detail": self.alarm.detail, "goal_s": self.goal_s}
        # Prefect may be slow or gone; following the releases must not wait for it.
        Thread(target=_emit, args=(self.runs, name, payload), daemon=True).start()


def _emit(runs: Runs, name: str, payload: dict[str, object]) -> None:
    try:
        runs.emit(name, payload)
    except Unavailable as error:
        _log.warning("the event %s did not reach Prefect: %s", name, error)


@get(
    "/v1/freshness",
    guards=[requires("reader")],
    summary="Freshness level",
    operation_id="freshness",
    description="How long writes of the last ten minutes took to be visible, by source; what waits; and whether the goal is met.",
    tags=["Documents"],
    sync_to_thread=True,
)
def freshness(monitor: NamedDependency[Freshness]) -> FreshnessReply:
    """The level of the last ten minutes."""
    now = monitor.clock()
    segments = monitor.store.inbox.segments()
    observed = monitor.window.recent(now)
    oldest = segments[0].accepted_at if segments else None
    return FreshnessReply(
        state=monitor.alarm.state,
        detail=monitor.alarm.detail,
        goal_s=monitor.goal_s,
        waiting=waiting_by_lane((segment.lane, segment.writes) for segment in segments),
        oldest_waiting_s=round((now - oldest).total_seconds(), 3) if oldest else None,
        levels=[LevelReply(**asdict(level)) for level in levels(observed)],
        trouble=monitor.store.inbox.trouble(),
        express=[LevelReply(**asdict(level)) for level in levels(seen for seen in observed if seen.lane == "express")],
    )
