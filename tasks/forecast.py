"""What a sweep would do and cost, before it runs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, time

from index.chunks import ChunkTable
from index.documents import Draft, Write
from index.embedder import Embedder
from index.errors import Rejected
from index.stamps import Stamps
from index.store import Store
from index.vectors import HALF_PRECISION
from tasks.chunk import Chunker, chunker_for
from tasks.compare import Changes, Comparison, needs_confirmation
from tasks.formats.parsed import Parsed
from tasks.parsers import Parsers
from tasks.sources.port import Gap, Listed, Skipped, Source
from tasks.sweep import known_among, known_hashes, look_into, pieces, stamps_of

# Text is stored twice (as shown, as embedded) next to its vector; indexes come on top.
INDEX_OVERHEAD = 1.3
BUDGET_S = 20.0
PORTION = 20


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a sweep would write and remove, and what that costs.

    `size` is in bytes as they come, `chunks` are those of the documents to write, `embed` of them need a new vector.
    `measured` documents were read for this; where `estimated`, the others are reckoned from them by their sizes.
    Those `quarantined` were read and can't be parsed; their reason is the code alone.
    """

    changes: Changes
    skipped: tuple[Skipped, ...]
    quarantined: tuple[Skipped, ...]
    gaps: tuple[Gap, ...]
    size: int
    chunks: int
    embed: int
    parse_seconds: float
    disk_bytes: int
    needs_confirmation: bool
    measured: int
    estimated: bool


@dataclass(slots=True)
class Cost:
    """What documents take, added up: bytes, seconds to parse and cut, chunks, bytes on the disk, texts without a vector, what fails."""

    size: int = 0
    seconds: float = 0.0
    chunks: int = 0
    disk_bytes: int = 0
    texts: set[str] = field(default_factory=set)
    quarantined: list[Skipped] = field(default_factory=list)


def forecast(
    store: Store, source: Source, embedder: Embedder, chunk_tokens: int, is_whole: bool = True, budget_s: float = BUDGET_S
) -> Forecast:
    """Runs everything of a sweep but the writing; raises `OSError` when the listing fails.

    What would be read is looked into in random order until `budget_s` seconds are over. Unless the source `is_whole`,
    the index has other documents of that name: none counts as gone.
    """
    began = time()
    listing = source.listing()
    if is_whole:
        known = known_hashes(store, source.name)
    else:
        listing = iter(seen := list(listing))
        known = known_among(store, source.name, [item.doc_id for item in seen if isinstance(item, Listed)])
    comparison = Comparison(known, began)
    cost = Cost()
    # A part has no sweeps, so nothing is remembered of it.
    with stamps_of(store, source) if is_whole else Stamps(Path(":memory:"), "") as stamps, Parsers() as parsers:
        doubtful: list[Listed] = []
        for piece in pieces(comparison.see(listing)):
            doubtful += comparison.doubtful(piece, stamps.of([item.doc_id for item in piece]))
        random.Random(0).shuffle(doubtful)  # noqa: S311 - a fair sample, the same each time
        chunker = chunker_for(embedder, chunk_tokens)
        table = _newest_table(store)
        vector_bytes = table.vector_bytes if table else embedder.dimensions * HALF_PRECISION // 8
        meter = Meter(parsers, chunker, vector_bytes, table, cost)
        measured = 0
        until = perf_counter() + budget_s
        for start in range(0, len(doubtful), PORTION):
            piece = doubtful[start : start + PORTION]
            found = look_into(store, source, stamps, comparison, piece)
            comparison.note(found.drafts, found.differing, found.skipped, found.remembered)
            meter.add(found.differing)
            measured += len(piece)
            if perf_counter() > until:
                break
    return _reckon(comparison, cost, doubtful[:measured], doubtful[measured:])


@dataclass(frozen=True, slots=True)
class Meter:
    """Parses and cuts documents as the pipeline does, and adds up what that takes."""

    parsers: Parsers
    chunker: Chunker
    vector_bytes: int
    table: ChunkTable | None
    cost: Cost

    def add(self, drafts: Sequence[Draft]) -> None:
        """Measures some documents."""
        began = perf_counter()
        parsed = self.parsers.parse_all(drafts)
        texts = [text for draft in drafts for text in self._texts(draft, parsed[draft.doc_id])]
        self.cost.seconds += perf_counter() - began
        new = {text_hash for text_hash, _ in texts} - self.cost.texts
        self.cost.texts |= new - set(self.table.vectors_of(sorted(new)) if self.table else ())
        self.cost.size += sum(len(draft.content) for draft in drafts)
        self.cost.chunks += len(texts)
        self.cost.disk_bytes += int((sum(2 * length for _, length in texts) + len(texts) * self.vector_bytes) * INDEX_OVERHEAD)

    def _texts(self, draft: Draft, parsed: Parsed | Rejected) -> list[tuple[str, int]]:
        """Hash and length in bytes of each text that would be embedded; none for what would be quarantined, which is noted."""
        if isinstance(parsed, Rejected):
            self.cost.quarantined.append(Skipped(draft.doc_id, parsed.code))
            return []
        chunks = self.chunker.chunks(Write(draft, 0, datetime.now(UTC)), parsed)
        return [(chunk.text_hash, len(chunk.embedded_text.encode())) for chunk in chunks]


def _newest_table(store: Store) -> ChunkTable | None:
    newest = store.log.state.newest
    return store.existing_chunk_table(store.log.get(newest).generation) if newest else None


def _reckon(comparison: Comparison, cost: Cost, read: Sequence[Listed], unread: Sequence[Listed]) -> Forecast:
    """The forecast for all, from what was read: of the unread that are known, as many changed as of the read ones."""
    found = comparison.changes()
    new = [item for item in unread if item.doc_id not in comparison.known]
    old = [item for item in unread if item.doc_id in comparison.known]
    read_known = sum(item.doc_id in comparison.known for item in read)
    likely = old[: round(len(old) * len(found.changed) / read_known)] if read_known else old
    changes = replace(
        found,
        added=(*found.added, *(item.doc_id for item in new)),
        changed=(*found.changed, *(item.doc_id for item in likely)),
        unchanged=found.unchanged + len(old) - len(likely),
    )
    size = cost.size + sum(item.size for item in (*new, *likely))
    scale = size / cost.size if cost.size else 1.0
    return Forecast(
        changes=changes,
        skipped=tuple(comparison.skipped),
        quarantined=tuple(cost.quarantined),
        gaps=tuple(comparison.gaps),
        size=size,
        chunks=round(cost.chunks * scale),
        embed=round(len(cost.texts) * scale),
        parse_seconds=cost.seconds * scale,
        disk_bytes=int(cost.disk_bytes * scale),
        needs_confirmation=needs_confirmation(changes, len(comparison.known)),
        measured=len(read),
        estimated=bool(unread),
    )
