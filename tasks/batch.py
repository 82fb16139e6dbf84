"""One batch from the inbox to a release, whatever is in it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from index import logs, spans
from index.documents import Write
from index.errors import BatchFailed, BatchStopped
from index.releases import Release
from index.store import Store
from tasks.plan import halves
from tasks.prepare import Prepared, Tools, prepare
from tasks.publish import Publisher

# Requests that a batch's span links to, and documents that a line for people names.
MOST_LINKS = 32
NAMED = 3
_log = logging.getLogger("groundwork.ingester")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch. `seconds` is by step, `reasons` by quarantined document, `checked` rows by suite of the data contract.

    `stopped` says why nothing of the batch was indexed; `unusual` is what differs from the last batches.
    """

    release: int
    documents: int
    quarantined: tuple[str, ...]
    duplicates: int
    written: int
    deleted: int
    embedded: int
    seconds: dict[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, int] = field(default_factory=dict)
    stopped: str | None = None
    unusual: tuple[str, ...] = ()


def run_batch(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write]) -> list[Outcome]:
    """Indexes the writes; a batch that fails its checks is taken back and split until the documents at fault are found.

    Replaying a batch changes nothing. Errors of the store or the machine pass through: nothing is lost, try again.
    """
    links = [write.trace for write in writes if write.trace]
    with spans.span("batch", links=links[:MOST_LINKS], writes=len(writes), doc_ids=tuple(logs.named([write.doc_id for write in writes]))):
        outcomes = _run(store, publisher, tools, writes, None)
        if outcomes:
            spans.note(release=outcomes[-1].release)
    _tell(outcomes, writes)
    return outcomes


def _tell(outcomes: Sequence[Outcome], writes: Sequence[Write]) -> None:
    """A line for each release: which documents, and how long it took."""
    for outcome in outcomes:
        ids = logs.named([write.doc_id for write in writes])
        seconds = round(sum(outcome.seconds.values()), 3)
        facts = {"release": outcome.release, "doc_ids": ids, "quarantined": logs.named(list(outcome.quarantined)), "seconds": seconds}
        told = ", ".join(ids[:NAMED]) + (f" and {len(writes) - NAMED} more" if len(writes) > NAMED else "")
        _log.info("release %d in %.2f s: %d documents (%s)", outcome.release, seconds, outcome.documents, told, extra=facts)


def isolate(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write], reason: str) -> list[Outcome]:
    """Sets aside documents that keep failing for an unknown reason; what they had in the index stays."""
    return _run(store, publisher, tools, writes, {write.doc_id: f"internal_error: {reason}" for write in writes})


def _run(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write], condemned: Mapping[str, str] | None) -> list[Outcome]:
    try:
        batch = prepare(store, publisher.table, publisher.canonicals, tools, writes, condemned)
    except BatchStopped as stop:
        return _set_aside(store, publisher, tools, writes, stop)
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


def _set_aside(store: Store, publisher: Publisher, tools: Tools, writes: Sequence[Write], stop: BatchStopped) -> list[Outcome]:
    """The whole batch to quarantine, each document with a reason; deletions are applied, and what was indexed before stays."""
    kept = [write.doc_id for write in writes if write.draft.action == "put" and write.doc_id not in stop.documents]
    _log.error("a batch of %d writes was stopped: %s", len(writes), stop)
    outcomes = _run(store, publisher, tools, writes, dict.fromkeys(kept, f"batch_stopped: {stop}"))
    return [replace(outcome, stopped=str(stop)) for outcome in outcomes]


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
        reasons={entry.doc_id: entry.reason or "" for entry in batch.entries if entry.state == "quarantined"},
        checked=batch.checked,
        unusual=batch.unusual,
    )
