"""How fast a release is searched, by its number of rows; no HTTP and no model in it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np

from evals.bench import corpus
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms, p99_ms
from evals.bench.options import Options
from evals.recall import probe
from evals.tune import note, tune
from index.embedder import Vectors
from index.policy import IndexPolicy
from index.search import View
from index.store import Store, open_store
from tasks.publish import Publisher
from tasks.reindex import reindex

PART = "search"
ROWS = 20_000
QUESTIONS = 200
WARM_UP = 10
SCANS = 20
K = 10
WORDS = 30
QUESTION_WORDS = 5


def search(options: Options) -> list[Figure]:
    """The 10 nearest of `rows` clustered vectors (see `corpus.clustered`), and the 10 best by words, beside brute force in memory.

    From `IndexPolicy.flat_below` rows on with the index and the settings that the platform makes and finds by itself; the questions
    that it is tuned on are others than those that it is measured with.
    """
    rows = options.rows or ROWS
    rng = np.random.default_rng(1)
    centres = corpus.random_centres(rows, rng)
    vectors, questions, others = (corpus.clustered(count, centres, rng) for count in (rows, QUESTIONS, QUESTIONS))
    passages = corpus.texts(rows, rng, WORDS)
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        index = Index.open(Path(folder), passages, vectors)
        shape = index.shaped(rows, others)
        view = index.store.reader().view()
        stored, found = by_vector(view, questions)
        scanned, _ = by_vector(view, questions[:SCANS], exact=True)
        worded = by_text(view, corpus.texts(QUESTIONS, rng, QUESTION_WORDS))
    plain, nearest = brute_force([f"filled-{number}" for number in range(rows)], vectors, questions)
    recall = np.mean([len(set(one) & set(other)) / K for one, other in zip(found, nearest, strict=True)])
    baseline = latencies(f"{rows:,} rows, numpy brute force", plain)
    case = f"{rows:,} rows, by vector"
    return [
        *baseline,
        *(figure.against(other) for figure, other in zip(latencies(case, stored), baseline, strict=True)),
        Case(PART, case).figure(f"recall@{K}", float(recall), "").against(Case(PART, baseline[0].case).figure(f"recall@{K}", 1.0, "")),
        *shape,
        *(figure.against(other) for figure, other in zip(latencies(f"{rows:,} rows, every row", scanned), baseline, strict=True)),
        *latencies(f"{rows:,} rows, by text", worded),
    ]


@dataclass(frozen=True, slots=True)
class Index:
    """An index with made-up rows."""

    store: Store
    publisher: Publisher

    @classmethod
    def open(cls, folder: Path, passages: Sequence[str], vectors: Vectors) -> Self:
        """A new one with these rows in its live release, folded."""
        store = open_store(str(folder), folder)
        publisher = Publisher(store, corpus.tools())
        publisher.take_over()
        corpus.fill(store, publisher, passages, vectors, ledger=False)
        publisher.table.fold()
        publisher.publish_maintenance()
        return cls(store, publisher)

    def shaped(self, rows: int, questions: Vectors) -> list[Figure]:
        """Makes the vector index that the policy asks for and tunes it on these questions, as maintenance does; how long that took."""
        policy, generation = IndexPolicy(), self.publisher.table.generation
        building, tuning = Stopwatch(), Stopwatch()
        with building:
            shape = reindex(self.store, generation, policy)
        if shape is None:
            return []
        view = self.store.head(generation)
        with tuning:
            found = tune(view, probe(view, questions), shape.partitions, policy.recall_target)
        note(self.store, generation, rows, found)
        self.publisher.publish_maintenance()
        case, settings = Case(PART, f"{rows:,} rows, the index"), found.chosen.settings
        return [
            case.figure("built in", building.last, "s"),
            case.figure("tuned in", tuning.last, "s"),
            case.figure("partitions", shape.partitions, ""),
            *(case.figure(name, value, "") for name, value in (asdict(settings) if settings else {}).items()),
            case.figure(f"recall@{K} on the tuner's questions", found.chosen.recall.mean or 0.0, ""),
        ]


def by_vector(view: View, questions: Vectors, *, exact: bool = False) -> tuple[Stopwatch, list[list[str]]]:
    """Times, and the documents found."""
    watch, found = Stopwatch(), []
    for question in questions[:WARM_UP]:
        view.by_vector(question, K, None, exact)
    for question in questions:
        with watch:
            hits = view.by_vector(question, K, None, exact)
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
