"""Accepted writes to everything a release needs: parsed, chunked, validated, embedded. Changes no table."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from index.arrivals import Arrival, Kind
from index.chunks import Chunk, ChunkTable
from index.documents import Entry, State, Write, content_hash
from index.embedder import Embedder, Vectors
from index.errors import Rejected
from index.store import Store
from tasks.aliases import Folding, find_aliases
from tasks.chunk import Chunker
from tasks.dedupe import Canonicals
from tasks.parse import Parsed
from tasks.parsers import Parsers
from tasks.plan import ChunkChanges, chunk_changes, deletions, newest_writes, texts_to_embed
from tasks.validate import Contract, Failure

KEPT_WHEN_A_REVISION_FAILS = ("chunks", "indexed_revision", "indexed_hash", "text", "form", "pages", "duplicate_of", "bands")


@dataclass(frozen=True, slots=True)
class Tools:
    """What turns documents into vectors; made once per process.

    A document that resembles another one by at least `near_duplicate` (0 to 1) becomes its alias; 0: none does.
    """

    embedder: Embedder
    chunker: Chunker
    contract: Contract
    parsers: Parsers = field(default_factory=Parsers)
    near_duplicate: float = 0.85


@dataclass(slots=True)
class Timings:
    """Seconds by step of one batch."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time of the block to a step."""
        began = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - began


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready to publish. `entries` still lack their release; `vectors` is keyed by text_hash.

    `moved` are documents outside of the batch that stand for another one than before; `aliases`: how many more there are now.
    `checked` rows went through each suite of the data contract; `unusual` is what differs from the last batches.
    """

    entries: tuple[Entry, ...]
    arrivals: tuple[Arrival, ...]
    moved: tuple[Entry, ...]
    aliases: int
    changes: ChunkChanges
    vectors: Mapping[str, Vectors]
    deleted: Mapping[str, int]
    embedded: int
    fields: Mapping[str, str]
    timings: Timings
    checked: Mapping[str, int] = field(default_factory=dict)
    unusual: tuple[str, ...] = ()


def prepare(
    store: Store,
    table: ChunkTable,
    canonicals: Canonicals,
    tools: Tools,
    writes: Sequence[Write],
    condemned: Mapping[str, str] | None = None,
) -> Prepared | None:
    """The batch of these writes, or None when the ledger has already seen all of them.

    `condemned` documents go to quarantine with the given reason, whatever is in them. Raises `BatchStopped` when so many
    documents break the data contract that the fault is hardly theirs; with `condemned`, even none, that was looked at before.
    """
    timings = Timings()
    with timings.step("plan"):
        known = store.ledger.get([write.doc_id for write in writes], with_text=True)
        fresh = newest_writes(writes, known)
        deleted = deletions(writes, known)
        stored = table.of_documents([write.doc_id for write in fresh])
    if not fresh:
        return None
    puts = [write for write in fresh if write.draft.action == "put"]
    failures = dict(condemned or {})
    with timings.step("parse"):
        parsed = _parse(store, tools.parsers, puts, failures)
    with timings.step("chunk"):
        chunks = _chunk(tools.chunker, puts, parsed, failures)
    broken = dict[str, str]()
    with timings.step("validate"):
        passages = [chunk for group in chunks.values() for chunk in group]
        _note(broken, tools.contract.documents({doc_id: parsed[doc_id].text for doc_id in chunks}))
        _note(broken, tools.contract.chunks(passages))
    failures = broken | failures
    wanted = _wanted(chunks, deleted, failures)
    with timings.step("embed"):
        vectors, embedded = _embed(table, tools.embedder, chunk_changes(stored, wanted).written)
    with timings.step("validate"):
        _check_vectors(tools.contract, wanted, vectors, broken)
    failures = broken | failures
    if condemned is None:
        tools.contract.check_batch(len(puts), broken)
    wanted = _wanted(chunks, deleted, failures)
    with timings.step("dedupe"):
        folding = _fold(store, canonicals, parsed, wanted, known, tools.near_duplicate)
        changes = _changes(table, stored, wanted, folding)
        vectors |= table.vectors_of([chunk.text_hash for chunk in changes.written if chunk.text_hash not in vectors])
    ids = {write.doc_id for write in fresh}
    settled = known | {entry.doc_id: entry for entry in folding.moved}
    entries = tuple(_entry(write, settled.get(write.doc_id), parsed, wanted, failures, folding) for write in fresh)
    moved = tuple(entry for entry in folding.moved if entry.doc_id not in ids)
    return Prepared(
        entries=entries,
        arrivals=tuple(_arrival(write) for write in fresh if write.doc_id not in failures),
        moved=moved,
        aliases=_aliases(entries) - _aliases(known.values()) - sum(entry.duplicate_of is None for entry in moved),
        changes=changes,
        vectors=vectors,
        deleted=deleted,
        embedded=embedded,
        fields={name: type(value).__name__ for write in puts for name, value in write.draft.metadata.items()},
        timings=timings,
        checked={"documents": len(chunks), "chunks": len(passages), "vectors": len(vectors)},
        unusual=tuple(tools.contract.counts(_passages_by_kind(puts, chunks))),
    )


def _parse(store: Store, parsers: Parsers, puts: Sequence[Write], failures: dict[str, str]) -> dict[str, Parsed]:
    store.originals.put_all([write.draft.content for write in puts])
    read = parsers.parse_all(write.draft for write in puts)
    failures |= {doc_id: str(found) for doc_id, found in read.items() if isinstance(found, Rejected) and doc_id not in failures}
    return {doc_id: found for doc_id, found in read.items() if isinstance(found, Parsed)}


def _chunk(chunker: Chunker, puts: Sequence[Write], parsed: Mapping[str, Parsed], failures: dict[str, str]) -> dict[str, list[Chunk]]:
    found = {}
    for write in puts:
        if write.doc_id not in parsed:
            continue
        found[write.doc_id] = chunker.chunks(write, parsed[write.doc_id])
        if not found[write.doc_id]:
            failures[write.doc_id] = "empty: the document has no passage"
    return found


def _passages_by_kind(puts: Sequence[Write], chunks: Mapping[str, Sequence[Chunk]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for write in puts:
        if passages := chunks.get(write.doc_id):
            found.setdefault(write.draft.media_type, []).append(len(passages))
    return found


def _wanted(chunks: Mapping[str, list[Chunk]], deleted: Mapping[str, int], failures: Mapping[str, str]) -> dict[str, Sequence[Chunk]]:
    """The chunks that each document of the batch should have; one that failed keeps what it has, unless it was deleted before."""
    wanted: dict[str, Sequence[Chunk]] = dict.fromkeys(deleted, ())
    return wanted | {doc_id: group for doc_id, group in chunks.items() if doc_id not in failures}


def _fold(
    store: Store,
    canonicals: Canonicals,
    parsed: Mapping[str, Parsed],
    wanted: Mapping[str, Sequence[Chunk]],
    known: Mapping[str, Entry],
    near_duplicate: float,
) -> Folding:
    texts = {doc_id: parsed[doc_id].text for doc_id, group in wanted.items() if group}
    gone = [doc_id for doc_id, group in wanted.items() if not group]
    return find_aliases(store.ledger, canonicals, texts, gone, known, near_duplicate)


def _changes(
    table: ChunkTable, stored: Mapping[str, Sequence[Chunk]], wanted: Mapping[str, Sequence[Chunk]], folding: Folding
) -> ChunkChanges:
    """The changes of the rows, those of documents that stand for another one than before included."""
    moved = table.of_documents([entry.doc_id for entry in folding.moved])
    # Not part of `wanted`: a moved document whose new revision failed keeps what it has.
    rows = {entry.doc_id: standing_for(moved[entry.doc_id], entry.duplicate_of) for entry in folding.moved}
    return chunk_changes({**stored, **moved}, _marked(wanted, folding) | rows)


def _marked(wanted: Mapping[str, Sequence[Chunk]], folding: Folding) -> dict[str, Sequence[Chunk]]:
    return {doc_id: standing_for(group, folding.duplicate_of.get(doc_id)) for doc_id, group in wanted.items()}


def standing_for(chunks: Sequence[Chunk], canonical: str | None) -> list[Chunk]:
    """The passages as those of an alias of this document, or of one that stands for itself."""
    return [replace(chunk, duplicate_of=canonical) for chunk in chunks]


def _aliases(entries: Iterable[Entry]) -> int:
    return sum(entry.duplicate_of is not None for entry in entries)


def _embed(table: ChunkTable, embedder: Embedder, chunks: Sequence[Chunk]) -> tuple[dict[str, Vectors], int]:
    vectors = table.vectors_of([chunk.text_hash for chunk in chunks])
    missing = texts_to_embed(chunks, vectors)
    made = embedder.embed(list(missing.values()))
    return vectors | dict(zip(missing, made, strict=True)), len(missing)


def _check_vectors(
    contract: Contract, wanted: Mapping[str, Sequence[Chunk]], vectors: Mapping[str, Vectors], broken: dict[str, str]
) -> None:
    new = [chunk for group in wanted.values() for chunk in group if chunk.text_hash in vectors]
    _note(broken, contract.vectors([chunk.doc_id for chunk in new], [vectors[chunk.text_hash] for chunk in new]))


def _note(broken: dict[str, str], found: Sequence[Failure]) -> None:
    for failure in found:
        broken.setdefault(failure.doc_id, f"invalid: {failure.reason}")


def _arrival(write: Write) -> Arrival:
    kind: Kind = "searchable" if write.draft.action == "put" else "unsearchable"
    return Arrival(write.lane, write.draft.source, kind, write.accepted_at)


def _entry(
    write: Write,
    before: Entry | None,
    parsed: Mapping[str, Parsed],
    wanted: Mapping[str, Sequence[Chunk]],
    failures: Mapping[str, str],
    folding: Folding,
) -> Entry:
    draft = write.draft
    if draft.action == "delete":
        return _facts(write, "deleted", before.content_hash if before else "")
    digest = content_hash(draft.content)
    if write.doc_id in failures:
        failed = replace(_facts(write, "quarantined", digest), reason=failures[write.doc_id])
        if before is None or write.doc_id in wanted:
            return failed
        kept = {name: getattr(before, name) for name in KEPT_WHEN_A_REVISION_FAILS}
        return replace(failed, **kept)
    text = parsed[write.doc_id]
    canonical = folding.duplicate_of.get(write.doc_id)
    return replace(
        _facts(write, "duplicate" if canonical else "indexed", digest),
        duplicate_of=canonical,
        bands=folding.bands.get(write.doc_id),
        title=text.title,
        chunks=len(wanted[write.doc_id]),
        indexed_revision=write.revision,
        indexed_hash=digest,
        text=text.text,
        form=text.form,
        pages=text.pages,
    )


def _facts(write: Write, state: State, digest: str) -> Entry:
    """An entry without chunks: what is known from the write alone."""
    draft = write.draft
    return Entry(
        doc_id=write.doc_id,
        revision=write.revision,
        state=state,
        reason=None,
        source=draft.source,
        uri=draft.uri,
        title=draft.title,
        media_type=draft.media_type,
        metadata=json.dumps(draft.metadata, sort_keys=True),
        content_hash=digest,
        accepted_at=write.accepted_at,
        release=0,
        duplicate_of=None,
        chunks=0,
        indexed_revision=None,
        indexed_hash=None,
        text=None,
    )
