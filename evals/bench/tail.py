"""What hundreds of batches do to searches of a large index: folded as it is shipped, and never folded."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, TypeVar

import numpy as np

from evals.bench import corpus, progress
from evals.bench.figures import Case, Figure, Stopwatch, median, p50_ms, p99_ms
from evals.bench.footprint import footprint
from evals.bench.lifelike import Lifelike
from evals.bench.options import Options
from evals.bench.scale import Questions, Scaled, lifelike
from evals.bench.serving import recall
from evals.recall import K
from index.chunks import table_name
from index.documents import Draft
from index.embedder import Vectors
from index.policy import IndexPolicy
from index.reader import Reader
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.upkeep import FOLD_EVERY, Upkeep

PART = "tail"
ROWS = 50_000
BATCHES = 60
# Never folded, more of them would take hours on a large index.
NEGLECTED = 60
QUESTIONS = 400
NICENESS = 10  # of the ingester
# The API looks for new releases as often.
FOLLOW_S = 0.05
SEARCH_EVERY_S = 0.1  # one by vector and one by text
COMPARED = 50  # questions whose true nearest are looked for at the end
EDGE = 20  # batches at each end whose commits are compared

# When a search by vector and one by text were due, and the seconds that each took.
Searches = list[tuple[float, float, float]]
Done = TypeVar("Done")


class Drawn(corpus.HashingEmbedder):
    """An embedder that knows no text: each passage has another vector with the statistics of real ones."""

    def __init__(self, vectors: Lifelike) -> None:
        super().__init__(vectors.dimensions)
        self._vectors = vectors
        self._rng = np.random.default_rng(3)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The next vectors, shape (len(texts), dimensions), norm 1."""
        return self._vectors.draw(len(texts), self._rng)


@dataclass(frozen=True, slots=True)
class Pace:
    """Passages of a batch, batches between two foldings as the ingester does it, and seconds of searches before it begins."""

    passages: int = 200
    fold_every: int = FOLD_EVERY
    quiet_s: float = 30.0


@dataclass(slots=True)
class Course:
    """When the batches ended, what they took, and the seconds of the foldings beside them."""

    commits: Stopwatch = field(default_factory=Stopwatch)
    foldings: Sequence[float] = ()
    ended: list[float] = field(default_factory=list)


def tail(options: Options) -> list[Figure]:
    """`docs` batches of 200 passages on `rows` rows, folded as it is shipped, then some that are never folded.

    Another process searches by vector and by text, 10 times a second each, and follows the releases. Goals: p99 of searches while
    batches come within twice that of the folded index at rest, and commits that take as long at the end as at the start.
    """
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        return measured(Path(folder), lifelike(options), options.rows or ROWS, options.docs or BATCHES)


def measured(
    folder: Path, vectors: Lifelike, rows: int, batches: int, policy: IndexPolicy | None = None, pace: Pace | None = None
) -> list[Figure]:
    """The figures of an index that is made in this folder."""
    pace = pace or Pace()
    made = Scaled.make(folder, vectors, rows, QUESTIONS, policy)
    asked = made.questions
    with searched(folder, asked) as quiet:
        sleep(pace.quiet_s)
    rest = list(times(Case(PART, f"{rows:,} rows at rest"), quiet.result()))
    with searched(folder, asked) as cared:
        course = in_background(take, folder, vectors, "folded", batches, pace, folding=True)
    care = Case(PART, f"{batches} batches of {pace.passages}, folded as it is shipped")
    figures = [*rest, *during(care, cared.result(), course, rest), *state(care, folder, made.store, asked)]
    in_background(fold_again, folder, vectors)
    batches = min(batches, NEGLECTED)
    with searched(folder, asked) as neglected:
        course = in_background(take, folder, vectors, "never-folded", batches, pace, folding=False)
    neglect = Case(PART, f"{batches} batches of {pace.passages} that are never folded")
    return [*figures, *during(neglect, neglected.result(), course, rest), *state(neglect, folder, made.store, asked)]


