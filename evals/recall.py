"""Recall of the approximate search: how many of the true nearest passages it finds, on questions like those that people ask."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

import numpy as np

from evals.intervals import Interval, mean_interval
from index.embedder import Embedder, Vectors
from index.golden_sets import GoldenSets
from index.policy import SearchSettings
from index.search import View
from tasks import golden

K = 10
# Scores that differ by less are the same: sums in another order.
SAME = 1e-5
SHORTEST, LONGEST = 3, 14  # words of a question
_SENTENCE = re.compile(r"[^.!?\n|#*`]+")


@dataclass(frozen=True, slots=True)
class Probe:
    """Questions as vectors, shape (questions, dimensions), and the scores of the true nearest passages of each, shape (questions, k)."""

    vectors: Vectors
    nearest: Vectors


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@10 over the questions of a probe, and the milliseconds of one search."""

    settings: SearchSettings | None
    recall: Interval
    p50_ms: float
    p95_ms: float


def questions(view: View, embedder: Embedder, count: int, stored: GoldenSets | None = None) -> Vectors:
    """Vectors of questions to measure with, shape (count or fewer, dimensions): golden ones about what is there, then known items.

    Golden questions are as people ask them, but there are few, and on many an index none. `stored`: the sets of the index.
    """
    asked = np.array([embedder.embed_query(text) for text in islice(golden_questions(view, stored), count)], np.float32)
    asked = asked.reshape(-1, embedder.dimensions)
    missing = count - len(asked)
    return np.concatenate([asked, known_items(view, embedder, missing)]) if missing else asked


def golden_questions(view: View, stored: GoldenSets | None = None) -> Iterator[str]:
    """The questions of all golden sets whose answer is in a document of the release."""
    names = [each.golden.name for each in golden.sets(stored) if each.golden.questions]
    found = (question for name in names for question in golden.questions(stored, name))
    return (each.question for each in found if any(view.chunks_of(passage.doc_id) for passage in each.passages))


def known_items(view: View, embedder: Embedder, count: int) -> Vectors:
    """Vectors of short sentences that stand in passages all over the index: questions whose answers are known to be there.

    Fewer than `count` where there are fewer passages with a sentence of 3 to 14 words.
    """
    found = (sentence(text) for text in view.sample_texts(2 * count))
    texts = [text for text in found if text][:count]
    return np.stack([embedder.embed_query(text) for text in texts]) if texts else np.zeros((0, embedder.dimensions), np.float32)


def sentence(text: str) -> str | None:
    """The longest sentence of the text that is as long as a question, None when there is none."""
    sentences = (" ".join(part.split()[:LONGEST]) for part in _SENTENCE.findall(text))
    fitting = [part for part in sentences if len(part.split()) >= SHORTEST]
    return max(fitting, key=len, default=None)


def probe(view: View, vectors: Vectors, k: int = K) -> Probe:
    """The true nearest passages of each vector: reads every vector of the release once, in bounded memory."""
    return Probe(vectors, view.nearest(vectors, k))


def measure(view: View, probe: Probe, settings: SearchSettings | None = None, k: int = K) -> Recall:
    """Searches for each question as a user would; `settings` instead of those of the release.

    A hit counts when it is as near as the last of the true nearest (Aumüller, Bernhardsson and Faithfull, ANN-Benchmarks, 2020):
    of passages that say the same, any will do.
    """
    shares, seconds = [], []
    for vector, nearest in zip(probe.vectors, probe.nearest, strict=True):
        began = perf_counter()
        hits = view.by_vector(vector, k, None, settings=settings)
        seconds.append(perf_counter() - began)
        there = nearest[np.isfinite(nearest)]
        shares.append(sum(hit.score >= there[-1] - SAME for hit in hits) / len(there))
    p50, p95 = np.percentile(seconds, (50, 95)) * 1000 if seconds else (0.0, 0.0)
    return Recall(settings, mean_interval(shares), float(p50), float(p95))
