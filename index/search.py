"""Searches over one release."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lance.query import MatchQuery

from index import vector_index
from index.chunk_rows import FACETS, FULL_TEXT_COLUMN, SHOWN, Chunk, chunk_from_row
from index.contents import Contents
from index.embedder import Vectors
from index.filters import Term
from index.kept import Kept
from index.kept_rows import ROW, files_of
from index.neighbours import Neighbours, neighbours
from index.passages import stored_passages
from index.policy import SearchSettings, untuned
from index.releases import Release
from index.shares import Shares
from index.stored_vectors import StoredVectors
from index.text_search import SCORE, best
from index.vector_index import VectorIndex

DISTANCE = "_distance"
# Of these a view remembers whether passages have them.
WORDS = 100_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that one kind of search found: its row in the release, and a score that grows with relevance, on the search's own scale.

    Many are found and few are shown: what a hit shows is read by `View.chunks`.
    """

    row: int
    score: float


@dataclass(frozen=True, slots=True)
class Owner:
    """The document that a passage is of, and the one that it says the same as."""

    doc_id: str
    duplicate_of: str | None


@dataclass(frozen=True, slots=True)
class Tail:
    """Rows that are in no index yet: each search by `vectors` or by `text` looks at all of them."""

    vectors: int
    text: int


