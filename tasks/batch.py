"""One batch from the inbox to a release, whatever is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.documents import Write
from index.errors import BatchFailed
from index.releases import Release
from index.store import Store
from tasks.plan import halves
from tasks.prepare import Prepared, Tools, prepare
from tasks.publish import Publisher


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch. `seconds` is by step."""

    release: int
    documents: int
    quarantined: tuple[str, ...]
    duplicates: int
    written: int
    deleted: int
    embedded: int
    seconds: dict[str, float]


def run_batch(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write]) -> list[Outcome]:
    """Indexes the writes; a batch that fails its checks is taken back and split until the documents at fault are found.

    Replaying a batch changes nothing. Errors of the store or the machine pass through: nothing is lost, try again.
    """
    return _run(store, publisher, tools, writes, {})


def isolate(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write], reason: str) -> list[Outcome]:
    """Sets aside documents that keep failing for an unknown reason; what they had in the index stays."""
    return _run(store, publisher, tools, writes, {write.doc_id: f"internal_error: {reason}" for write in writes})


def _run(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write], condemned: Mapping[str, str]) -> list[Outcome]:
    batch = prepare(store, publisher.table, publisher.canonicals, tools, writes, condemned)
    if batch is None:
        return []
    try:
        return [_outcome(publisher.publish(batch), batch)]
    except BatchFailed as failure:
        publisher.take_over()
        if condemned:
            raise
        if len(writes) == 1:
            return _run(store, publisher, tools, writes, {writes[0].doc_id: f"check_failed: {failure}"})
    first, second = halves(writes)
    return _run(store, publisher, tools, first, {}) + _run(store, publisher, tools, second, {})


def _outcome(release: Release, batch: Prepared) -> Outcome:
    return Outcome(
        release=release.number,
        documents=len(batch.entries),
        quarantined=tuple(entry.doc_id for entry in batch.entries if entry.state == "quarantined"),
        duplicates=sum(entry.state == "duplicate" for entry in batch.entries),
        written=len(batch.changes.written),
        deleted=len(batch.changes.deleted),
        embedded=batch.embedded,
        seconds=batch.timings.seconds,
    )
