"""Canaries asked on a release: as people are served, a few at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf, isnan, nan
from statistics import fmean
from time import process_time

from cachetools import LRUCache

from evals.canaries import holds, make, place_of
from evals.ranking import K
from index.canaries import Canaries, Canary, CanaryRun
from index.chunk_rows import Chunk
from index.embedder import Embedder, Vectors
from index.errors import GroundworkError
from index.reader import Opened
from index.search import View
from tasks.retrieve import Query, retrieve

COUNT = 100
# They are made from twice as many documents as there are canaries.
DOCUMENTS = 2 * COUNT
# Passages that are read for it, of one document and in all.
OF_A_DOCUMENT, MOST_PASSAGES = 500, 5_000
# At once; with its search, making one takes 17 ms.
TRIES = 40
REMEMBERED = 4 * COUNT


@dataclass(slots=True)
class Questions:
    """Remembers the vectors of questions, by embedder: a canary is embedded once."""

    _known: LRUCache[tuple[str, str], Vectors] = field(default_factory=lambda: LRUCache(REMEMBERED))

    def of(self, embedder: Embedder, text: str) -> Vectors:
        """The vector of one question, shape (dimensions,)."""
        key = (embedder.fingerprint, text)
        if key not in self._known:
            self._known[key] = embedder.embed_query(text)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Found:
    """The reciprocal rank of the passage that holds the quote, and the best cosine; NaN is unmeasured.

    `stale`: the quote is gone from its document; `holders`: how many of the hits hold it.
    """

    rank: float
    best: float
    stale: bool = False
    holders: int = 0


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of the canaries: how many are new, how many went, and of how many new ones the passage was not found.

    `more`: there may be more to make.
    """

    made: int
    dropped: int
    refused: int
    more: bool = False


def ask(view: View, embedder: Embedder, questions: Questions, canary: Canary) -> Found:
    """Asks one. A miss counts only where the document still says what it said; what fails is unmeasured."""
    try:
        vector = questions.of(embedder, canary.question)
        reply = retrieve(Opened(view), embedder, Query(canary.question, k=K, vector=vector))
        best = nan if reply.best is None else reply.best
        places = [place for place, hit in enumerate(reply.hits, 1) if holds(hit.chunk.text, canary.quote)]
        if places:
            return Found(1 / places[0], best, holders=len(places))
        stale = not any(holds(chunk.text, canary.quote) for chunk in view.chunks_of(canary.doc_id))
    except (OSError, RuntimeError, ValueError, GroundworkError):  # what LanceDB raises while a release is retired
        return Found(nan, nan)
    return Found(nan, nan, stale=True) if stale else Found(0.0, best)


def run(
    view: View,
    embedder: Embedder,
    questions: Questions,
    canaries: Sequence[Canary],
    at: datetime,
    budget_s: float = inf,
    pause: Callable[[], object] = lambda: None,
) -> tuple[CanaryRun, list[str]]:
    """Asks canaries, as many as the process can in so much of its time; also the ids of those whose quote is gone.

    `pause` is called after each, so that others get their turn.
    """
    began, found = process_time(), dict[str, Found]()
    for canary in canaries:
        found[canary.id] = ask(view, embedder, questions, canary)
        if process_time() - began >= budget_s:
            break
        pause()
    ranks, best = tuple(each.rank for each in found.values()), tuple(each.best for each in found.values())
    taken = CanaryRun(at, view.release.number, tuple(found), ranks, best, process_time() - began)
    return taken, [name for name, each in found.items() if each.stale]


def refresh(
    table: Canaries,
    view: View,
    embedder: Embedder,
    questions: Questions,
    now: datetime,
    pause: Callable[[], object] = lambda: None,
    tries: int = TRIES,
) -> Refreshed:
    """Drops canaries whose passages have changed or are gone, and makes new ones until there are enough, or so many were tried.

    A new one that does not find its passage watches nothing: it is kept as refused, with a rank of 0 at birth, and never asked again.
    """
    passages = chosen(view)
    before = [*table.all(), *table.refused()]
    gone = [canary.id for canary in before if not _stands(view, canary, passages)]
    table.drop(gone)
    # Those that a language model phrased come on top, and take no passage from the others.
    kept = [canary for canary in before if canary.id not in set(gone) and canary.kind != "phrased"]
    missing = COUNT - sum(canary.birth_rank > 0 for canary in kept)
    made: list[Canary] = []
    if missing > 0:
        known = {canary.text_hash for canary in kept}
        chunks = [chunk for each in passages.values() for chunk in each]
        for canary in make(chunks, now, view.release.number, known):
            found = ask(view, embedder, questions, canary)
            if not isnan(found.rank) and found.holders <= 1:
                made.append(replace(canary, birth_rank=found.rank))
                missing -= found.rank > 0
            if missing <= 0 or len(made) >= tries:
                break
            pause()
    table.write(made)
    refused = sum(canary.birth_rank == 0 for canary in made)
    return Refreshed(len(made) - refused, len(gone), refused, more=missing > 0 and len(made) >= tries)


def chosen(view: View) -> dict[str, list[Chunk]]:
    """The passages of the documents that canaries are made from: always the same ones, until others come before them."""
    sizes, hidden = view.passages(), set(view.hidden)
    documents = list[str]()
    room = MOST_PASSAGES
    for doc_id in sorted(sizes.keys() - hidden, key=place_of)[:DOCUMENTS]:
        room -= min(sizes[doc_id], OF_A_DOCUMENT)
        if documents and room < 0:
            break
        documents.append(doc_id)
    return view.passages_of(documents, OF_A_DOCUMENT)


def mean_rank(run: CanaryRun) -> float | None:
    """The mean reciprocal rank of what was measured; None when nothing was."""
    measured = [rank for rank in run.ranks if not isnan(rank)]
    return fmean(measured) if measured else None


def _stands(view: View, canary: Canary, passages: Mapping[str, Sequence[Chunk]]) -> bool:
    """Also where other documents are read for canaries now: one that is asked stays as long as its passage does."""
    chunks = passages[canary.doc_id] if canary.doc_id in passages else view.chunks_of(canary.doc_id)
    return any(holds(chunk.text, canary.quote) for chunk in chunks)
