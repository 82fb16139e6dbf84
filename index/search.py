"""Reads: searches over one release, followed as releases come."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import Any, cast

import numpy as np
import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import col, lit
from lancedb.query import MatchQuery
from lancedb.table import LanceTable

from index import tables, vector_index
from index.chunks import FULL_TEXT_COLUMN, SHOWN, Chunk, chunk_from_row, table_name
from index.embedder import Vectors
from index.ledger import Ledger
from index.policy import SearchSettings, untuned
from index.releases import Release, ReleaseLog
from index.vector_index import VectorIndex

OPEN_VIEWS = 8
# Rows that are compared at once with what is looked for exactly.
SLICE = 8192


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that one kind of search found: its row in the release, and a score that grows with relevance, on the search's own scale.

    Many are found and few are shown: what a hit shows is read by `View.chunks`.
    """

    row: int
    score: float


class View:
    """One release, opened for reading. Its table handle stays on the release's version."""

    def __init__(self, release: Release, table: LanceTable, hidden: Sequence[str]) -> None:
        self.release = release
        self.hidden = list(hidden)
        self._table = table
        self.has_full_text = any(FULL_TEXT_COLUMN in index.columns for index in table.list_indices())

    @cached_property
    def vector_index(self) -> VectorIndex | None:
        """The index of its vectors; None when every search looks at all rows. Reads statistics: not for each request."""
        return vector_index.describe(self._table)

    @property
    def settings(self) -> SearchSettings | None:
        """How thoroughly its index is searched; None when every search looks at all rows."""
        if given := self.release.search:
            return SearchSettings(given["nprobes"], given["refine_factor"])
        return untuned(self.vector_index.partitions) if self.vector_index else None

    def by_vector(
        self, vector: Vectors, limit: int, condition: str | None, exact: bool = False, settings: SearchSettings | None = None
    ) -> list[Candidate]:
        """The nearest passages by cosine similarity, best first; with other `settings` than those of the release, if they are given."""
        query = cast(Any, self._table.search(vector, vector_column_name="vector")).distance_type("dot")
        settings = settings or self.settings
        if exact:
            query = query.bypass_vector_index()
        elif settings:
            query = query.nprobes(settings.nprobes).refine_factor(settings.refine_factor)
        return [Candidate(row, 1.0 - distance) for row, distance in self._found(query, limit, condition, "_distance")]

    def by_text(self, text: str, limit: int, condition: str | None) -> list[Candidate]:
        """The passages that share the most telling words with `text` (BM25), best first."""
        if not self.has_full_text:
            return []
        # A MatchQuery takes plain words: nothing in `text` is query syntax.
        words = cast(Any, MatchQuery)(text, FULL_TEXT_COLUMN)
        query = cast(Any, self._table).search(words, query_type="fts")
        return [Candidate(row, score) for row, score in self._found(query, limit, condition, "_score")]

    def chunks(self, rows: Sequence[int]) -> list[Chunk]:
        """The passages in these rows, in the same order."""
        if not rows:
            return []
        found = cast(Any, self._table).take_row_ids(list(rows)).with_row_id().select(list(SHOWN)).to_arrow().to_pylist()
        chunks = {row["_rowid"]: chunk_from_row(row) for row in found}
        return [chunks[row] for row in rows]

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """The passages of one document in order; none when it is deleted."""
        if doc_id in self.hidden:
            return []
        rows = self._table.search().where(col("doc_id") == lit(doc_id)).select(list(SHOWN)).limit(100_000).to_arrow().to_pylist()
        return sorted((chunk_from_row(row) for row in rows), key=lambda chunk: chunk.ordinal)

    def prewarm(self) -> None:
        """Loads what searches need into memory, so that the first one is as fast as those after it."""
        if self.vector_index:
            vector_index.prewarm(self._table)

    def nearest(self, vectors: Vectors, count: int) -> Vectors:
        """The scores of the passages that are truly nearest to each vector, best first: shape (vectors, count).

        Minus infinity where there are fewer passages. Reads every vector once, a slice after the other.
        """
        best = np.full((len(vectors), count), -np.inf, dtype=np.float32)
        for batch in self.vector_batches():
            stored = np.asarray(batch["vector"].flatten(), dtype=np.float32).reshape(batch.num_rows, -1)
            scores = vectors @ stored.T
            # After the first slices few vectors find anything nearer: looking for that is cheaper than sorting.
            better = np.flatnonzero((scores > best.min(axis=1, keepdims=True)).any(axis=1))
            best[better] = -np.partition(-np.hstack([best[better], scores[better]]), count - 1, axis=1)[:, :count]
        return -np.sort(-best, axis=1)

    def vector_batches(self) -> Iterator[pa.RecordBatch]:
        """Every vector of the release, a slice after the other."""
        yield from cast(Any, self._table.to_lance()).to_batches(columns=["vector"], batch_size=SLICE)

    def sample_texts(self, count: int) -> list[str]:
        """The texts of some passages from all over the release, in no order."""
        rows = cast(Any, self._table.to_lance()).sample(min(count, self.release.rows), columns=["text"])
        return [str(text) for text in rows["text"].to_pylist()]

    def bytes_per_row(self) -> float:
        """What a row takes on disk, its part of the indexes not included."""
        return float(cast(Any, self._table).stats()["total_bytes"]) / max(1, self.release.rows)

    def texts(self) -> tuple[int, int]:
        """How many passages there are, and how many different strings were embedded for them. Reads a column: not for each request."""
        hashes = self._table.search().select(["text_hash"]).limit(tables.ALL).to_arrow()["text_hash"]
        return len(hashes), len(hashes.unique())

    def _found(self, query: Any, limit: int, condition: str | None, score: str) -> Iterator[tuple[int, float]]:
        query = query.limit(limit).select([score]).with_row_id(with_row_id=True)
        if condition:
            query = query.where(condition, prefilter=True)
        table: pa.Table = query.to_arrow()
        return zip(table["_rowid"].to_pylist(), table[score].to_pylist(), strict=True)


