"""How good the rankings are that the platform serves, beside exact search; and which way to fuse them is best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import ir_measures
import numpy as np
from ir_measures import nDCG

from evals.bench import progress
from evals.bench.answering import answering
from evals.bench.collection import Collection, beir, sample
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms
from evals.bench.fusions import FUSIONS, Scores, ranked
from evals.bench.options import Options
from evals.bench.platform import RunningPlatform, started
from index.documents import Draft
from index.embedder import Embedder, configured
from index.settings import Settings
from index.store import open_store
from tasks.golden import resolve

PART = "quality"
NDCG = nDCG @ 10
DEPTH = 10
CHUNKS = 50  # of a ranking; when documents are judged, the best chunk of each counts
CANDIDATES = 100  # of each ranking that is fused, as `tasks.retrieve` does it
INDEXED_WITHIN_S = 3 * 3600.0

# The grades of what is relevant, by question.
Grades = Mapping[str, Mapping[str, int]]
# What was found, by question: documents or chunks, best first.
Rankings = Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Served:
    """What the platform found: by question, the scores of the chunks; and the document of each chunk."""

    vector: dict[str, Scores] = field(default_factory=dict)
    text: dict[str, Scores] = field(default_factory=dict)
    hybrid: dict[str, Scores] = field(default_factory=dict)
    exact: dict[str, Scores] = field(default_factory=dict)
    doc_ids: dict[str, str] = field(default_factory=dict)
    seconds: Stopwatch = field(default_factory=Stopwatch)


def quality(options: Options) -> list[Figure]:
    """nDCG@10 of the three modes and of other fusions, on the BEIR folder `data` or else on the sample.

    Where there are questions without an answer: how well answers are given and declined, too.
    """
    collection = beir(options.data) if options.data else sample()
    loading = Stopwatch()
    with started() as platform:
        with loading:
            load(platform, collection)
        served = ask(platform, collection)
        grades = chunk_grades(platform, collection) if collection.judged == "passages" else document_grades(collection)
        answers = answering(platform.home, collection, configured(Settings())) if collection.unanswerable else []
    unit = served.doc_ids.__getitem__ if collection.judged == "documents" else str
    if collection.judged == "documents":
        name, exact = "exact search over whole documents", exact_documents(collection, configured(Settings()))
    else:
        name, exact = "exact search over the chunks", rankings(served.exact, unit)
    speed = Case(PART, collection.name)
    return [
        speed.figure("documents", len(collection.documents), "documents"),
        speed.figure("questions", len(grades), "questions"),
        speed.figure("put in, until searchable", len(collection.documents) / loading.last, "documents/s"),
        speed.figure("hybrid search over HTTP p50", p50_ms(served.seconds.seconds), "ms"),
        *scores(collection.name, served, grades, unit, Case(PART, name).figure(f"nDCG@{DEPTH}", ndcg(exact, grades), "")),
        *answers,
    ]


def load(platform: RunningPlatform, collection: Collection) -> None:
    """Hands all documents in and waits until they are searchable."""
    platform.accept(collection.documents)
    with progress.bar(f"indexing {collection.name}", len(collection.documents)) as show:
        for waiting in platform.until_indexed(INDEXED_WITHIN_S):
            show(len(collection.documents) - waiting)
    if quarantined := platform.call("GET", "/v1/documents", params={"state": "quarantined", "limit": 3})["items"]:
        raise ValueError(f"documents were quarantined, the figures would be wrong: {quarantined}")


def ask(platform: RunningPlatform, collection: Collection) -> Served:
    """Asks each question in each mode over HTTP."""
    served = Served()
    with progress.bar("asking", len(collection.questions)) as show:
        for done, question in enumerate(collection.questions):
            show(done)
            modes = {"vector": served.vector, "text": served.text} | ({"exact": served.exact} if collection.judged == "passages" else {})
            for mode, found in modes.items():
                found[question.id] = _scores(platform, served, question.text, mode, CANDIDATES)
            with served.seconds:
                served.hybrid[question.id] = _scores(platform, served, question.text, "hybrid", CHUNKS)
    return served


def document_grades(collection: Collection) -> Grades:
    """The judgements as they are."""
    return {question.id: question.grades for question in collection.questions}


def chunk_grades(platform: RunningPlatform, collection: Collection) -> Grades:
    """The chunks that hold at least half of a judged passage; questions whose passages can't be found are left out."""
    view = open_store(str(platform.home / "index"), platform.home).reader().view()
    chunks_of = cache(view.chunks_of)
    found = {question.id: resolve(question.golden, chunks_of) for question in collection.questions if question.golden}
    return {question: dict.fromkeys(relevance.chunk_ids, 1) for question, relevance in found.items() if not relevance.stale}


def exact_documents(collection: Collection, embedder: Embedder) -> Rankings:
    """The nearest documents by brute force: title and text of each in one vector, cut by the model at its length limit."""
    vectors = np.vstack(
        [
            embedder.embed([_whole(draft) for draft in collection.documents[start : start + 256]])
            for start in progress.steps("embedding whole documents", range(0, len(collection.documents), 256))
        ]
    )
    ids = [draft.doc_id for draft in collection.documents]
    nearest = {question.id: np.argsort(-(vectors @ embedder.embed_query(question.text)))[:DEPTH] for question in collection.questions}
    return {question: [ids[place] for place in places] for question, places in nearest.items()}


def rankings(found: Mapping[str, Scores], unit: Callable[[str], str]) -> Rankings:
    """What the chunks stand for, best first, each once."""
    return {question: list(dict.fromkeys(unit(chunk) for chunk in ranked(scores)[:CHUNKS])) for question, scores in found.items()}


def ndcg(found: Rankings, grades: Grades) -> float:
    """The mean of nDCG@10 over all judged questions; 0 for one with nothing found."""
    run = {question: {unit: float(-rank) for rank, unit in enumerate(found[question][:DEPTH])} for question in grades}
    values = ir_measures.iter_calc([NDCG], {question: dict(graded) for question, graded in grades.items()}, run)
    return sum(float(result.value) for result in values) / len(grades)


def scores(name: str, served: Served, grades: Grades, unit: Callable[[str], str], exact: Figure) -> list[Figure]:
    """The three modes as they are served, and the fusions that could be served instead."""

    def figure(case: str, found: Mapping[str, Scores]) -> Figure:
        return Case(PART, f"{name}, {case}").figure(exact.metric, ndcg(rankings(found, unit), grades), exact.unit)

    vector = figure("vector", served.vector)
    fused = {case: {q: fuse(served.vector[q], served.text[q]) for q in served.vector} for case, fuse in FUSIONS.items()}
    return [
        exact,
        vector.against(exact),
        figure("text", served.text).against(vector),
        figure("hybrid", served.hybrid).against(vector),
        *(figure(case, found).against(vector) for case, found in fused.items()),
    ]


def _scores(platform: RunningPlatform, served: Served, query: str, mode: str, k: int) -> Scores:
    asked = {"mode": "vector", "exact": True} if mode == "exact" else {"mode": mode}
    hits = platform.call("POST", "/v1/search", json={"query": query, "k": k, **asked})["hits"]
    served.doc_ids.update({hit["chunk_id"]: hit["doc_id"] for hit in hits})
    return {hit["chunk_id"]: hit["score"] for hit in hits}


def _whole(draft: Draft) -> str:
    return f"{draft.title or ''}\n{draft.content.decode()}"
