"""The release log: which states can be served, and which one is live.

Live is a fold of the log. An event is inserted on `seq` = last + 1 only if nobody else took that
number; otherwise the log is read again and the event folded anew. So a rollback that races a
thousand publishes is never undone: a new release does not change a pin.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any, Literal

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import col, lit
from lancedb.table import LanceTable

from index import schema, tables
from index.arrivals import Arrival, from_json, to_json
from index.errors import Conflict, NotFound, Unavailable
from index.policy import untuned

Kind = Literal[
    "released",
    "promoted",
    "rolled_back",
    "resumed",
    "held",
    "proven",
    "reclaimed",
    "indexed",
    "tuned",
    "kept",
    "rebuild_asked",
    "rebuild_ended",
    "candidate",
    "requeued",
    "purge_asked",
    "purged",
    "key_made",
    "key_rotated",
    "key_revoked",
]
COMPACT_EVERY = 100
# The arrivals are many and wanted once: they are not kept in memory.
_KEPT = [name for name in schema.RELEASES.names if name != "arrivals"]


@dataclass(frozen=True, slots=True)
class State:
    """What is served: the live release, whether it is pinned, and the newest checked release (0: none)."""

    live: int = 0
    pinned: bool = False
    newest: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. `detail` depends on the kind; `state` is folded up to and with this event."""

    seq: int
    kind: Kind
    at: datetime
    by: str
    reason: str | None
    release: int
    detail: dict[str, Any]
    state: State


@dataclass(frozen=True, slots=True)
class Release:
    """One servable state of the index; everything but `status` and `scores` never changes.

    `aliases` documents say the same as another one. Before `kept_until` retention does not take it. `recipe` is what its rows
    were made with, empty in releases of earlier code.
    """

    number: int
    generation: str
    version: int
    ledger_version: int
    rows: int
    created_at: datetime
    embedder: str
    dimensions: int
    fields: dict[str, str] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)
    aliases: int = 0
    status: str = "checked"
    scores: list[dict[str, Any]] = field(default_factory=list)
    kept_until: datetime | None = None
    recipe: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """The vector index of a generation: the rows it was made for, and what is known of searching it.

    `tuning` is the detail of the newest "tuned" event since then; None: nothing was measured yet.
    """

    generation: str
    partitions: int
    rows: int
    tuning: dict[str, Any] | None = None

    @property
    def search(self) -> dict[str, Any]:
        """The settings that a release is searched with."""
        if self.tuning:
            return {name: self.tuning[name] for name in ("nprobes", "refine_factor", "recall@10")}
        return asdict(untuned(self.partitions))


def fold(state: State, kind: Kind, release: int) -> State:
    """The state after one more event."""
    if kind == "released":
        return State(state.live if state.pinned else release, state.pinned, release)
    if kind == "resumed" or (kind == "promoted" and release == state.newest):
        return State(state.newest, pinned=False, newest=state.newest)
    if kind in ("promoted", "rolled_back"):
        return State(release, pinned=True, newest=state.newest)
    return state


