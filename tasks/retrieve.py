"""A question to the passages that are nearest to it: what the API serves and the evaluations measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any

from index import filters
from index.chunk_rows import Chunk
from index.embedder import Embedder, Vectors
from index.errors import BadRequest, Conflict, Unavailable
from index.neighbours import Neighbours
from index.policy import SearchSettings
from index.reader import Views
from index.search import View
from tasks.explain import Explanation, Parts, explanation, parts_of
from tasks.place import Mode, Place, place_after, resumed
from tasks.ranked import DEEPEST, Ranked, Scored, Sought, ranked
from tasks.rerank import MOST_CANDIDATES, Reranker, reranked

MAX_QUERY_CHARACTERS = 8_000
MAX_K = 1_000
MIN_CANDIDATES = 100
ROOM_FOR_ALIASES = 4
MAX_NEIGHBOURS = 5
# Rows that are in no index: searches find them, and take longer. Beside an index, and where there is none yet.
LONG_TAIL = 10_000
WITHOUT_INDEX = 50_000


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `release` None is the live one; `always` is a filter that a key always applies.

    `vector` is that of the text, from the release's embedder, where it is known already.
    `nprobes` and `refine_factor` take the place of those of the release; where every search looks at all rows they mean nothing.
    `rerank` is how many of the best a reranker puts in its own order, `neighbours` how many passages are read before and after each hit.
    `place` is where the page before ended.
    """

    text: str
    k: int = 10
    mode: Mode = "hybrid"
    filter: Mapping[str, Any] = field(default_factory=dict)
    release: int | None = None
    min_release: int | None = None
    exact: bool = False
    nprobes: int | None = None
    refine_factor: int | None = None
    always: Mapping[str, Any] = field(default_factory=dict)
    vector: Vectors | None = field(default=None, compare=False, repr=False)
    one_per_document: bool = False
    neighbours: int = 0
    rerank: int = 0
    explain: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage and its score; higher is better, and scores of one reply compare with each other only.

    `similarity` is the cosine to the question, where the search by vector found the passage too. `around` and `parts` are there when
    they were asked for.
    """

    chunk: Chunk
    score: float
    similarity: float | None = None
    around: Neighbours | None = None
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The hits, best first, and what they were made from.

    `timings_ms`: embed, search (what goes on meanwhile is not counted), read (what is shown), total, and rerank where it was done.
    `vector` is that of the question, None in text mode. `next` is where the next page begins; None when there is none.
    """

    release: int
    as_of: datetime
    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]
    vector: Vectors | None = field(default=None, compare=False, repr=False)
    next: Place | None = None
    explanation: Explanation | None = None

    @property
    def best(self) -> float | None:
        """The highest cosine similarity of a hit to the question; None where the search by vector found none of the hits."""
        return max((hit.similarity for hit in self.hits if hit.similarity is not None), default=None)


def retrieve(reader: Views, embedder: Embedder | None, query: Query, reranker: Reranker | None = None) -> Retrieved:
    """The `k` best passages of one release, or those that come after `query.place`.

    Without an `embedder`, while its model loads, a hybrid search looks for words alone, and says so; so it does of a `reranker`.

    Raises:
        BadRequest: an empty or oversized query, a bad `k`, an unusable filter, or a place beyond the last page.
        NotFound, Conflict: the release does not exist, was reclaimed, or is older than `min_release`; or what was shown is gone.
        Unavailable: there is no release yet, or a search by vector alone has no model.
    """
    began = perf_counter()
    _check(query)
    view = reader.view(query.release)
    _check_release(view, embedder, query)
    mode = _mode(embedder, query)
    own, always = filters.parse(query.filter, view.release.fields), filters.parse(query.always)
    vector = None if mode == "text" else _QueryVector(query, embedder)
    sought = _sought(view, query, own + always, vector, words=mode != "vector")
    skipped = query.place.skipped if query.place else 0
    room = min(query.k, DEEPEST - skipped)
    found = ranked(view, sought, max(skipped + room, query.rerank))
    searched = perf_counter()
    reranks = bool(query.place.reranked if query.place else reranker and query.rerank)
    first = query.rerank if reranks and skipped < query.rerank else 0
    order, reread = _reranked(view, reranker, query, found.rows, first)
    done = perf_counter()
    if query.place:
        resumed(query.place, order)
    shown = order[skipped : skipped + room]
    embedding_s = vector.took_s if vector else 0.0
    timings = {"embed": _ms(0.0, embedding_s), "search": _ms(began + embedding_s, searched)}
    began_to_read = perf_counter()
    hits = _hits(view, query, found, shown, always, reread)
    timings["read"] = _ms(began_to_read, perf_counter())
    return Retrieved(
        release=view.release.number,
        as_of=view.release.created_at,
        hits=hits,
        degraded=_degraded(view, query, mode, reranker),
        timings_ms=timings | ({"rerank": _ms(searched, done)} if first else {}) | {"total": _ms(began, perf_counter())},
        vector=vector() if vector else None,
        next=place_after(view.release.number, mode, sought, order, skipped + room, reranks, found.is_all),
        explanation=explanation(mode, view, sought, found, own, first) if query.explain else None,
    )


class _QueryVector:
    """The vector of a question, embedded when it is first wanted where it is not known yet. `took_s`: how long that took."""

    def __init__(self, query: Query, embedder: Embedder | None) -> None:
        self.took_s = 0.0
        self._text, self._known, self._embedder = query.text, query.vector, embedder

    def __call__(self) -> Vectors:
        if self._known is None:
            if self._embedder is None:  # `_mode` lets no search by vector come here without
                raise Unavailable("the embedding model is still loading", retry_after_s=5)
            began = perf_counter()
            self._known = self._embedder.embed_query(self._text)
            self.took_s = perf_counter() - began
        return self._known


