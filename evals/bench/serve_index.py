"""An index of any size for the API to serve, with real words and lifelike vectors, put there without the pipeline."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from evals.bench import corpus
from evals.bench.figures import Stopwatch
from evals.bench.lifelike import SLICE, Hardness, Lifelike
from evals.bench.scale import Questions, Scaled
from evals.bench.variants import Variants, passages
from evals.recall import K, Probe
from index.embedder import Vectors, open_embedder
from index.policy import index_policy
from index.store import Store, open_store
from tasks.publish import Publisher

REAL = 1_000
TUNED_ON = 100
QUESTION_WORDS = 8


@dataclass(frozen=True, slots=True)
class Filled:
    """A home with an index of one release, and questions that nobody has asked yet."""

    home: Path
    questions: Sequence[str]


def filled(home: Path, rows: int, questions: int, data: Path | None = None, copy: Path | None = None) -> Filled:
    """An index of so many passages of varied real text, with vectors like those of the bundled model, as maintenance leaves it.

    `copy` gets `texts.json` and `vectors.npy`, for another system.
    """
    rng = np.random.default_rng(1)
    known = passages(data)
    embedder = open_embedder(None, home)
    vectors = Lifelike(embedder.embed(known[:REAL]))
    store = open_store(str(home / "index"), home, serves=True)
    policy = index_policy(None)
    publisher = Publisher(store, replace(corpus.tools(), embedder=embedder, vector_bits=policy.vector_bits))
    publisher.take_over()
    texts = _texts(known, rows)
    drawn = vectors.draw(rows, rng)
    corpus.pour(store, publisher, ((texts[start : start + SLICE], drawn[start : start + SLICE]) for start in range(0, rows, SLICE)))
    settle(store, publisher, home, vectors, rng)
    if copy:
        _write(copy, texts, drawn)
    return Filled(home, _questions(known, questions, rng))


def settle(store: Store, publisher: Publisher, home: Path, vectors: Lifelike, rng: np.random.Generator) -> None:
    """Folds what was filled, and makes and tunes its vector index, as maintenance does."""
    publisher.table.fold()
    publisher.publish_maintenance()
    asked = vectors.draw(TUNED_ON, rng)
    nearest = store.head(publisher.table.generation).nearest(asked, K)
    nothing = Questions(asked, (), nearest)
    made = Scaled(home, store, publisher, nothing, Hardness(0, 0, 0), Stopwatch(), Stopwatch(), Stopwatch())
    made.settle(index_policy(None), Probe(asked, nearest))


def _texts(known: Sequence[str], rows: int) -> list[str]:
    return list(islice(Variants(known), rows))


def _questions(known: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Runs of words of the texts, each only once: none is in a cache."""
    found: dict[str, None] = {}
    for text in cycle(known):
        words = text.split()
        start = int(rng.integers(max(1, len(words) - QUESTION_WORDS)))
        found[" ".join(words[start : start + QUESTION_WORDS]) + f" {len(found)}"] = None
        if len(found) >= count:
            break
    return list(found)


def _write(folder: Path, texts: Sequence[str], vectors: Vectors) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    np.save(folder / "vectors.npy", vectors)
