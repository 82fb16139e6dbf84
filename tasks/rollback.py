"""Moves what is served; needs nothing but the release log."""

from dataclasses import dataclass
from datetime import datetime

from index.errors import Conflict
from index.release_log import ReleaseLog
from index.releases import Kind, rollback_target
from index.store import Store


@dataclass(frozen=True, slots=True)
class Moved:
    """What is served now, and what was before."""

    live: int
    was: int
    pinned: bool


def target_of_rollback(log: ReleaseLog, to: int | None, before: datetime | None) -> int:
    """The release to go back to: `to`; or the newest made before a time; or the last proven one before live.

    Raises `NotFound` or `Conflict` when there is none that can be served.
    """
    log.refresh()
    if to is not None:
        return log.servable(to).number
    if before is not None:
        older = [release for release in log.kept() if release.created_at < before]
        if not older:
            raise Conflict(f"no release from before {before.isoformat()} can still be served")
        return older[0].number
    return rollback_target(log.kept(), log.state.live).number


def move_live(store: Store, kind: Kind, number: int, by: str, reason: str) -> Moved:
    """Appends the event and says what changed; raises `NotFound` or `Conflict` when the release can't be served."""
    store.log.refresh()
    store.log.live()
    was = store.log.state.live
    state = store.log.append(kind, number, by, reason or None, precondition=lambda: store.log.servable(number)).state
    return Moved(state.live, was, state.pinned)


def held_documents(store: Store) -> int:
    """Documents whose newest revision is not served: in newer releases, or still waiting."""
    return store.ledger.newer_than(store.log.state.live) + len(store.inbox.pending())