def _check(query: Query) -> None:
    if not query.text.strip():
        raise BadRequest("query is empty: ask something")
    if len(query.text) > MAX_QUERY_CHARACTERS:
        raise BadRequest(f"query has {len(query.text)} characters; at most {MAX_QUERY_CHARACTERS} are taken")
    if not 1 <= query.k <= MAX_K:
        raise BadRequest(f"k must be from 1 to {MAX_K}")
    if not 0 <= query.neighbours <= MAX_NEIGHBOURS:
        raise BadRequest(f"neighbours must be from 0 to {MAX_NEIGHBOURS}")
    if not 0 <= query.rerank <= MOST_CANDIDATES:
        raise BadRequest(f"rerank must be from 1 to {MOST_CANDIDATES}, or true")


def _check_release(view: View, embedder: Embedder | None, query: Query) -> None:
    number, made_by = view.release.number, view.release.embedder
    if query.min_release is not None and number < query.min_release:
        raise Conflict(f"release {number} is served, older than min_release {query.min_release}; try again shortly")
    if query.mode != "text" and embedder and embedder.fingerprint != made_by:
        raise Conflict(f"release {number} was made by the embedder {made_by}, not by {embedder.fingerprint}")


def _mode(embedder: Embedder | None, query: Query) -> Mode:
    """What is searched: as the page before was, and words alone where there is no model."""
    mode = query.place.mode if query.place else query.mode
    if embedder or query.vector is not None or mode == "text":
        return mode
    if query.mode == "hybrid" and not query.place:
        return "text"
    raise Unavailable("the embedding model is still loading", retry_after_s=5)


def _sought(view: View, query: Query, terms: tuple[filters.Term, ...], vector: Callable[[], Vectors] | None, *, words: bool) -> Sought:
    aliases, place = bool(view.release.aliases), query.place
    # With a filter an alias may match where its canonical document does not: then they are told apart afterwards.
    without_aliases, told_apart = aliases and not terms, bool(aliases and (terms or view.hidden))
    settings = place.settings if place else _settings(view, query)
    if settings and terms and vector is not None and not query.exact and not place:
        condition = filters.condition(terms, view.hidden, without_aliases=without_aliases, with_facets=view.has_facets)
        settings = settings.widened(view.share_of(condition)) if condition else settings
    depth = place.depth if place else max(query.k, MIN_CANDIDATES) * (ROOM_FOR_ALIASES if told_apart else 1)
    return Sought(query.text, vector, words, terms, without_aliases, told_apart, query.one_per_document, query.exact, settings, depth)


def _settings(view: View, query: Query) -> SearchSettings | None:
    """Those of the release, but for what is asked otherwise."""
    if view.settings is None:
        return None
    return SearchSettings(query.nprobes or view.settings.nprobes, query.refine_factor or view.settings.refine_factor)


def _reranked(view: View, reranker: Reranker | None, query: Query, rows: list[Scored], first: int) -> tuple[list[Scored], dict[int, float]]:
    """The rows with the first of them in the reranker's order, and the scores it gave; those after them never score above."""
    if not first or not rows:
        return rows, {}
    if not reranker:
        raise Unavailable("the pages before are reranked, and here the reranker is still loading", retry_after_s=5)
    best = rows[:first]
    order = reranked(reranker, query.text, view.chunks([row for row, _ in best]))
    again = [(best[place][0], score) for place, score in order]
    lowest = again[-1][1]
    return again + [(row, min(score, lowest)) for row, score in rows[first:]], dict(again)


def _hits(
    view: View, query: Query, found: Ranked, shown: Sequence[Scored], always: tuple[filters.Term, ...], reread: Mapping[int, float]
) -> tuple[Hit, ...]:
    chunks = view.chunks([row for row, _ in shown])
    hits = [Hit(chunk, score, found.similarity(row)) for chunk, (row, score) in zip(chunks, shown, strict=True)]
    if query.neighbours:
        around = view.neighbours(chunks, query.neighbours, always)
        hits = [replace(hit, around=beside) for hit, beside in zip(hits, around, strict=True)]
    if query.explain:
        fused = dict(found.rows)
        parts = parts_of(found, [(row, fused[row]) for row, _ in shown])
        given = [replace(each, rerank=reread.get(row)) for each, (row, _) in zip(parts, shown, strict=True)]
        hits = [replace(hit, parts=each) for hit, each in zip(hits, given, strict=True)]
    return tuple(hits)


def _degraded(view: View, query: Query, mode: Mode, reranker: Reranker | None) -> tuple[str, ...]:
    """What the reply lacks, or what makes it slow."""
    said = []
    if mode != query.mode and mode == "text":
        when = "was still loading when the first page was asked for" if query.place else "is still loading"
        said.append(f"the embedding model {when}: only words were searched")
    if mode != "vector" and view.release.rows and not view.has_full_text:
        searched = "only vectors were searched" if mode == "hybrid" else "words can't be searched"
        said.append(f"full text index missing: {searched}")
    tail = view.tail
    if mode != "text" and tail.vectors > (LONG_TAIL if view.vector_index else WITHOUT_INDEX):
        said.append(f"tail: {tail.vectors:,} passages are not in the vector index yet: each is compared, which is exact and slower")
    if mode != "vector" and tail.text > LONG_TAIL:
        said.append(f"tail: {tail.text:,} passages are not in the full text index yet: each is read, which is slower")
    if query.rerank and not (query.place.reranked if query.place else reranker):
        said.append("the reranker is still loading: the hits are not reranked")
    return tuple(said)


def _ms(start: float, end: float) -> float:
    return round((end - start) * 1000, 2)
