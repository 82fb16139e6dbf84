"""Keeps the stored index in shape: folds the tail in, retires releases, cleans what nothing needs."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from index.chunks import ChunkTable
from index.errors import Conflict
from index.releases import Release, State
from index.store import Store

KEEP_PROVEN = timedelta(days=30)
KEEP_LAST = 20
# What was live a moment ago is still being read: by pages of a list, by an evaluation that is about to ask for it to be kept.
KEEP_ALL = timedelta(minutes=5)
KEEP_MINUTELY = timedelta(days=1)
KEEP_HOURLY = timedelta(days=7)
# A reader may still be in the middle of a search on a release that was just retired.
GRACE = timedelta(minutes=2)
ORIGINALS_GRACE = timedelta(hours=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What one pass did."""

    folded: tuple[str, ...]
    reclaimed: tuple[int, ...]
    freed_bytes: int
    originals_dropped: int


def retained(releases: Sequence[Release], state: State, now: datetime) -> set[int]:
    """The releases that stay servable (pure).

    Every proven one for 30 days; of the others those of the last 5 minutes, the last 20, one a minute for a day and one an
    hour for a week; what somebody asked to keep; and always what is live and the newest.
    """
    servable = sorted((release for release in releases if release.status != "reclaimed"), key=lambda release: -release.number)
    keep = {state.live, state.newest} | {release.number for release in servable[:KEEP_LAST]}
    minutes: dict[tuple[int, ...], int] = {}
    for release in servable:
        age, at = now - release.created_at, release.created_at
        if release.status == "proven" and age <= KEEP_PROVEN:
            keep.add(release.number)
        if age <= KEEP_ALL or (release.kept_until and release.kept_until > now):
            keep.add(release.number)
        if age <= KEEP_MINUTELY:
            minutes.setdefault((*at.timetuple()[:5],), release.number)
        if age <= KEEP_HOURLY:
            minutes.setdefault((*at.timetuple()[:4],), release.number)
    return keep | set(minutes.values())


def maintain(store: Store, now: datetime) -> Maintenance:
    """One pass. Safe beside the ingester: what it commits gives way to a batch and is tried again next time."""
    store.log.refresh()
    reclaimed = _retire(store, now)
    folded, freed = [], 0
    for generation in _servable_generations(store):
        table = store.existing_chunk_table(generation)
        freed += _clean(store, table)
        folded += [f"chunks_{generation}"] if _folded(table.fold) else []
    folded += ["documents"] if _folded(store.ledger.fold) else []
    store.inbox.clean(ORIGINALS_GRACE)
    return Maintenance(tuple(folded), tuple(release.number for release in reclaimed), freed, _drop_originals(store, now))


def tidy(store: Store, table: ChunkTable, now: datetime) -> None:
    """What the ingester does often: retires releases and forgets versions. Each commit and each look lists all versions that there are."""
    store.log.refresh()
    _retire(store, now)
    _clean(store, table)


def _clean(store: Store, table: ChunkTable) -> int:
    """Gives up what only retired releases need; the bytes freed."""
    retired = {release.number for release in store.log.all() if release.status == "reclaimed"}
    # All of them: a pass may have died between the event and this.
    for number in table.tagged() & retired:
        table.untag(number)
    return table.clean(GRACE) + store.ledger.clean(GRACE)


def _servable_generations(store: Store) -> list[str]:
    """Those that some release still needs; the ingester drops the others when it starts."""
    return sorted({release.generation for release in store.log.all() if release.status != "reclaimed"})


def _folded(fold: Callable[[], None]) -> bool:
    """Whether a fold went through. Under steady ingestion it gives way: the ingester folds between its batches."""
    try:
        fold()
    except RuntimeError as conflict:  # LanceDB's "Retryable commit conflict"
        _log.info("folding gave way: %s", conflict)
        return False
    return True


def _retire(store: Store, now: datetime) -> list[Release]:
    """Takes the releases that are not retained out of service, before anything of them is cleaned."""
    keep = retained(store.log.all(), store.log.state, now)
    retired = [release for release in store.log.all() if release.number not in keep and release.status != "reclaimed"]
    numbers = [release.number for release in retired]

    def nothing_needed_is_retired() -> None:
        if needed := retained(store.log.all(), store.log.state, now).intersection(numbers):
            raise Conflict(f"releases {sorted(needed)} came to be needed while they were about to be retired; the next pass sees it")

    if retired:
        store.log.append("reclaimed", 0, "maintain", detail={"releases": numbers}, precondition=nothing_needed_is_retired)
    return retired


def _drop_originals(store: Store, now: datetime) -> int:
    """Forgets bytes that no document needs any more; young ones may belong to a batch that is on its way."""
    dropped = store.originals.hashes() - store.ledger.content_hashes()
    old = [digest for digest in dropped if store.originals.older_than(digest, now - ORIGINALS_GRACE)]
    for digest in old:
        store.originals.drop(digest)
    return len(old)
