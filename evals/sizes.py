"""What indexes of several sizes do on this machine: measured on sub-samples of the rows that are there."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from evals.capacity import Sized
from evals.recall import Probe, measure, probe
from evals.tune import tune
from index.embedder import Vectors
from index.policy import IndexPolicy
from index.search import View
from index.subsample import Subsample
from tasks.reindex import centres_for

SMALLEST, LARGEST = 4_000, 500_000
SIZES = 5
ROUNDS = 3


def sizes_of(rows: int, largest: int = LARGEST) -> list[int]:
    """The sizes to measure: five of them, each half of the next, up to all rows; fewer where those would be too small."""
    top = min(rows, largest)
    return [size for size in (top >> halvings for halvings in reversed(range(SIZES))) if size >= SMALLEST]


def measured(
    view: View,
    questions: Vectors,
    sizes: Sequence[int],
    policy: IndexPolicy,
    scratch: Path,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Sized]:
    """Indexes and searches a sub-sample of each size, one after the other, each at the recall target.

    Args:
        view: the release to draw from.
        questions: vectors, shape (questions, dimensions); half of them find the settings, the others are timed.
        sizes: how many rows.
        policy: how the index is made; even where it would not have made one yet.
        scratch: a folder for the sub-samples, which are gone afterwards.
        progress: is told each size before it is measured.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        progress(size)
        with TemporaryDirectory(dir=scratch) as folder:
            yield _measured(Subsample.of(view, size, Path(folder)), questions, policy, view.bytes_per_row())


def _measured(part: Subsample, questions: Vectors, policy: IndexPolicy, row_bytes: float) -> Sized:
    rows = part.count()
    began = perf_counter()
    centres = centres_for(part, rows, policy)
    part.build_vector_index(centres, max(1, policy.bits))
    built = perf_counter() - began
    view = part.view()
    view.prewarm()
    known = probe(view, questions)
    half = len(questions) // 2
    exam, others = (Probe(questions[part], known.nearest[part]) for part in (slice(None, half), slice(half, None)))
    settings = tune(view, exam, len(centres), policy.recall_target).chosen.settings
    times = [measure(view, others, settings) for _ in range(ROUNDS)]
    p50, p95 = median(found.p50_ms for found in times), median(found.p95_ms for found in times)
    return Sized(rows, p50, p95, built, part.index_bytes(), round(rows * row_bytes))
