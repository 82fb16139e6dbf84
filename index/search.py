"""Reads: searches over one release, followed as releases come."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import RLock
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from lance.query import MatchQuery
from lancedb.db import DBConnection

from index import tables, vector_index
from index.chunks import FACETS, FULL_TEXT_COLUMN, SHOWN, Chunk, chunk_from_row, table_name
from index.contents import Contents
from index.embedder import Vectors
from index.filters import Term
from index.ledger import Ledger
from index.neighbours import Neighbours, neighbours
from index.passages import Passages
from index.policy import SearchSettings, untuned
from index.releases import Release, ReleaseLog
from index.shares import Shares
from index.text_search import ROW, SCORE, TextDatasets, best
from index.vector_index import VectorIndex

OPEN_VIEWS = 8
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
        self, release: Release, dataset: Any, hidden: Sequence[str], shares: Shares | None = None, words: Any = None, kept_bytes: int = 0
    ) -> None:
        """`kept_bytes`: the memory for passages that were shown."""
        super().__init__(release, dataset, words)
        self._passages = Passages(dataset, kept_bytes)
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
        asked: dict[str, Any] = {"column": vector_index.COLUMN, "q": vector, "k": limit, "metric": "dot", "use_index": not exact}
        if settings and not exact:
            asked |= {"nprobes": settings.nprobes, "refine_factor": settings.refine_for(limit)}
        found = _scan(self._dataset, DISTANCE, condition, nearest=asked)
        return [Candidate(row, 1.0 - distance) for row, distance in _pairs(found, DISTANCE)]

    def by_text(self, text: str, limit: int, condition: str | None) -> list[Candidate]:
        """The passages that share the most telling words with `text` (BM25), best first; of equally good ones those that came first."""
        if not self.has_full_text:
            return []
        found = best(lambda most: self._matching(text, most, condition), limit)
        return [Candidate(row, score) for row, score in _pairs(found, SCORE)]

    def _matching(self, text: str, most: int, condition: str | None) -> pa.Table:
        # A MatchQuery takes plain words: nothing in `text` is query syntax.
        return _scan(self._words, SCORE, condition, full_text_query=MatchQuery(text, FULL_TEXT_COLUMN), limit=most)

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
        found = self._dataset._take_rows(list(rows), columns=["doc_id", "duplicate_of"])  # noqa: SLF001 - as in `Passages`
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
        return lru_cache(WORDS)(lambda word: self.has_full_text and bool(len(self._matching(word, 1, None))))


def _scan(dataset: Any, score: str, condition: str | None, **search: Any) -> pa.Table:
    return dataset.scanner(columns=[score], filter=condition, prefilter=True, with_row_id=True, **search).to_table()


def _pairs(found: pa.Table, score: str) -> Iterator[tuple[int, float]]:
    return zip(found[ROW].to_pylist(), found[score].to_pylist(), strict=True)


class Views(Protocol):
    """Where releases are opened."""

    def view(self, number: int | None = None) -> View:
        """The live release, or the named one."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A release that somebody has opened: the same for as long as it is used, whatever becomes live meanwhile."""

    opened: View

    def view(self, number: int | None = None) -> View:
        """Always that one."""
        del number
        return self.opened


class Reader:
    """Follows the release log and keeps the last few releases open. Safe to share between threads."""

    def __init__(
        self,
        db: DBConnection,
        log: ReleaseLog,
        ledger: Ledger,
        index_cache: int,
        prepare: Callable[[Release], object] = lambda _: None,
        kept_bytes: int = 0,
    ) -> None:
        """`prepare` is called on a release of another embedder before it becomes live, and may raise to stay on what is.

        `kept_bytes` is the memory for passages of each open release.
        """
        self._prepare = prepare
        self._kept_bytes = kept_bytes
        self._db = db
        self._index_cache = index_cache
        self._log = log
        self._ledger = ledger
        self._views: OrderedDict[int, View] = OrderedDict()
        self.followed = 0
        self._live = 0
        self._datasets: dict[str, Any] = {}
        self._texts = TextDatasets(db)
        self._shares: defaultdict[str, Shares] = defaultdict(Shares)
        self._warmed: frozenset[str] = frozenset()
        self._lock = RLock()

    @property
    def newest(self) -> int:
        """The newest release that is taken in: what it says holds for each view from now on."""
        return self._log.events[self.followed - 1].state.newest if self.followed else 0

    def follow(self) -> bool:
        """Takes in what happened since the last call; True when there was something new.

        Searches go on with what was live before until the release that is live now is opened and its index is in memory.
        """
        self._log.refresh()
        events = len(self._log.events)
        if events == self.followed:
            return False
        live = self._log.events[events - 1].state.live
        with self._lock:
            self._forget_stale()
        if live:
            view = self.view(live)
            if self._live and view.release.embedder != self._log.get(self._live).embedder:
                self._prepare(view.release)
            self._warm(view)
            _ = view.tail  # its statistics are read here, not by the first who searches
        with self._lock:
            if events > self.followed:
                self.followed, self._live = events, live
        return True

    def view(self, number: int | None = None) -> View:
        """The live release, or the named one; raises `NotFound`, `Conflict` or `Unavailable`."""
        release = self._served() if number is None else self._log.servable(number)
        with self._lock:
            view = self._views.get(release.number)
            if view is None:
                view = self._views[release.number] = self._open(release)
                while len(self._views) > OPEN_VIEWS:
                    self._views.popitem(last=False)
            self._views.move_to_end(release.number)
            return view

    def _served(self) -> Release:
        """What searches get: what was live a moment ago is until the new one is ready, even where it was retired meanwhile."""
        return self._log.get(self._live) if self._live else self._log.live()

    def _warm(self, view: View) -> None:
        """Small commits leave the index as it was: only what is new in it is worth the time."""
        if view.index_segments - self._warmed:
            view.prewarm()
            self._warmed = view.index_segments

    def _open(self, release: Release) -> View:
        name = table_name(release.generation)
        if name not in self._datasets:
            self._datasets[name] = tables.dataset(tables.open_existing(self._db, name), tables.session(self._index_cache))
        dataset = self._datasets[name].checkout_version(release.version)
        indexes = [index for index in dataset.describe_indices() if FULL_TEXT_COLUMN in index.field_names]
        words = self._texts.at(name, release.version, frozenset(part.uuid for index in indexes for part in index.segments))
        hidden = self._ledger.buried_since(release.number)
        return View(release, dataset, hidden, self._shares[release.generation], words, self._kept_bytes)

    def _forget_stale(self) -> None:
        """Drops open views that a deletion since then must change; only the newest release can't be stale."""
        buried = self._ledger.buried()
        for number in [number for number in self._views if number != self._log.state.newest]:
            if {doc_id for doc_id, release in buried if release > number} != set(self._views[number].hidden):
                del self._views[number]