def in_background(step: Callable[..., Done], *given: Any, **named: Any) -> Done:
    """What the step returns in a process of its own, which gives way to searches as the ingester does."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(NICENESS,)) as process:
        return process.submit(step, *given, **named).result()


def take(folder: Path, vectors: Lifelike, name: str, batches: int, pace: Pace, *, folding: bool) -> Course:
    """So many batches from the inbox to a release each, kept in shape as the ingester does, or not at all."""
    store, publisher, tools = opened(folder, vectors)
    upkeep = Upkeep(store, publisher, fold_every=pace.fold_every)
    course, rng = Course(), np.random.default_rng(len(name))
    for number in progress.steps("batches", range(1, batches + 1)):
        with course.commits:
            writes = store.inbox.accept(drafts(f"{name}-{number}", pace.passages, rng))
            outcomes = run_batch(store, publisher, tools, writes)
            store.inbox.acknowledge(segment.name for segment in store.inbox.segments())
        if folding:
            upkeep.note_batch(sum(outcome.written for outcome in outcomes))
            upkeep.go_on()
        course.ended.append(monotonic())
    upkeep.finish()
    course.foldings = list(upkeep.foldings)
    return course


def fold_again(folder: Path, vectors: Lifelike) -> None:
    """Takes in what came after the last folding."""
    store, publisher, _ = opened(folder, vectors)
    upkeep = Upkeep(store, publisher)
    upkeep.begin()
    upkeep.finish()


def opened(folder: Path, vectors: Lifelike) -> tuple[Store, Publisher, Tools]:
    """The index in a folder, taken over by an ingester."""
    store = open_store(str(folder), folder)
    bare = corpus.tools(vectors.dimensions)
    tools = Tools(Drawn(vectors), bare.chunker, bare.contract, near_duplicate=0.0)
    publisher = Publisher(store, tools)
    publisher.take_over()
    return store, publisher, tools


def drafts(name: str, passages: int, rng: np.random.Generator) -> list[Draft]:
    """Documents of one passage each."""
    texts = corpus.texts(passages, rng, 30)
    return [Draft(f"{name}-{number}", content=text.encode()) for number, text in enumerate(texts)]


@contextmanager
def searched(folder: Path, questions: Questions) -> Iterator[Future[Searches]]:
    """Searches the index from another process, which has loaded it before the block begins, until the block ends."""
    going = folder / "searching"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = process.submit(search_on, folder, questions, going)
        while not going.exists() and not found.done():
            sleep(FOLLOW_S)
        try:
            yield found
        finally:
            going.unlink(missing_ok=True)


def search_on(folder: Path, questions: Questions, going: Path) -> Searches:
    """One search after the other at a pace, on the release that is live, as long as the file is there."""
    reader = open_store(str(folder), folder, serves=True).reader()
    reader.follow()
    for vector, words in zip(questions.vectors, questions.words, strict=True):
        reader.view().by_vector(vector, K, None)
        reader.view().by_text(words, K, None)
    stop = Event()
    follower = Thread(target=follow, args=(reader, stop))
    follower.start()
    going.touch()
    found: Searches = []
    due = monotonic()
    while going.exists():
        sleep(max(0.0, due - monotonic()))
        place = len(found) % len(questions.words)
        reader.view().by_vector(questions.vectors[place], K, None)
        by_vector = monotonic()
        reader.view().by_text(questions.words[place], K, None)
        # Who comes late, for the search before took long, has waited too.
        found.append((due, by_vector - due, monotonic() - by_vector))
        due += SEARCH_EVERY_S
    stop.set()
    follower.join()
    return found


def follow(reader: Reader, stop: Event) -> None:
    """Takes in releases as they come."""
    while not stop.wait(FOLLOW_S):
        reader.follow()


def times(case: Case, found: Searches) -> Iterator[Figure]:
    """The median and the 99th percentile of all searches."""
    by_vector, by_text = [vector for _, vector, _ in found], [text for _, _, text in found]
    yield case.figure("searches p50", p50_ms(by_vector), "ms")
    yield case.figure("searches p99", p99_ms(by_vector), "ms")
    yield case.figure("searches by text p50", p50_ms(by_text), "ms")
    yield case.figure("searches by text p99", p99_ms(by_text), "ms")


def during(case: Case, found: Searches, course: Course, rest: Sequence[Figure]) -> Iterator[Figure]:
    """Searches beside those at rest, in all and at tenths of the way; commits and foldings."""
    yield from (figure.against(other) for figure, other in zip(times(case, found), rest, strict=True))
    ends = course.ended
    for tenth in range(10):
        first, last = (round(part * (len(ends) - 1) / 10) for part in (tenth, tenth + 1))
        between = [seconds for due, seconds, _ in found if ends[first] <= due < ends[last]]
        if between:
            yield case.figure(f"searches p50 after {last + 1} batches", p50_ms(between), "ms")
    edge = min(EDGE, len(course.commits.seconds))
    first_commits = case.figure("commit p50, first batches", p50_ms(course.commits.seconds[:edge]), "ms")
    yield first_commits
    yield case.figure("commit p50, last batches", p50_ms(course.commits.seconds[-edge:]), "ms").against(first_commits)
    if course.foldings:
        yield case.figure("folding p50", median(course.foldings), "s")
        yield case.figure("folding, the longest", max(course.foldings), "s")


def state(case: Case, folder: Path, store: Store, questions: Questions) -> Iterator[Figure]:
    """What the last release holds: rows outside of the index, recall; and the disk."""
    store.log.refresh()
    generation = store.log.get(store.log.state.newest).generation
    view = store.head(generation)
    if index := view.vector_index:
        yield case.figure("rows outside of the index", index.unindexed, "rows")
        yield case.figure("parts of the index", len(view.index_segments), "")
    asked = questions.vectors[:COMPARED]
    found = [[hit.score for hit in view.by_vector(vector, K, None)] for vector in asked]
    yield case.figure(f"recall@{K}", recall(found, view.nearest(asked, K)), "")
    size = footprint([folder / f"{table_name(generation)}.lance"])
    yield case.figure("disk", size.bytes / 1e9, "GB")
