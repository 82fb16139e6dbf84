"""Thousands of batches with folding and retention as they are shipped: the disk, the files, and every release that is kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import numpy as np

from evals.bench import corpus, progress
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms
from evals.bench.footprint import footprint
from evals.bench.options import Options
from evals.recall import K
from index.chunks import table_name
from index.documents import Draft
from index.errors import NotFound, Unavailable
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.upkeep import FOLD_EVERY, Upkeep

PART = "retention"
BATCHES = 500
NEW, CHANGED, GONE = 14, 4, 2  # documents of a batch
WORDS = 60
LOOKED_AT_EVERY = 50  # batches
ASKED = 100  # documents of each release
EDGE = 50  # batches at each end whose commits are compared


@dataclass(slots=True)
class Life:
    """Documents that come, change and go; what each release should show of them."""

    rng: np.random.Generator
    alive: list[str] = field(default_factory=list)
    made: int = 0
    changes: list[tuple[int, dict[str, str | None]]] = field(default_factory=list)

    def drafts(self) -> list[Draft]:
        """The next batch: new documents, new texts of some, and deletions."""
        texts = corpus.texts(NEW + CHANGED, self.rng, WORDS)
        gone = [self._drawn(remove=True) for _ in range(GONE) if len(self.alive) > GONE + CHANGED]
        changed = {self._drawn() for _ in range(CHANGED) if self.alive}
        new = [f"d{number}" for number in range(self.made, self.made + NEW)]
        self.made += NEW
        self.alive += new
        written = dict(zip([*new, *changed], texts, strict=False))
        self.changes.append((0, written | dict.fromkeys(gone)))
        puts = [Draft(doc_id, content=text.encode()) for doc_id, text in written.items()]
        return [*puts, *(Draft(doc_id, "delete") for doc_id in gone)]

    def released(self, number: int) -> None:
        """The newest batch is in this release."""
        self.changes[-1] = (number, self.changes[-1][1])

    def shown(self, releases: list[int]) -> Iterator[tuple[int, dict[str, str]]]:
        """What each of these releases shows: the texts as of then, without what has been deleted since."""
        deleted = {doc_id for _, changes in self.changes for doc_id, text in changes.items() if text is None}
        texts: dict[str, str] = {}
        waiting = iter(self.changes)
        number, changes = next(waiting, (0, {}))
        for release in sorted(releases):
            while changes and number <= release:
                texts |= {doc_id: text for doc_id, text in changes.items() if text is not None}
                number, changes = next(waiting, (0, {}))
            yield release, {doc_id: text for doc_id, text in texts.items() if doc_id not in deleted}

    def _drawn(self, *, remove: bool = False) -> str:
        place = int(self.rng.integers(len(self.alive)))
        if not remove:
            return self.alive[place]
        self.alive[place], self.alive[-1] = self.alive[-1], self.alive[place]
        return self.alive.pop()


def retention(options: Options) -> list[Figure]:
    """`docs` batches of 14 new, 4 changed and 2 deleted documents. Goals: disk at most twice that of the newest rows; no wrong release."""
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        return measured(Path(folder), options.docs or BATCHES)


def measured(folder: Path, batches: int, fold_every: int = FOLD_EVERY) -> list[Figure]:
    """The figures of an index that is made in this folder."""
    store = open_store(str(folder), folder)
    bare = corpus.tools()
    tools = Tools(bare.embedder, bare.chunker, bare.contract, near_duplicate=0.0)
    publisher = Publisher(store, tools)
    publisher.take_over()
    upkeep = Upkeep(store, publisher, fold_every=fold_every)
    life, commits, sizes = Life(np.random.default_rng(1)), Stopwatch(), [(0, 1)]
    began = monotonic()
    for number in progress.steps("batches", range(1, batches + 1)):
        with commits:
            writes = store.inbox.accept(life.drafts())
            outcomes = run_batch(store, publisher, tools, writes)
            store.inbox.acknowledge(segment.name for segment in store.inbox.segments())
        life.released(store.log.state.newest)
        upkeep.note_batch(sum(outcome.written for outcome in outcomes))
        upkeep.go_on()
        if number % LOOKED_AT_EVERY == 0:
            sizes.append(disk(store, publisher.table.generation))
    seconds = monotonic() - began
    upkeep.finish()
    sizes.append(disk(store, publisher.table.generation))
    return list(figures(folder, life, commits, sizes, batches / seconds))


def disk(store: Store, generation: str) -> tuple[int, int]:
    """Bytes of a table, and those of them that its newest rows need."""
    head = store.head(generation)
    whole = head.footprint()
    return whole.bytes, sum(head.files(whole).values())


def figures(folder: Path, life: Life, commits: Stopwatch, sizes: list[tuple[int, int]], per_s: float) -> Iterator[Figure]:
    """Times, the disk, and whether every release that is kept shows what it should."""
    case = Case(PART, f"{len(commits.seconds):,} batches of {NEW + CHANGED + GONE}")
    edge = min(EDGE, len(commits.seconds))
    first = case.figure("commit p50, first batches", p50_ms(commits.seconds[:edge]), "ms")
    yield case.figure("batches", per_s, "batches/s")
    yield first
    yield case.figure("commit p50, last batches", p50_ms(commits.seconds[-edge:]), "ms").against(first)
    newest = Case(PART, "the newest rows").figure("disk", sizes[-1][1] / 1e6, "MB")
    yield newest
    yield case.figure("disk", sizes[-1][0] / 1e6, "MB").against(newest)
    # Below `Retention.disk_mb` there is no bound.
    yield case.figure("disk, most", max(sizes)[0] / 1e6, "MB")
    store = open_store(str(folder), folder)
    generation = store.log.get(store.log.state.newest).generation
    files = footprint([folder / f"{table_name(generation)}.lance"])
    yield case.figure("files", files.files, "files")
    yield case.figure("versions", files.versions, "versions")
    kept = [release.number for release in store.log.kept()]
    yield case.figure("releases", store.log.state.newest, "releases")
    yield case.figure("releases kept", len(kept), "releases")
    yield case.figure("kept releases that are wrong or fail", sum(not fine for fine in checked(store, life, kept)), "releases")


def checked(store: Store, life: Life, kept: list[int]) -> Iterator[bool]:
    """Whether each release serves: some documents with the text as of then, none that is deleted, and a search by vector."""
    reader = store.reader()
    reader.follow()
    question = corpus.HashingEmbedder().embed_query("w1 w2 w3")
    for number, texts in progress.steps("releases", list(life.shown(kept))):
        asked = life.rng.integers(life.made, size=ASKED)
        wanted: Mapping[str, list[str]] = {f"d{place}": [texts[f"d{place}"]] if f"d{place}" in texts else [] for place in asked}
        try:
            view = reader.view(number)
            found = {doc_id: [chunk.text for chunk in view.chunks_of(doc_id)] for doc_id in wanted}
            hits = view.by_vector(question, K, None)
        except (OSError, RuntimeError, ValueError, NotFound, Unavailable):
            yield False
            continue
        yield found == wanted and len(hits) == min(K, view.release.rows)
