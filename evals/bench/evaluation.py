"""How long an evaluation takes, and how much of it is spent in search itself."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import ParamSpec, TypeVar

import numpy as np

from evals import ranking
from evals.bench import corpus
from evals.bench.figures import Case, Figure, Stopwatch
from evals.bench.options import Options
from evals.bench.scale import lifelike
from evals.bench.variants import Variants, passages
from evals.evaluate import Request, evaluate, retrieve_passages
from evals.ranking import NDCG
from evals.recall import sentence
from index.embedder import Embedder, Vectors, configured
from index.golden import GoldenQuestion, Passage
from index.policy import index_policy
from index.settings import Settings
from index.store import Store, open_store
from tasks.publish import Publisher
from tasks.reindex import reindex

P = ParamSpec("P")
T = TypeVar("T")
PART = "evaluation"
ROWS = 50_000
QUESTIONS = 1_000
QUOTED_WORDS = 20


def evaluation(options: Options) -> list[Figure]:
    """The retrieval metrics of so many golden questions on so many passages of varied real text, with the bundled model.

    The vectors are made up (see `lifelike`), so it is the time that counts, not the scores. The search is the one that is served.
    """
    rows, count = options.rows or ROWS, options.docs or QUESTIONS
    embedder = configured(Settings())
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        store = open_store(folder, Path(folder))
        questions = fill(store, embedder, options, rows, count)
        reader = open_store(folder, Path(folder)).reader()
        reader.follow()
        steps, loading = Steps(), Stopwatch()
        with loading:  # RAGAS takes seconds to import, once in a process
            ranking.measure({"q": ["a"]}, {"q": ["a"]})
            ranking.measure_texts({"q": ["a"]}, {"q": ["a"]})
        began = perf_counter()
        evaluated = evaluate(reader, embedder, Request("bench"), run=steps, questions=questions)
        seconds = perf_counter() - began
    searching = steps.seconds[retrieve_passages.__name__]
    score = evaluated.score(NDCG)
    case = Case(PART, f"{count:,} questions, {rows:,} passages")
    return [
        case.figure("measured", score.measured if score else 0, "questions"),
        case.figure("retrieval metrics", seconds, "s"),
        case.figure("of it in search", searching / seconds, ""),
        *(case.figure(step.replace("_", " "), spent, "s") for step, spent in steps.seconds.items()),
        case.figure("libraries loaded in, before", loading.last, "s"),
        case.figure("metrics, intervals and rows", seconds - sum(steps.seconds.values()), "s"),
    ]


def fill(store: Store, embedder: Embedder, options: Options, rows: int, count: int) -> tuple[GoldenQuestion, ...]:
    """Fills the index; returns questions whose passages stand in it."""
    rng = np.random.default_rng(1)
    publisher = Publisher(store, replace(corpus.tools(embedder.dimensions), embedder=embedder))
    publisher.take_over()
    made_up = Variants(passages(options.data))
    asked: list[GoldenQuestion] = []

    def slices() -> Iterator[tuple[list[str], Vectors]]:
        first = 0
        for vectors in lifelike(options).slices(rows, rng):
            texts = list(islice(made_up, len(vectors)))
            every = max(1, rows // (2 * count))  # not every text has a sentence that could be asked
            asked.extend(found for place, text in enumerate(texts, first) if place % every == 0 and (found := question(place, text)))
            first += len(texts)
            yield texts, vectors

    corpus.pour(store, publisher, slices())
    publisher.table.fold()
    reindex(store, publisher.table, index_policy(Settings().index_policy))
    publisher.publish_maintenance()
    return tuple(asked[:count])


def question(place: int, text: str) -> GoldenQuestion | None:
    """One about the text of a row: a sentence of it as the question, its first words as what answers."""
    asked = sentence(text)
    quote = " ".join(text.split()[:QUOTED_WORDS])
    return GoldenQuestion(f"q{place}", asked, (Passage(f"filled-{place}", quote),), None) if asked and quote else None


class Steps:
    """Runs the steps of an evaluation and keeps the seconds of each by its name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the step returns."""
        began = perf_counter()
        try:
            return step(*args, **kwargs)
        finally:
            self.seconds[step.__name__] = perf_counter() - began
