"""What one process that serves an index takes, from its start: run in a process of its own, with nothing else in its memory."""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from tokenizers import Tokenizer

from evals.bench.corpus import HashingEmbedder
from evals.bench.figures import Stopwatch
from evals.bench.scale import Questions
from evals.recall import SAME, K
from index import filters
from index.embedder import Places, Vectors
from index.search import View
from index.store import open_store
from tasks.retrieve import Query, retrieve

WARM_UP = 200
SCANS = 5
FILTERED = 50
CLIENTS = 8
# Shares of the rows that match, as `corpus.pour` makes them.
FILTERS: dict[str, dict[str, object]] = {
    "50 %": {"media_type": "text/markdown"},
    "5 %": {"source": "source-7"},
    "0.1 %": {"metadata.thousandth": 7},
}


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of each search, and the share of the true nearest that they found (NaN: not compared)."""

    seconds: Sequence[float]
    recall: float = float("nan")


@dataclass(frozen=True, slots=True)
class Served:
    """What the process took: seconds to open the index ready to search, of its first search, of each kind of search; bytes of memory.

    `clients`: seconds of each search while 8 asked at once, who made `per_s` searches a second.
    """

    opened_s: float
    first_s: float
    vector: Timed
    scan: Timed
    text: Timed
    hybrid: Timed
    filtered: dict[str, Timed]
    clients: Timed
    per_s: float
    memory: int


class Asked:
    """The embedder of somebody who knows the vectors of his questions: each search takes the next."""

    name = kernel = "asked"
    max_tokens = 256

    def __init__(self, vectors: Vectors, fingerprint: str) -> None:
        """`fingerprint` is that of the release they are asked of."""
        self.fingerprint = fingerprint
        self.dimensions = vectors.shape[1]
        self._vectors = cycle(vectors)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The next vectors, shape (len(texts), dimensions)."""
        return np.stack([next(self._vectors) for _ in texts])

    def embed_stream(self, texts: Sequence[str]) -> Generator[tuple[Places, Vectors]]:
        """All of them at once."""
        yield np.arange(len(texts)), self.embed(texts)

    def embed_query(self, text: str) -> Vectors:
        """The next vector, shape (dimensions,)."""
        del text
        return next(self._vectors)

    def tokenizer(self) -> Tokenizer:
        """One token a word."""
        return HashingEmbedder().tokenizer()


def in_fresh_process(folder: Path, questions: Questions) -> Served:
    """Serves the index in a new process whose files are not in the system's cache, as after a restart of the machine."""
    forget_files(folder)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(serve, folder, questions).result()


def serve(folder: Path, questions: Questions) -> Served:
    """Opens the index and measures; everything is asked as the API would ask it."""
    began = perf_counter()
    reader = open_store(str(folder), folder, serves=True).reader()
    reader.follow()
    view = reader.view()
    view.prewarm()
    opened = perf_counter()
    view.by_vector(questions.vectors[0], K, None)
    first = perf_counter() - opened
    for vector in questions.vectors[-WARM_UP:]:
        view.by_vector(vector, K, None)
    memory = resident()
    # It reads every vector: from here on they come from the system's cache. What it leaves in memory is not what serving takes.
    scan = timed(lambda question: view.by_vector(question, K, None, exact=True), questions.vectors[:SCANS])
    vector = by_vector(view, questions)
    asking = Asked(questions.vectors, view.release.embedder)
    served = Served(
        opened_s=opened - began,
        first_s=first,
        vector=vector,
        scan=scan,
        text=timed(lambda words: view.by_text(words, K, None), questions.words),
        hybrid=timed(lambda words: retrieve(reader, asking, Query(words)), questions.words),
        filtered={share: filtered(view, questions.vectors[:FILTERED], asked) for share, asked in FILTERS.items()},
        clients=Timed(()),
        per_s=0.0,
        memory=memory,
    )
    return with_clients(served, view, questions.vectors)


def by_vector(view: View, questions: Questions) -> Timed:
    """The 10 nearest of each question."""
    watch, found = Stopwatch(), []
    for vector in questions.vectors:
        with watch:
            hits = view.by_vector(vector, K, None)
        found.append([hit.score for hit in hits])
    return Timed(watch.seconds, recall(found, questions.nearest))


def filtered(view: View, vectors: Vectors, asked: dict[str, object]) -> Timed:
    """The 10 nearest among those that match a filter."""
    condition = filters.condition(filters.parse(asked), [], with_facets=view.has_facets)
    truly = view.nearest(vectors, K, condition)
    settings = view.settings.widened(view.share_of(condition)) if view.settings and condition else None
    watch, found = Stopwatch(), []
    for vector in vectors:
        with watch:
            hits = view.by_vector(vector, K, condition, settings=settings)
        found.append([hit.score for hit in hits])
    return Timed(watch.seconds, recall(found, truly))


def with_clients(served: Served, view: View, vectors: Vectors) -> Served:
    """The same with eight clients who each ask one question after the other."""

    def ask(vector: Vectors) -> float:
        began = perf_counter()
        view.by_vector(vector, K, None)
        return perf_counter() - began

    began = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        seconds = list(pool.map(ask, vectors))
    per_s = len(seconds) / (perf_counter() - began)
    return replace(served, clients=Timed(seconds), per_s=per_s)


def timed(search: Callable[..., object], questions: Sequence[object] | Vectors) -> Timed:
    """The seconds of each search, after one that does not count."""
    watch = Stopwatch()
    search(questions[0])
    for question in questions:
        with watch:
            search(question)
    return Timed(watch.seconds)


def recall(found: Sequence[Sequence[float]], nearest: Sequence[Sequence[float]] | Vectors) -> float:
    """The mean share of the true nearest, by their scores: of rows that are equally near any will do."""
    shares = []
    for scores, truly in zip(found, nearest, strict=True):
        there = [score for score in truly if np.isfinite(score)]
        shares.append(sum(score >= there[-1] - SAME for score in scores) / len(there) if there else 1.0)
    return float(np.mean(shares))


def resident() -> int:
    """Bytes of this process that are its own and in memory: what it maps of files belongs to the system's cache."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def forget_files(folder: Path) -> None:
    """Takes the files of a folder out of the system's cache."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
