"""Keeps the stored index in shape: folds the tail in, retires releases, cleans what nothing needs."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from index import canaries, feedback, queries
from index.chunks import ChunkTable
from index.errors import Conflict
from index.releases import Release, State
from index.store import Store
from tasks.evaluation_retention import outdated, proofs_needed
from tasks.fold import fold, make_one
from tasks.retention import Retention, needed, oldest_to_free, retained, spread

# A reader may still be in the middle of a search on a release that was just retired.
GRACE = timedelta(minutes=2)
ORIGINALS_GRACE = timedelta(hours=1)
# Opening a release takes milliseconds, and there may be a thousand: what they share is told from some.
LOOKED_AT = 16
_log = logging.getLogger(__name__)
# What Lance says when others were faster, at once or until its patience of 30 s had an end.
LOST_COMMIT = ("commit conflict", "Too many concurrent writers")


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What one pass did. Of the `reclaimed` releases those in `crowded_out` went early, for want of room."""

    folded: tuple[str, ...]
    reclaimed: tuple[int, ...]
    freed_bytes: int
    originals_dropped: int
    crowded_out: tuple[int, ...] = ()


def maintain(store: Store, now: datetime, rules: Retention | None = None) -> Maintenance:
    """One pass. Safe beside the ingester: what it commits gives way to a batch and is tried again next time."""
    rules = rules or Retention()
    store.log.refresh()
    reclaimed = _retire(store, now, rules)
    crowded_out = list[Release]()
    folded, freed = [], 0
    for generation in _servable_generations(store):
        table = store.existing_chunk_table(generation)
        folded += [f"chunks_{generation}"] if _went_through(partial(fold, store, table)) else []
        _went_through(partial(make_one, store, table))
        crowded_out += _make_room(store, generation, now, rules)
        freed += _clean(store, table)
    folded += ["documents"] if _went_through(store.ledger.fold) else []
    _went_through(store.ledger.make_indexes_one)
    _went_through(store.golden.fold)
    store.inbox.clean(ORIGINALS_GRACE)
    store.answers.drop_older(timedelta(days=rules.answers_days), now.date())
    _tend(store, now)
    early_numbers = tuple(release.number for release in crowded_out)
    numbers = tuple(release.number for release in reclaimed) + early_numbers
    return Maintenance(tuple(folded), numbers, freed, _drop_originals(store, now), early_numbers)


def _tend(store: Store, now: datetime) -> None:
    """Forgets questions, feedback, runs of canaries and evaluations that are old or too many, and merges what came in small pieces."""
    for diary, kept in ((store.queries, queries.KEPT), (store.feedback, feedback.KEPT), (store.canary_runs, canaries.RUNS_KEPT)):
        _went_through(partial(diary.clean, now - kept))
        _went_through(diary.fold)
    _went_through(store.canaries.fold)
    _went_through(partial(_prune_evaluations, store, now))
    _went_through(store.evaluations.fold)


def _prune_evaluations(store: Store, now: datetime) -> None:
    """Forgets of old evaluations what nothing compares with any more."""
    proofs = proofs_needed(store.log.events, [release.number for release in store.log.kept()])
    old = outdated(store.evaluations.all(), proofs, now)
    if dropped := store.evaluations.drop(old.gone):
        _log.info("%d old evaluations were forgotten", dropped)
    store.evaluations.bare(old.bare)


def tidy(store: Store, generation: str, rules: Retention) -> None:
    """What the ingester does often: retires releases and forgets versions. Each commit and each look lists all versions that there are.

    Safe in a thread beside its batches.
    """
    now = datetime.now(UTC)
    store.log.refresh()
    _retire(store, now, rules)
    _make_room(store, generation, now, rules)
    _clean(store, store.existing_chunk_table(generation))


def _clean(store: Store, table: ChunkTable) -> int:
    """Gives up what only retired releases need; the bytes freed."""
    # All of them: a pass may have died between the event and this.
    for number in store.log.are_reclaimed(table.tagged()):
        table.untag(number)
    for number in store.log.are_reclaimed(store.ledger.tagged()):
        store.ledger.untag(number)
    return table.clean(GRACE) + store.ledger.clean(GRACE)


def _servable_generations(store: Store) -> list[str]:
    """Those that some release still needs; the ingester drops the others when it starts."""
    return sorted({release.generation for release in store.log.kept()})


def _went_through(folding: Callable[[], object]) -> bool:
    """Whether a folding went through. It gives way to the commits of others, and is tried next time."""
    try:
        return folding() is not False
    except (OSError, RuntimeError) as error:  # LanceDB raises the one, pylance the other
        if not any(said in str(error) for said in LOST_COMMIT):
            raise
        _log.info("folding gave way: %s", error)
        return False


def _retire(store: Store, now: datetime, rules: Retention) -> list[Release]:
    """Takes the releases that are not retained out of service, before anything of them is cleaned."""
    keep = partial(retained, now=now, rules=rules)
    return _reclaim(store, {release.number for release in store.log.kept()} - keep(store.log.kept(), store.log.state), keep)


def _make_room(store: Store, generation: str, now: datetime, rules: Retention) -> list[Release]:
    """Takes the oldest releases of a generation out of service when all that are kept take too many times the room of its newest rows."""
    head = store.head(generation)
    footprint = head.footprint()
    newest = sum(head.files(footprint).values())
    budget = rules.budget(newest)
    if footprint.bytes <= budget:
        return []
    releases = {release.number: release for release in store.log.kept() if release.generation == generation}
    kept = needed(list(releases.values()), store.log.state, now)
    looked_at = {*spread(sorted(releases.keys() - kept), LOOKED_AT), *spread(sorted(releases.keys() & kept), LOOKED_AT)}
    files = {number: store.at(releases[number]).files(footprint) for number in looked_at}
    up_to = oldest_to_free(files, kept, footprint.bytes - budget)
    gone = {number for number in releases if number <= up_to} - kept
    if gone:
        _log.warning(
            "%s takes %.1f GB, its newest rows %.1f GB of it: %d releases are retired before their time, up to %d",
            *(generation, footprint.bytes / 1e9, newest / 1e9, len(gone), up_to),
        )
    return _reclaim(store, gone, partial(needed, now=now))


def _reclaim(store: Store, numbers: set[int], keep: Callable[[Sequence[Release], State], set[int]]) -> list[Release]:
    """Takes releases out of service; raises `Conflict` when something came to need one of them meanwhile."""

    def nothing_needed_is_retired() -> None:
        if back := keep(store.log.kept(), store.log.state).intersection(numbers):
            raise Conflict(f"releases {sorted(back)} came to be needed while they were about to be retired; the next pass sees it")

    retired = [release for release in store.log.kept() if release.number in numbers]
    if retired:
        detail = {"releases": [release.number for release in retired]}
        store.log.append("reclaimed", 0, "maintain", detail=detail, precondition=nothing_needed_is_retired)
    return retired


def _drop_originals(store: Store, now: datetime) -> int:
    """Forgets bytes that no document needs any more; young ones may belong to a batch that is on its way."""
    dropped = store.originals.hashes() - store.ledger.content_hashes()
    old = [digest for digest in dropped if store.originals.older_than(digest, now - ORIGINALS_GRACE)]
    for digest in old:
        store.originals.drop(digest)
    return len(old)
