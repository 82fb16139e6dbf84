"""How fast a release is searched, by its number of rows; no HTTP and no model in it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evals.bench import corpus
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms, p99_ms
from evals.bench.options import Options
from index.embedder import Vectors
from index.search import View
from index.store import open_store
from tasks.publish import Publisher

PART = "search"
ROWS = 20_000
QUESTIONS = 200
WARM_UP = 10
K = 10
WORDS = 30
QUESTION_WORDS = 5


def search(options: Options) -> list[Figure]:
    """The 10 nearest of `rows` clustered vectors (see `corpus.clustered`), and the 10 best by words, beside brute force in memory."""
    rows = options.rows or ROWS
    rng = np.random.default_rng(1)
    centres = corpus.random_centres(rows, rng)
    vectors, questions = corpus.clustered(rows, centres, rng), corpus.clustered(QUESTIONS, centres, rng)
    passages = corpus.texts(rows, rng, WORDS)
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        view = filled(Path(folder), passages, vectors)
        stored, found = by_vector(view, questions)
        worded = by_text(view, corpus.texts(QUESTIONS, rng, QUESTION_WORDS))
    plain, nearest = brute_force([f"filled-{number}" for number in range(rows)], vectors, questions)
    recall = np.mean([len(set(one) & set(other)) / K for one, other in zip(found, nearest, strict=True)])
    baseline = latencies(f"{rows:,} rows, numpy brute force", plain)
    case = f"{rows:,} rows, by vector"
    return [
        *baseline,
        *(figure.against(other) for figure, other in zip(latencies(case, stored), baseline, strict=True)),
        Case(PART, case).figure(f"recall@{K}", float(recall), "").against(Case(PART, baseline[0].case).figure(f"recall@{K}", 1.0, "")),
        *latencies(f"{rows:,} rows, by text", worded),
    ]


def filled(folder: Path, passages: Sequence[str], vectors: Vectors) -> View:
    """The live release of a new index with these rows, folded."""
    store = open_store(str(folder), folder)
    publisher = Publisher(store, corpus.tools())
    publisher.take_over()
    corpus.fill(store, publisher, passages, vectors, ledger=False)
    publisher.table.fold()
    publisher.publish_maintenance()
    return store.reader().view()


def by_vector(view: View, questions: Vectors) -> tuple[Stopwatch, list[list[str]]]:
    """Times, and the documents found."""
    watch, found = Stopwatch(), []
    for question in questions[:WARM_UP]:
        view.by_vector(question, K, None)
    for question in questions:
        with watch:
            hits = view.by_vector(question, K, None)
        found.append([hit.chunk.doc_id for hit in hits])
    return watch, found


def by_text(view: View, questions: Sequence[str]) -> Stopwatch:
    """Times of searches for a few words each."""
    watch = Stopwatch()
    for question in questions[:WARM_UP]:
        view.by_text(question, K, None)
    for question in questions:
        with watch:
            view.by_text(question, K, None)
    return watch


def brute_force(ids: Sequence[str], vectors: Vectors, questions: Vectors) -> tuple[Stopwatch, list[list[str]]]:
    """The same by a product of matrices in memory: what is right, and the time that nothing stored can beat by much."""
    watch, found = Stopwatch(), []
    for question in questions:
        with watch:
            similarity = vectors @ question
            nearest = np.argpartition(-similarity, K)[:K]
        found.append([ids[place] for place in nearest])
    return watch, found


def latencies(case: str, watch: Stopwatch) -> list[Figure]:
    """The median and the 99th percentile."""
    timed = Case(PART, case)
    return [timed.figure("p50", p50_ms(watch.seconds), "ms"), timed.figure("p99", p99_ms(watch.seconds), "ms")]
