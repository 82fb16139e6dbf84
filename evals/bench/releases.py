"""What hundreds of small batches do to an index: with maintenance as it is shipped, and without any."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np

from evals.bench import corpus
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms
from evals.bench.footprint import Footprint, footprint
from evals.bench.options import Options
from index.documents import Draft
from index.reader import Reader
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.maintain import maintain
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.retrieve import Query, retrieve
from tasks.upkeep import FOLD_EVERY

PART = "releases"
BATCHES = 500
DOCUMENTS_PER_BATCH = 20
ROWS = 20_000
# As the ingester folds; the `maintain` flow runs every quarter of an hour, in which a hundred batches come on a busy day.
MAINTAIN_EVERY = 100
EDGE = 20  # batches at each end that are looked at closely
QUESTION_WORDS = 5
LOG = "releases.lance"


@dataclass(slots=True)
class Course:
    """One index on its way through the batches, and how long everything took."""

    folder: Path
    tools: Tools
    store: Store
    publisher: Publisher
    reader: Reader
    commits: Stopwatch = field(default_factory=Stopwatch)
    upkeep: Stopwatch = field(default_factory=Stopwatch)
    first_searches: Stopwatch = field(default_factory=Stopwatch)
    searches: Stopwatch = field(default_factory=Stopwatch)
    footprints: list[Footprint] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, tools: Tools) -> Self:
        """Takes over the index in a folder, and follows it with a reader of its own."""
        store = open_store(str(folder), folder)
        publisher = Publisher(store, tools)
        publisher.take_over()
        reader = open_store(str(folder), folder).reader()
        return cls(folder, tools, store, publisher, reader)

    def tables(self) -> list[Path]:
        """The folders of all tables but the release log."""
        return [table for table in self.folder.glob("*.lance") if table.name != LOG]

    def ingest(self, drafts: Sequence[Draft]) -> None:
        """Makes one release of the drafts."""
        writes = self.store.inbox.accept(drafts)
        with self.commits:
            run_batch(self.store, self.publisher, self.tools, writes)
        self.store.inbox.acknowledge(segment.name for segment in self.store.inbox.segments())

    def fold(self) -> None:
        """What the ingester does now and then."""
        self.publisher.table.fold()
        self.store.ledger.fold()
        self.publisher.publish_maintenance()

    def maintain(self) -> None:
        """What the `maintain` flow does. The grace it leaves to readers is longer than a benchmark: here it is over at once."""
        maintain(self.store, datetime.now(UTC))
        self.publisher.table.clean(timedelta(0))
        self.store.ledger.clean(timedelta(0))

    def search(self, questions: Sequence[str]) -> None:
        """Hybrid searches on the live release; the first after a new one opens it, and is counted apart."""
        self.reader.follow()
        for question, watch in zip(questions, (self.first_searches, *[self.searches] * len(questions)), strict=False):
            with watch:
                retrieve(self.reader, self.tools.embedder, Query(question))


def releases(options: Options) -> list[Figure]:
    """Search and commit times at the start and the end, and what is on disk then. `docs` counts batches, `rows` the first chunks.

    The indexes get the same batches in turn, and an untouched copy is searched at the same time as they
    are, so that whatever else the machine does meanwhile slows all of them. By the end the maintained one holds
    half as many rows again as the copy, so some growth is the scan's, not the batches'. The one without
    maintenance gets only half of the batches: it is slow enough by then to take half of the time.
    """
    batches, rows = options.docs or BATCHES, options.rows or ROWS
    with TemporaryDirectory(prefix="groundwork-bench-") as name:
        folder = Path(name)
        untouched = start(folder / "untouched", rows)
        maintained, neglected = (copy(untouched, folder / kept) for kept in ("maintained", "neglected"))
        run(untouched, maintained, neglected, batches)
        before = Case(PART, "before the batches").figure("search p50", p50_ms(untouched.searches.seconds), "ms")
        neglect = Case(PART, f"{len(neglected.commits.seconds)} batches without maintenance")
        baseline = [*times(neglect, neglected, before), *sizes(neglect, neglected)]
        care = Case(PART, f"{batches} batches with maintenance")
        slower, *others = times(care, maintained, before)
        beside = [figure.against(other) for figure, other in zip(others, baseline[1:], strict=False)]
        measured = [slower, *beside, care.figure("upkeep", sum(maintained.upkeep.seconds), "s"), *sizes(care, maintained)]
    return [before, *measured, *baseline]


def start(folder: Path, rows: int) -> Course:
    """An index that holds `rows` chunks and has just been folded."""
    rng = np.random.default_rng(1)
    course = Course.open(folder, corpus.tools())
    passages = corpus.texts(rows, rng)
    corpus.fill(course.store, course.publisher, passages, course.tools.embedder.embed(passages))
    course.fold()
    return course


def copy(course: Course, folder: Path) -> Course:
    """The same index in another folder."""
    shutil.copytree(course.folder, folder)
    return Course.open(folder, course.tools)


def run(untouched: Course, maintained: Course, neglected: Course, batches: int) -> None:
    """Takes the batches into two of the indexes; searches all three over the last of them."""
    rng = np.random.default_rng(2)
    for number in range(1, batches + 1):
        drafts = corpus.drafts(DOCUMENTS_PER_BATCH, f"batch-{number}", rng)
        questions = corpus.texts(3, rng, QUESTION_WORDS)
        for course in (maintained, neglected)[: 2 if number <= max(1, batches // 2) else 1]:
            course.ingest(drafts)
        if number > batches - EDGE:
            for course in (untouched, maintained, neglected):
                course.search(questions)
        with maintained.upkeep:
            if number % FOLD_EVERY == 0:
                maintained.fold()
            if number % MAINTAIN_EVERY == 0:
                maintained.maintain()
        if number % MAINTAIN_EVERY == 0:
            for course in (maintained, neglected):
                course.footprints.append(footprint(course.tables()))


def times(case: Case, course: Course, before: Figure) -> list[Figure]:
    """How long searches and commits took."""
    commits = course.commits.seconds
    edge = min(EDGE, len(commits))
    return [
        case.figure("search p50", p50_ms(course.searches.seconds), "ms").against(before),
        case.figure("first search on a release p50", p50_ms(course.first_searches.seconds), "ms"),
        case.figure("commit p50, first batches", p50_ms(commits[:edge]), "ms"),
        case.figure("commit p50, last batches", p50_ms(commits[-edge:]), "ms"),
    ]


def sizes(case: Case, course: Course) -> list[Figure]:
    """What is on disk at the end, and how many files were there after the first maintenance."""
    size, log = footprint(course.tables()), footprint([course.folder / LOG])
    return [
        *(case.figure(f"files after {MAINTAIN_EVERY} batches", early.files, "files") for early in course.footprints[:1]),
        case.figure("files", size.files, "files"),
        case.figure("versions", size.versions, "versions"),
        case.figure("tags", size.tags, "tags"),
        case.figure("disk", size.bytes / 1e6, "MB"),
        # Its versions are kept for 10 minutes whatever happens: as many as come in that time.
        case.figure("files of the release log", log.files, "files"),
    ]
