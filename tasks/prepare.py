"""Accepted writes to everything a release needs: parsed, chunked, validated, embedded. Changes no table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from index import spans
from index.arrivals import Arrival, Kind
from index.chunk_rows import Chunk
from index.chunks import ChunkTable, generation_name
from index.documents import Entry, Write
from index.embedder import Embedder, Vectors
from index.errors import Rejected
from index.metadata import fields
from index.recipe import Recipe
from index.store import Store
from index.vectors import HALF_PRECISION
from tasks.aliases import Folding, find_aliases
from tasks.chunk import Chunker
from tasks.dedupe import Canonicals
from tasks.entries import entry_of
from tasks.parse import Parsed
from tasks.parsers import Parsers
from tasks.plan import ChunkChanges, chunk_changes, deletions, newest_writes, texts_to_embed
from tasks.validate import Contract, Failure


@dataclass(frozen=True, slots=True)
class Tools:
    """What turns documents into vectors; made once per process.

    A document that resembles another one by at least `near_duplicate` (0 to 1) becomes its alias; 0: none does. Numbers of
    stored vectors have `vector_bits`. `recipe` is what they were made after, for those who need the same tools later.
    """

    embedder: Embedder
    chunker: Chunker
    contract: Contract
    parsers: Parsers = field(default_factory=Parsers)
    near_duplicate: float = 0.85
    vector_bits: int = HALF_PRECISION
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def generation(self) -> str:
        """The name of the generation that they make."""
        return generation_name(self.embedder, self.chunker.fingerprint, self.vector_bits)


@dataclass(slots=True)
class Timings:
    """Seconds by step of one batch."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time of the block to a step, which is a span of the trace too."""
        began = perf_counter()
        try:
            with spans.span(name):
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


@dataclass(slots=True)
class _Reading:
    """What was read of a batch. `refused` and `broken` say why documents fail: they can't be read, or break the data contract."""

    parsed: dict[str, Parsed]
    chunks: dict[str, list[Chunk]]
    refused: dict[str, str]
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> dict[str, str]:
        return self.broken | self.refused

    @property
    def passages(self) -> list[Chunk]:
        return [chunk for group in self.chunks.values() for chunk in group]

    def note(self, found: Sequence[Failure]) -> None:
        """Keeps the first reason of each document."""
        for failure in found:
            self.broken.setdefault(failure.doc_id, f"invalid: {failure.reason}")

    def wanted(self, deleted: Iterable[str]) -> dict[str, Sequence[Chunk]]:
        """The chunks that each document of the batch should have; one that failed keeps what it has, unless it was deleted before."""
        wanted: dict[str, Sequence[Chunk]] = dict.fromkeys(deleted, ())
        return wanted | {doc_id: group for doc_id, group in self.chunks.items() if doc_id not in self.failures}


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
    read = _read(store, tools, puts, condemned or {}, timings)
    with timings.step("embed"):
        vectors, embedded = _embed(table, tools.embedder, chunk_changes(stored, read.wanted(deleted)).written)
    with timings.step("validate"):
        new = [chunk for group in read.wanted(deleted).values() for chunk in group if chunk.text_hash in vectors]
        read.note(tools.contract.vectors([chunk.doc_id for chunk in new], [vectors[chunk.text_hash] for chunk in new]))
    if condemned is None:
        tools.contract.check_batch(len(puts), read.broken)
    wanted = read.wanted(deleted)
    with timings.step("dedupe"):
        folding = _fold(store, canonicals, read.parsed, wanted, known, tools.near_duplicate)
        changes = _changes(table, stored, wanted, folding)
        vectors |= table.vectors_of([chunk.text_hash for chunk in changes.written if chunk.text_hash not in vectors])
    settled = known | {entry.doc_id: entry for entry in folding.moved}
    entries = tuple(entry_of(write, settled.get(write.doc_id), read.parsed, wanted, read.failures, folding) for write in fresh)
    moved = tuple(entry for entry in folding.moved if entry.doc_id not in {write.doc_id for write in fresh})
    return Prepared(
        entries=entries,
        arrivals=tuple(_arrival(write) for write in fresh if write.doc_id not in read.failures),
        moved=moved,
        aliases=_aliases(entries) - _aliases(known.values()) - sum(entry.duplicate_of is None for entry in moved),
        changes=changes,
        vectors=vectors,
        deleted=deleted,
        embedded=embedded,
        fields={name: type(value).__name__ for write in puts for name, value in fields(write.draft.metadata).items()},
        timings=timings,
        checked={"documents": len(read.chunks), "chunks": len(read.passages), "vectors": len(vectors)},
        unusual=tuple(tools.contract.counts(_passages_by_kind(puts, read.chunks))),
    )


def _read(store: Store, tools: Tools, puts: Sequence[Write], condemned: Mapping[str, str], timings: Timings) -> _Reading:
    refused = dict(condemned)
    with timings.step("parse"):
        parsed = _parse(store, tools.parsers, puts, refused)
    with timings.step("chunk"):
        chunks = _chunk(tools.chunker, puts, parsed, refused)
    read = _Reading(parsed, chunks, refused)
    with timings.step("validate"):
        read.note(tools.contract.documents({doc_id: parsed[doc_id].text for doc_id in chunks}))
        read.note(tools.contract.chunks(read.passages))
    return read


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


def _arrival(write: Write) -> Arrival:
    kind: Kind = "searchable" if write.draft.action == "put" else "unsearchable"
    return Arrival(write.lane, write.draft.source, kind, write.accepted_at)