class Reader:
    """Follows the release log and keeps the last few releases open. Safe to share between threads."""

    def __init__(self, db: DBConnection, log: ReleaseLog, ledger: Ledger) -> None:
        self._db = db
        self._log = log
        self._ledger = ledger
        self._views: OrderedDict[int, View] = OrderedDict()
        self.followed = 0
        self._lock = RLock()

    @property
    def newest(self) -> int:
        """The newest release that is taken in: what it says holds for each view from now on."""
        return self._log.events[self.followed - 1].state.newest if self.followed else 0

    def follow(self) -> bool:
        """Takes in what happened since the last call; True when there was something new."""
        with self._lock:
            self._log.refresh()
            events = len(self._log.events)
            if events == self.followed:
                return False
            self._forget_stale()
            self.followed = events
            return True

    def view(self, number: int | None = None) -> View:
        """The live release, or the named one; raises `NotFound`, `Conflict` or `Unavailable`."""
        release = self._log.live() if number is None else self._log.servable(number)
        with self._lock:
            view = self._views.get(release.number)
            if view is None:
                view = self._views[release.number] = self._open(release)
                while len(self._views) > OPEN_VIEWS:
                    self._views.popitem(last=False)
            self._views.move_to_end(release.number)
            return view

    def _open(self, release: Release) -> View:
        table = tables.open_existing(self._db, table_name(release.generation))
        table.checkout(release.version)
        return View(release, table, self._ledger.buried_since(release.number))

    def _forget_stale(self) -> None:
        """Drops open views that a deletion since then must change; only the newest release can't be stale."""
        for number in [number for number in self._views if number != self._log.state.newest]:
            view = self._views[number]
            if self._ledger.buried_since(number) != view.hidden:
                del self._views[number]
