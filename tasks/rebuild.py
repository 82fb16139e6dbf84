"""A new generation from stored text, beside the live one: nothing is fetched or parsed again."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from index.chunk_rows import Chunk
from index.chunks import ChunkTable
from index.documents import Draft, Entry, Write
from index.embedder import Vectors
from index.errors import BatchFailed
from index.policy import IndexPolicy
from index.rebuilds import Done, Rebuilt, difference, miscounted
from index.releases import Release, Shape
from index.shortened import Shortened
from index.store import Store
from tasks.parse import Parsed
from tasks.pieces import Pieces
from tasks.plan import chunk_changes, texts_to_embed
from tasks.prepare import Tools, standing_for
from tasks.publish import Publisher
from tasks.reindex import is_due, reindex

FIRST_DOCUMENTS = 8
MAX_DOCUMENTS = 500
# So few are done in one go, for so many may come while one looks what is left.
LAST_STRETCH = 32
PAUSE_S = 0.05
# Rows that no index of the new table covers: each piece looks its documents up among them.
FOLD_EVERY = 5_000
_log = logging.getLogger("groundwork.ingester")


@dataclass(slots=True)
class Rebuild:
    """Brings the generation of these tools to what the newest release shows, piece by piece; then it can be offered, and served.

    Only the holder of the writer's lease may use it, between batches. A document that changes meanwhile is just to be done
    again, and what is done is remembered: after a kill it goes on where it was.
    """

    store: Store
    publisher: Publisher
    tools: Tools
    policy: IndexPolicy = field(default_factory=IndexPolicy)
    embedded: int = 0
    _target: ChunkTable = field(init=False)
    _rebuilt: Rebuilt = field(init=False)
    _todo: deque[Done] = field(default_factory=deque)
    _of: int = 0
    _pieces: Pieces = field(default_factory=lambda: Pieces(FIRST_DOCUMENTS))
    _unfolded: int = FOLD_EVERY
    _indexing: Future[Shape | None] | None = None

    def __post_init__(self) -> None:
        """Makes the new tables, or opens those of an earlier try, and shuts out a paused writer that may still hold them."""
        self._target = self._open()
        self._target.restore(self._target.version)
        self._rebuilt = self.store.rebuilt(self._target.generation)

    def _open(self) -> ChunkTable:
        return self.store.chunk_table(self.tools.generation, self.tools.embedder.dimensions, self.tools.vector_bits)

    def step(self, seconds: float) -> bool:
        """Does some of it, in about so many seconds, and what is left when that is little.

        Returns whether nothing is left to do: the generation shows what the newest release does.

        Raises:
            BatchFailed: a passage breaks the data contract. What is served stays.
            RuntimeError: its vector index could not be made; the next step tries again.
        """
        until = monotonic() + seconds
        # It looks again in the same step: with a batch between each two looks it would never come to an end while documents come.
        while True:
            if not self._todo and not self._look():
                return self._is_indexed()
            self._take_piece(seconds)
            if monotonic() >= until and len(self._todo) > LAST_STRETCH:
                return False

    def _take_piece(self, seconds: float) -> None:
        """Does as many documents as take about so many seconds."""
        began = monotonic()
        documents = min(MAX_DOCUMENTS, max(1, round(self._pieces.fitting(seconds))))
        if piece := [self._todo.popleft() for _ in range(min(documents, len(self._todo)))]:
            self._take(piece)
            self._pieces.took(len(piece), monotonic() - began)

    def offer(self) -> Release:
        """A release of the generation as it is, held: for those who examine it."""
        self._target.fold()
        self._unfolded = 0
        return self.publisher.offer(self._target, self.tools)

    def serve(self, checks: Mapping[str, Any]) -> Release:
        """Makes the generation the newest release: only right after a `step` that had nothing left to do."""
        self._target.fold()
        release = self.publisher.serve(self._target, self._rebuilt.rows().select(["doc_id", "chunks"]), self.tools, checks)
        self._rebuilt.drop()
        _log.info(
            "release %d serves generation %s: %d passages, %d texts embedded",
            release.number,
            release.generation,
            release.rows,
            self.embedded,
        )
        return release

    def progress(self) -> tuple[int, int]:
        """How many documents are done, of how many, as of the last look."""
        return self._of - len(self._todo), self._of

    def _look(self) -> bool:
        """Whether anything is to do: compares the ledger with what is done, and removes what is gone."""
        wanted = self.store.ledger.indexed()
        self._of = wanted.num_rows
        missing, gone = difference(wanted, self._rebuilt.rows())
        self._remove(gone)
        self._todo.extend(missing)
        return bool(missing) or self._mend()

    def _mend(self) -> bool:
        """Whether the table was not what is remembered of it: it may have served before, and a try may have died between the two."""
        odd, gone = miscounted(self._rebuilt.rows(), self._target.passages())
        self._rebuilt.forget(odd)
        self._remove(gone)
        return bool(odd or gone)

    def _remove(self, doc_ids: Sequence[str]) -> None:
        self._target.delete([chunk.chunk_id for chunks in self._target.of_documents(doc_ids).values() for chunk in chunks])
        self._rebuilt.forget(doc_ids)

    def _take(self, piece: Sequence[Done]) -> None:
        """Cuts, embeds and writes the passages of these documents."""
        doc_ids = [done.doc_id for done in piece]
        shown = self.publisher.table.of_documents(doc_ids)
        entries = self.store.ledger.get(doc_ids, with_text=True)
        wanted = {doc_id: list(self._passages(entries[doc_id], shown[doc_id])) for doc_id in doc_ids if doc_id in shown}
        changes = chunk_changes(self._target.of_documents(doc_ids), wanted)
        vectors = self._vectors(changes.written)
        self._check(changes.written, vectors)
        self._target.upsert(changes.written, vectors)
        self._target.delete(changes.deleted)
        self._target.ensure_full_text()
        self._fold(len(changes.written))
        self._rebuilt.note(piece, {doc_id: len(chunks) for doc_id, chunks in wanted.items()})

    def _fold(self, written: int) -> None:
        """Folds the new table now and then: among tens of thousands of unindexed rows a piece of few documents would take a second."""
        self._unfolded += written
        if self._unfolded >= FOLD_EVERY:
            self._target.fold()
            self._unfolded = 0

    def _passages(self, entry: Entry, shown: Sequence[Chunk]) -> Iterator[Chunk]:
        """The passages of the stored text, with the facts that searches show now: the ledger's may be of a revision that failed."""
        facts = shown[0]
        draft = Draft(entry.doc_id, "put", facts.source, facts.media_type, b"", facts.title, facts.uri, facts.metadata)
        write = Write(draft, facts.revision, datetime.now(UTC))
        parsed = Parsed(facts.title, entry.text or "", entry.form or "text", entry.pages)
        return iter(standing_for(self.tools.chunker.chunks(write, parsed), facts.duplicate_of))

    def _vectors(self, chunks: Sequence[Chunk]) -> dict[str, Vectors]:
        """Those that this model has made before, in either generation, and new ones."""
        hashes = [chunk.text_hash for chunk in chunks]
        known = self._target.vectors_of(hashes)
        known |= self._from_live([digest for digest in hashes if digest not in known])
        missing = texts_to_embed(chunks, known)
        made = self.tools.embedder.embed(list(missing.values()))
        self.embedded += len(missing)
        return known | dict(zip(missing, made, strict=True))

    def _from_live(self, hashes: Sequence[str]) -> dict[str, Vectors]:
        """Vectors that the live generation has, or has the whole of."""
        live, wanted = self.publisher.tools.embedder.fingerprint, self.tools.embedder
        if live == wanted.fingerprint:
            return self.publisher.table.vectors_of(hashes)
        if isinstance(wanted, Shortened) and live == wanted.whole:
            return {digest: wanted.cut(vector[None])[0] for digest, vector in self.publisher.table.vectors_of(hashes).items()}
        return {}

    def _check(self, chunks: Sequence[Chunk], vectors: Mapping[str, Vectors]) -> None:
        contract = self.tools.contract
        broken = contract.chunks(chunks) or contract.vectors(
            [chunk.doc_id for chunk in chunks], [vectors[chunk.text_hash] for chunk in chunks]
        )
        if broken:
            raise BatchFailed(f"a passage of {broken[0].doc_id!r} breaks the data contract: {broken[0].reason}")

    def _is_indexed(self) -> bool:
        """Whether the new generation has the index that its rows want. It is made in a thread of its own: batches go on meanwhile."""
        if self._indexing is None:
            if not is_due(self._target, self._target.count(), self.store.log.shape(self._target.generation), self.policy):
                return True
            pool = ThreadPoolExecutor(1, thread_name_prefix="index")
            self._indexing = pool.submit(reindex, self.store, self._open(), self.policy)
            pool.shutdown(wait=False)
        wait([self._indexing], timeout=PAUSE_S)
        if self._indexing.done():
            indexing, self._indexing = self._indexing, None
            indexing.result()  # what went wrong there is raised here
        return False


def forget_others(store: Store, *generations: str) -> None:
    """Removes what is stored of generations but these and those of releases that can be served."""
    servable = {release.generation for release in store.log.kept()}
    store.drop_generations_but(servable | set(generations))