class View(Contents):
    """One release, opened for searching."""

    def __init__(
        self,
        release: Release,
        dataset: Any,
        hidden: Sequence[str],
        shares: Shares | None = None,
        words: Any = None,
        kept: Kept | None = None,
    ) -> None:
        """`kept`: what is in memory of passages and vectors, and the room for more; without it they are read each time."""
        super().__init__(release, dataset, words)
        files, kept = files_of(dataset), kept or Kept.nothing()
        self._passages = stored_passages(dataset, files, kept.passages)
        self.vectors = StoredVectors(dataset, files, kept.vectors)
        self._shares = shares or Shares()
        self.hidden = list(hidden)
        self.has_facets = FACETS in dataset.schema.names
        self.has_full_text = any(FULL_TEXT_COLUMN in index.field_names for index in dataset.describe_indices())

    @cached_property
    def vector_index(self) -> VectorIndex | None:
        """The index of its vectors; None when every search looks at all rows. Reads statistics: not for each request."""
        return vector_index.describe(self._dataset)

    @cached_property
    def index_segments(self) -> frozenset[str]:
        """What names the parts of its vector index; empty without one."""
        return vector_index.segments(self._dataset)

    @cached_property
    def tail(self) -> Tail:
        """What its indexes lack. Reads statistics: once, by who opens it."""
        index = self.vector_index
        return Tail(index.unindexed if index else self.release.rows, self.unindexed_text() if self.has_full_text else 0)

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
        settings = settings or self.settings
        if settings and not exact:
            return self._by_index(vector, limit, condition, settings)
        found = self._nearest(vector, limit, condition, use_index=False)
        return [Candidate(row, 1.0 - distance) for row, distance in _pairs(found, DISTANCE)]

    def _by_index(self, vector: Vectors, limit: int, condition: str | None, settings: SearchSettings) -> list[Candidate]:
        """What the bits of the index find is compared again by the vectors themselves: Lance could, but keeps none in memory."""
        found = self._nearest(vector, limit * settings.refine_for(limit), condition, nprobes=settings.nprobes)
        rows = found[ROW].to_pylist()
        scored = map(Candidate, rows, self.vectors.scores(vector, rows).tolist())
        return sorted(scored, key=lambda candidate: (-candidate.score, candidate.row))[:limit]

    def _nearest(self, vector: Vectors, count: int, condition: str | None, **how: Any) -> pa.Table:
        return _scan(
            self._dataset, DISTANCE, condition, nearest={"column": vector_index.COLUMN, "q": vector, "k": count, "metric": "dot"} | how
        )

    def by_text(self, text: str, limit: int, condition: str | None) -> list[Candidate]:
        """The passages that share the most telling words with `text` (BM25), best first; of equally good ones those that came first."""
        if not self.has_full_text:
            return []
        found = best(lambda most: _matching(self._words, text, most, condition), limit)
        return [Candidate(row, score) for row, score in _pairs(found, SCORE)]

    def share_of(self, condition: str) -> float:
        """The share of the rows that match, as of some minutes ago."""
        return self._shares.of(condition, lambda: self._dataset.count_rows(filter=condition) / max(1, self.release.rows))

    def chunks(self, rows: Sequence[int]) -> list[Chunk]:
        """The passages in these rows, in the same order."""
        return self._passages.at(rows)

    def owners(self, rows: Sequence[int]) -> list[Owner]:
        """Whose passages are in these rows, in the same order."""
        if not rows:
            return []
        found = self._dataset._take_rows(list(rows), columns=["doc_id", "duplicate_of"])  # noqa: SLF001 - as in `Rows`
        return [Owner(doc_id, of) for doc_id, of in zip(found["doc_id"].to_pylist(), found["duplicate_of"].to_pylist(), strict=True)]

    def neighbours(self, chunks: Sequence[Chunk], count: int, always: tuple[Term, ...] = ()) -> list[Neighbours]:
        """Up to `count` passages before and after each of these in its document, read at once; only those that `always` holds for."""
        return neighbours(self._dataset, chunks, count, always, self.hidden)

    def chunks_of(self, doc_id: str) -> list[Chunk]:
        """The passages of one document in order; none when it is deleted."""
        return self.chunks_by_document([doc_id]).get(doc_id, [])

    def chunks_by_document(self, doc_ids: Iterable[str]) -> dict[str, list[Chunk]]:
        """The passages of these documents in order, read at once; deleted and unknown ones are left out."""
        shown = sorted(set(doc_ids) - set(self.hidden))
        rows = self._dataset.to_table(columns=list(SHOWN), filter=pc.field("doc_id").isin(shown)).to_pylist() if shown else []
        found: dict[str, list[Chunk]] = {}
        for chunk in sorted((chunk_from_row(row) for row in rows), key=lambda chunk: chunk.ordinal):
            found.setdefault(chunk.doc_id, []).append(chunk)
        return found

    def passages_of(self, doc_ids: Sequence[str], most: int) -> dict[str, list[Chunk]]:
        """The first passages of each document, with their `text_hash`, in order; at most so many of each."""
        condition = pc.field("doc_id").isin(list(doc_ids)) & (pc.field("ordinal") < most)
        rows = self._dataset.to_table(columns=[*SHOWN, "text_hash"], filter=condition).to_pylist() if doc_ids else []
        found: dict[str, list[Chunk]] = {}
        for chunk in sorted((chunk_from_row(row) for row in rows), key=lambda chunk: (chunk.doc_id, chunk.ordinal)):
            found.setdefault(chunk.doc_id, []).append(chunk)
        return found

    def prewarm(self) -> None:
        """Loads what searches need into memory, so that the first one is as fast as those after it."""
        for index in self._dataset.describe_indices():
            if index.name == vector_index.NAME or FACETS in index.field_names:
                self._dataset.prewarm_index(index.name)

    @cached_property
    def has_word(self) -> Callable[[str], bool]:
        """Whether some passage has a word, as searches by text understand words; remembered, for a release does not change."""
        words = self._words if self.has_full_text else None  # not the view: it would hold on to itself
        return lru_cache(WORDS)(lambda word: words is not None and len(_matching(words, word, 1, None)) > 0)


def _matching(words: Any, text: str, most: int, condition: str | None) -> pa.Table:
    # A MatchQuery takes plain words: nothing in `text` is query syntax.
    return _scan(words, SCORE, condition, full_text_query=MatchQuery(text, FULL_TEXT_COLUMN), limit=most)


def _scan(dataset: Any, score: str, condition: str | None, **search: Any) -> pa.Table:
    return dataset.scanner(columns=[score], filter=condition, prefilter=True, with_row_id=True, **search).to_table()


def _pairs(found: pa.Table, score: str) -> Iterator[tuple[int, float]]:
    return zip(found[ROW].to_pylist(), found[score].to_pylist(), strict=True)