class ReleaseLog:
    """Reads and appends to the log; keeps what it has read. Safe to share between threads."""

    def __init__(self, db: DBConnection) -> None:
        # No index on `seq`: with one, two processes that insert the same number both succeed.
        self._table: LanceTable = tables.open_or_create(db, "releases", schema.RELEASES, "seq")
        self._lock = RLock()
        self._version = -1
        self.events: list[Event] = []
        self._releases: dict[int, Release] = {}
        self._shapes: dict[str, Shape] = {}
        self._candidate = 0
        self.refresh()

    @property
    def state(self) -> State:
        """The folded state as of the last refresh."""
        return self.events[-1].state if self.events else State()

    def refresh(self) -> bool:
        """Reads what others appended; True when there was something new."""
        with self._lock:
            self._table.checkout_latest()
            version = int(self._table.version)
            if version == self._version:
                return False
            last = self.events[-1].seq if self.events else 0
            rows = self._table.search().where(col("seq") > lit(last)).select(_KEPT).limit(tables.ALL).to_arrow()
            self._version = version
            new = sorted((_event(row) for row in rows.to_pylist()), key=lambda event: event.seq)
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
                self.refresh()
                precondition()
                seq = self.events[-1].seq + 1 if self.events else 1
                event = Event(seq, kind, datetime.now(UTC), by, reason, release, detail or {}, fold(self.state, kind, release))
                if self._insert(event, to_json(arrivals)):
                    self.refresh()
                    return event
        raise Unavailable("the release log is written by too many at once; try again")

    def get(self, number: int) -> Release:
        """One release; `NotFound` when there is none with this number."""
        try:
            return self._releases[number]
        except KeyError:
            raise NotFound(f"there is no release {number}; GET /v1/releases lists them") from None

    @property
    def next_number(self) -> int:
        """The number of the release that comes next: those of candidates are taken too."""
        return max(self._releases, default=0) + 1

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
            raise Conflict(f"release {number} was reclaimed by retention and can't be served any more")
        return release

    def keep(self, number: int, until: datetime, by: str) -> None:
        """Has retention leave a release until then, for long work on it; raises `NotFound`, or `Conflict` when it came too late."""
        self.append("kept", number, by, detail={"until": until.isoformat()}, precondition=lambda: self.servable(number))

    def shape(self, generation: str) -> Shape | None:
        """The vector index that a generation has, or is about to have; None when it is searched row by row."""
        return self._shapes.get(generation)

    def all(self) -> list[Release]:
        """Each release, newest first."""
        with self._lock:
            return sorted(self._releases.values(), key=lambda release: release.number, reverse=True)

    def first_served(self, number: int) -> datetime | None:
        """When release `number`, or a later one, was first live; None if it hasn't been yet."""
        return next((event.at for event in self.events if event.state.live >= number), None)

    def arrivals_after(self, seq: int) -> dict[int, list[Arrival]]:
        """What the releases after an event brought, by the number of their event."""
        with self._lock:
            rows = self._table.search().where(col("seq") > lit(seq)).select(["seq", "arrivals"]).limit(tables.ALL).to_arrow().to_pylist()
        return {row["seq"]: from_json(row["arrivals"]) for row in sorted(rows, key=lambda row: int(row["seq"]))}

    def compact(self) -> None:
        """Merges the small appends; the history stays."""
        with self._lock:
            tables.fold(self._table)
            # Readers only ever want its newest version, and reading that takes milliseconds.
            tables.clean(self._table, timedelta(minutes=1))

    def _insert(self, event: Event, arrivals: str) -> bool:
        row = {name: value for name, value in asdict(event).items() if name != "state"} | asdict(event.state)
        row |= {"detail": json.dumps(event.detail), "arrivals": arrivals}
        rows = pa.Table.from_pylist([row], schema=schema.RELEASES)
        result = self._table.merge_insert("seq").when_not_matched_insert_all().execute(rows)
        return bool(result.num_inserted_rows == 1)

    def _apply(self, event: Event) -> None:
        self.events.append(event)
        if event.kind == "released":
            self._releases[event.release] = Release(event.release, created_at=event.at, **event.detail)
        elif event.kind == "candidate":
            self._releases[event.release] = Release(event.release, created_at=event.at, status="held", **event.detail)
            self._candidate = event.release
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
        elif event.kind == "reclaimed":
            for number in event.detail["releases"]:
                self._replace(number, status="reclaimed")

    def _replace(self, number: int, **changes: Any) -> None:
        if number in self._releases:
            self._releases[number] = replace(self._releases[number], **changes)


def rollback_target(log: Sequence[Release], live: int) -> Release:
    """Where a rollback goes that names no release: the last proven one before live, else the one before it."""
    before = [release for release in log if release.number < live and release.status not in ("reclaimed", "held")]
    if not before:
        raise Conflict("there is no earlier release that can still be served")
    proven = [release for release in before if release.status == "proven"]
    return max(proven or before, key=lambda release: release.number)


def _event(row: dict[str, Any]) -> Event:
    state = State(row["live"], row["pinned"], row["newest"])
    return Event(row["seq"], row["kind"], row["at"], row["by"], row["reason"], row["release"], json.loads(row["detail"] or "{}"), state)
