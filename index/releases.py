"""Releases, and the events that make them and move what is live."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from index.errors import Conflict
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


def rollback_target(log: Sequence[Release], live: int) -> Release:
    """Where a rollback goes that names no release: the last proven one before live, else the one before it."""
    before = [release for release in log if release.number < live and release.status not in ("reclaimed", "held")]
    if not before:
        raise Conflict("there is no earlier release that can still be served")
    proven = [release for release in before if release.status == "proven"]
    return max(proven or before, key=lambda release: release.number)
