"""A question to the passages that are nearest to it: what the API serves and the evaluations measure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Literal

from index import filters
from index.chunks import Chunk
from index.embedder import Embedder, Vectors
from index.errors import BadRequest, Conflict
from index.policy import SearchSettings
from index.search import Candidate, View, Views
from tasks.fuse import weighted_min_max

Mode = Literal["hybrid", "vector", "text"]
MAX_QUERY_CHARACTERS = 8_000
MAX_K = 1_000
MIN_CANDIDATES = 100
ROOM_FOR_ALIASES = 4


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `release` None is the live one; `always` is a filter that a key always applies.

    `vector` is that of the text, from the release's embedder, where it is known already.
    `nprobes` and `refine_factor` take the place of those of the release; where every search looks at all rows they mean nothing.
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


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage and its score; higher is better, and scores of one reply compare with each other only.

    `similarity` is the cosine to the question, where the search by vector found the passage too.
    """

    chunk: Chunk
    score: float
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The hits, best first, and what they were made from. `timings_ms`: embed, search, total.

    `vector` is that of the question, None in text mode.
    """

    release: int
    as_of: datetime
    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]
    vector: Vectors | None = field(default=None, compare=False, repr=False)

    @property
    def best(self) -> float | None:
        """The highest cosine similarity of a hit to the question; None where the search by vector found none of the hits."""
        return max((hit.similarity for hit in self.hits if hit.similarity is not None), default=None)


def retrieve(reader: Views, embedder: Embedder, query: Query) -> Retrieved:
    """The `k` best passages of one release.

    Raises:
        BadRequest: an empty or oversized query, a bad `k` or an unusable filter.
        NotFound, Conflict: the release does not exist, was reclaimed, or is older than `min_release`.
        Unavailable: there is no release yet.
    """
    began = perf_counter()
    _check(query)
    view = reader.view(query.release)
    if query.min_release is not None and view.release.number < query.min_release:
        raise Conflict(f"release {view.release.number} is served, older than min_release {query.min_release}; try again shortly")
    if query.mode != "text" and embedder.fingerprint != view.release.embedder:
        raise Conflict(f"release {view.release.number} was made by the embedder {view.release.embedder}, not by {embedder.fingerprint}")
    asked = filters.parse(query.filter, view.release.fields) + filters.parse(query.always)
    # With a filter an alias may match where its canonical document does not: then they are told apart afterwards.
    without_aliases = bool(view.release.aliases) and not asked
    condition = filters.condition(asked, view.hidden, without_aliases=without_aliases, with_facets=view.has_facets)
    told_apart = bool(view.release.aliases and (asked or view.hidden))
    vector = _vector(embedder, query)
    embedded = perf_counter()
    depth = max(query.k, MIN_CANDIDATES) * (ROOM_FOR_ALIASES if told_apart else 1)
    settings = _settings(view, query)
    if settings and asked and condition and query.mode != "text" and not query.exact:
        settings = settings.widened(view.share_of(condition))
    by_vector = view.by_vector(vector, depth, condition, query.exact, settings) if vector is not None else []
    by_text = view.by_text(query.text, depth, condition) if query.mode != "vector" else []
    done = perf_counter()
    return Retrieved(
        release=view.release.number,
        as_of=view.release.created_at,
        hits=_best(view, by_vector, by_text, query, told_apart=told_apart),
        degraded=_degraded(view, query),
        timings_ms={"embed": _ms(began, embedded), "search": _ms(embedded, done), "total": _ms(began, perf_counter())},
        vector=vector,
    )


def _check(query: Query) -> None:
    if not query.text.strip():
        raise BadRequest("query is empty: ask something")
    if len(query.text) > MAX_QUERY_CHARACTERS:
        raise BadRequest(f"query has {len(query.text)} characters; at most {MAX_QUERY_CHARACTERS} are taken")
    if not 1 <= query.k <= MAX_K:
        raise BadRequest(f"k must be from 1 to {MAX_K}")


def _vector(embedder: Embedder, query: Query) -> Vectors | None:
    if query.mode == "text":
        return None
    return embedder.embed_query(query.text) if query.vector is None else query.vector


def _settings(view: View, query: Query) -> SearchSettings | None:
    """Those of the release, but for what is asked otherwise."""
    if view.settings is None:
        return None
    return SearchSettings(query.nprobes or view.settings.nprobes, query.refine_factor or view.settings.refine_factor)


def _best(view: View, by_vector: list[Candidate], by_text: list[Candidate], query: Query, *, told_apart: bool) -> tuple[Hit, ...]:
    """The best `k`; all are read where aliases must be `told_apart`, else only those that are shown."""
    dense = {candidate.row: candidate.score for candidate in by_vector}
    sparse = {candidate.row: candidate.score for candidate in by_text}
    scores = {"hybrid": lambda: weighted_min_max(dense, sparse), "vector": lambda: dense, "text": lambda: sparse}[query.mode]()
    # Equal scores fall back on the place in the release, so that the same question always gets the same order.
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    shown = ranked if told_apart else ranked[: query.k]
    chunks = view.chunks([row for row, _ in shown])
    hits = (Hit(chunk, score, dense.get(row)) for chunk, (row, score) in zip(chunks, shown, strict=True))
    return tuple(without_repeats(hits))[: query.k]


def without_repeats(hits: Iterable[Hit]) -> Iterator[Hit]:
    """The hits without those of documents that say the same as one which was found before."""
    shown: dict[str, str] = {}
    for hit in hits:
        if shown.setdefault(hit.chunk.duplicate_of or hit.chunk.doc_id, hit.chunk.doc_id) == hit.chunk.doc_id:
            yield hit


def _degraded(view: View, query: Query) -> tuple[str, ...]:
    if query.mode != "vector" and view.release.rows and not view.has_full_text:
        return ("full text index missing: only vectors were searched",)
    return ()


def _ms(start: float, end: float) -> float:
    return round((end - start) * 1000, 2)
