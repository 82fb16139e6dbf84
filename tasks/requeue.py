"""Takes the head of the index back to an earlier release, and what came since through the pipeline again."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from index.documents import Draft, Entry, Write
from index.errors import Conflict
from index.release_log import ReleaseLog
from index.releases import Event, Release
from index.store import Store
from tasks.prepare import Tools, prepare
from tasks.publish import Publisher

# Small, so that one can see it go on.
DOCUMENTS_A_SEGMENT = 50
BYTES_A_SEGMENT = 4 * 1024 * 1024
_log = logging.getLogger("groundwork.ingester")


@dataclass(frozen=True, slots=True)
class Debt:
    """What a rollback took out of the index and is not in it again: `documents` wait, of `of` that did."""

    documents: int
    of: int


def check(store: Store, release: int) -> None:
    """Raises `NotFound`, or `Conflict` when the head can't be taken back to a release any more."""
    store.log.servable(release)
    if not store.ledger.has(release):
        raise Conflict(f"what the ledger said at release {release} is not kept: roll back without requeue, or to a newer release")


def ask(store: Store, release: int, by: str, reason: str) -> Event:
    """Has the ingester take the head back to a release; raises as `check` does."""
    return store.log.append("requeued", release, by, reason or None, precondition=lambda: check(store, release))


def pending(log: ReleaseLog) -> Event | None:
    """The newest request that was not followed yet, as of the last refresh of the log."""
    asked = next((event for event in reversed(log.events) if event.kind == "requeued"), None)
    return None if asked is None or _release_of(log, asked) else asked


def requeue(store: Store, publisher: Publisher, tools: Tools, asked: Event) -> Release:
    """Follows a request. Needs the writer's lease, between batches; after a kill it is done again from the start.

    What was put or changed since then waits in the inbox again, with its revision: what was accepted later stays newer. What was
    deleted since then is gone from the first release on.
    """
    to = store.log.servable(asked.release)
    since = store.ledger.since(to.number)
    writes = [_as_write(store, entry) for entry in since if entry.state != "deleted"]
    deleted = [
        Write(Draft(doc_id, "delete"), revision, datetime.now(UTC))
        for doc_id, (revision, release) in store.ledger.burials().items()
        if release > to.number
    ]
    for group in _segments(writes):
        store.inbox.put_back(group)
    publisher.go_back(to, tools)
    told = {"requeued": {"event": asked.seq, "release": to.number, "documents": len(writes), "deleted": len(deleted)}}
    batch = prepare(store, publisher.table, publisher.canonicals, tools, deleted, {}) if deleted else None
    release = publisher.publish(batch, told) if batch else publisher.publish_restored(told)
    _log.info("the head is back at release %d, as release %d; %d documents wait again", to.number, release.number, len(writes))
    return release


def debt(store: Store) -> Debt | None:
    """What is to be done again; None when nothing is."""
    if asked := pending(store.log):
        waiting = store.ledger.newer_than(asked.release)
        return Debt(waiting, waiting)
    left = sum(segment.writes for segment in store.inbox.segments("bulk") if segment.again)
    asked = next((event for event in reversed(store.log.events) if event.kind == "requeued"), None)
    release = _release_of(store.log, asked) if asked and left else None
    return Debt(left, release.checks["requeued"]["documents"]) if release else None


def _release_of(log: ReleaseLog, asked: Event) -> Release | None:
    """The release that followed a request."""
    after = (event for event in reversed(log.events) if event.kind == "released" and event.seq > asked.seq)
    number = next((event.release for event in after if event.detail["checks"].get("requeued", {}).get("event") == asked.seq), None)
    return log.get(number) if number else None


def _as_write(store: Store, entry: Entry) -> Write:
    """The write that made an entry, from the bytes as they were given."""
    return Write(entry.as_draft(store.originals.get(entry.content_hash)), entry.revision, entry.accepted_at)


def _segments(writes: Sequence[Write]) -> Iterator[list[Write]]:
    group: list[Write] = []
    size = 0
    for write in writes:
        if group and (len(group) == DOCUMENTS_A_SEGMENT or size + len(write.draft.content) > BYTES_A_SEGMENT):
            yield group
            group, size = [], 0
        group.append(write)
        size += len(write.draft.content)
    if group:
        yield group
