"""An index of any size for measuring searches: made as the platform makes it, its questions with their true answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from evals.bench import corpus
from evals.bench.figures import Stopwatch
from evals.bench.lifelike import SLICE, Hardness, Lifelike, hardness
from evals.bench.options import Options
from evals.bench.variants import passages
from evals.recall import K, Probe
from evals.tune import Tuning, note, tune
from index.embedder import Vectors, open_embedder
from index.policy import IndexPolicy, index_policy
from index.releases import Shape
from index.settings import Settings
from index.store import Store, open_store
from tasks.publish import Publisher
from tasks.reindex import reindex

REAL = 2_000
TUNED_ON = 200
WORDS = 30
QUESTION_WORDS = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """Asked of the index after it was tuned: vectors and words, and the scores of the true nearest passages of each vector."""

    vectors: Vectors
    words: Sequence[str]
    nearest: Vectors


@dataclass(slots=True)
class Scaled:
    """An index with made-up rows, folded, with the vector index and the search settings that the platform finds by itself."""

    folder: Path
    store: Store
    publisher: Publisher
    questions: Questions
    hardness: Hardness
    filling: Stopwatch
    building: Stopwatch
    tuning: Stopwatch
    shape: Shape | None = None
    tuned: Tuning | None = None

    @classmethod
    def make(cls, folder: Path, vectors: Lifelike, rows: int, questions: int, policy: IndexPolicy | None = None) -> Self:
        """Fills and tunes an index; the questions of the tuner are others than those that are kept."""
        rng = np.random.default_rng(1)
        asked = vectors.draw(TUNED_ON + questions, rng)
        words = corpus.texts(questions, rng, QUESTION_WORDS)
        store = open_store(str(folder), folder, serves=True)
        policy = policy or index_policy(Settings().index_policy)
        publisher = Publisher(store, replace(corpus.tools(vectors.dimensions), vector_bits=policy.vector_bits))
        publisher.take_over()
        filling, building, tuning = Stopwatch(), Stopwatch(), Stopwatch()
        with filling:
            corpus.pour(store, publisher, _slices(vectors, rows, rng))
            publisher.table.fold()
            publisher.publish_maintenance()
        generation = publisher.table.generation
        nearest = store.head(generation).nearest(asked, K)
        drawn = vectors.draw(SLICE, rng)
        hard = hardness(nearest, drawn, asked[:TUNED_ON], rng)
        known = Questions(asked[TUNED_ON:], words, nearest[TUNED_ON:])
        made = cls(folder, store, publisher, known, hard, filling, building, tuning)
        made.settle(policy, Probe(asked[:TUNED_ON], nearest[:TUNED_ON]))
        return made

    def settle(self, policy: IndexPolicy, exam: Probe) -> None:
        """Makes the index that the policy asks for, and tunes it, as maintenance does."""
        generation = self.publisher.table.generation
        with self.building:
            self.shape = reindex(self.store, self.publisher.table, policy)
        if self.shape is None:
            return
        view = self.store.head(generation)
        view.prewarm()
        with self.tuning:
            self.tuned = tune(view, exam, self.shape.partitions, policy.recall_target)
        note(self.store, generation, view.release.rows, self.tuned)
        self.publisher.publish_maintenance()


def lifelike(options: Options) -> Lifelike:
    """Vectors like those of the bundled model for pieces of the sample, or of the documents in a BEIR folder.

    Of other dimensions than the model's they are those of a piece and the following ones side by side, as many as it takes.
    """
    real = open_embedder(None, Settings().home).embed(passages(options.data)[:REAL])
    dimensions = options.dims or real.shape[1]
    following = [np.roll(real, -place, axis=0) for place in range(-(-dimensions // real.shape[1]))]
    return Lifelike(corpus.unit(np.hstack(following)[:, :dimensions]))


def rows_of(options: Options, rows: int) -> str:
    """How many rows there are, and of which dimensions, where that is not the model's."""
    return f"{rows:,} rows" + (f" x {options.dims}" if options.dims else "")


def _slices(vectors: Lifelike, rows: int, rng: np.random.Generator) -> Iterator[tuple[list[str], Vectors]]:
    for drawn in vectors.slices(rows, rng):
        yield corpus.texts(len(drawn), rng, WORDS), drawn
