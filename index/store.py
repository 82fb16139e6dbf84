"""Wires the parts of one index together; everybody opens it through here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lancedb.db import DBConnection

from index import tables
from index.answers import Answers
from index.canaries import Canaries, CanaryRuns
from index.chunks import ChunkTable, table_name
from index.errors import Conflict
from index.evaluations import Evaluations
from index.exams import Exams
from index.feedback import Feedbacks
from index.golden_sets import GoldenSets
from index.inbox import Inbox, Limits
from index.kept import Kept
from index.lease import Lease
from index.ledger import Ledger
from index.originals import Originals
from index.pictures import Pictures
from index.queries import Queries
from index.reader import Reader
from index.rebuilds import Rebuilt
from index.release_log import ReleaseLog
from index.releases import Release
from index.reports import Reports
from index.search import View
from index.vectors import HALF_PRECISION
from index.verdicts import VerdictCache


@dataclass(frozen=True, slots=True)
class Store:
    """One index: its tables, inbox and originals."""

    db: DBConnection
    folder: Path
    inbox: Inbox
    originals: Originals
    ledger: Ledger
    log: ReleaseLog
    evaluations: Evaluations
    forecasts: Reports
    drift: Reports
    recalls: Reports
    pictures: Pictures
    golden: GoldenSets
    exams: Exams
    verdicts: VerdictCache
    answers: Answers
    feedback: Feedbacks
    queries: Queries
    canaries: Canaries
    canary_runs: CanaryRuns
    index_cache: int

    def chunk_table(self, generation: str, dimensions: int, vector_bits: int = HALF_PRECISION) -> ChunkTable:
        """The rows of one generation; made on first use."""
        return ChunkTable(self.db, generation, dimensions, vector_bits)

    def existing_chunk_table(self, generation: str) -> ChunkTable:
        """The rows of a generation that some release has."""
        return self.chunk_table(generation, self._newest_of(generation).dimensions)

    def rebuilt(self, generation: str) -> Rebuilt:
        """How far the rebuild of a generation is; made on first use."""
        return Rebuilt(self.db, generation)

    def drop_generations_but(self, kept: Iterable[str]) -> None:
        """Removes what is stored of other generations."""
        tables.drop_all_but(self.db, ("chunks_", "rebuilt_"), frozenset(kept))

    def head(self, generation: str) -> View:
        """The newest rows of a generation, whether or not a release shows them, searched as its newest release would be."""
        table = tables.open_existing(self.db, table_name(generation))
        newest = self._newest_of(generation)
        shape = self.log.shape(generation)
        head = replace(newest, version=int(table.version), rows=table.count_rows(), search=shape.search if shape else {})
        return View(head, tables.dataset(table, tables.session(self.index_cache, head.rows)), ())

    def _newest_of(self, generation: str) -> Release:
        newest = next((release for release in self.log.kept() if release.generation == generation), None)
        if newest is None:
            raise Conflict(f"generation {generation} has no release any more")
        return newest

    def at(self, release: Release) -> View:
        """The rows of a release, whether or not it is servable still; opened for a look, not to be kept."""
        dataset = tables.dataset(
            tables.open_existing(self.db, table_name(release.generation)), tables.session(self.index_cache, release.rows)
        )
        return View(release, dataset.checkout_version(release.version), ())

    def lease(self, name: str) -> Lease:
        """The right to write the rows of a chunk table, by name."""
        return Lease(self.folder / "leases" / name)

    def reader(self, prepare: Callable[[Release], object] = lambda _: None, kept: Kept | None = None) -> Reader:
        """A follower of the release log with a handle of its own; for `prepare` and `kept` see `Reader`."""
        return Reader(self.db, self.log, self.ledger, self.index_cache, prepare, kept)


def open_store(uri: str, home: Path, limits: Limits | None = None, *, serves: bool = False) -> Store:
    """Opens the index at a LanceDB URI; what is missing is made.

    The inbox, the originals and the leases are files beside the tables; when the tables are in an
    object store they are kept under `home`. `limits` bound what this process lets into the inbox; one that
    `serves` searches holds the whole vector index in memory.
    """
    folder = home / "index" if "://" in uri else Path(uri)
    folder.mkdir(parents=True, exist_ok=True)
    db = tables.connect(uri)
    # On the first start several processes come here at once; none may use a table that another is still making.
    with Lease(folder / "leases" / "opening") as alone:
        alone.acquire(on_wait=lambda: None, poll_s=0.02)
        return Store(
            db=db,
            folder=folder,
            inbox=Inbox(folder / "inbox", limits),
            originals=Originals(folder / "originals"),
            ledger=Ledger(db),
            log=ReleaseLog(db),
            evaluations=Evaluations(db),
            forecasts=Reports(db, "forecasts", "forecast"),
            drift=Reports(db, "drift", "report"),
            recalls=Reports(db, "recalls", "recall"),
            pictures=Pictures(folder / "pictures"),
            golden=GoldenSets(db),
            exams=Exams(db),
            verdicts=VerdictCache(folder / "verdicts" / "verdicts.sqlite"),
            answers=Answers(folder / "answers"),
            feedback=Feedbacks(db),
            queries=Queries(db),
            canaries=Canaries(db),
            canary_runs=CanaryRuns(db),
            index_cache=tables.SERVING_CACHE if serves else tables.INDEX_CACHE,
        )
