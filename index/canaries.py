"""Canaries: questions that the platform made itself from passages it knows, and what they found, run by run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lancedb.db import DBConnection

from index import schema
from index.diary import Diary
from index.tables import one_of

Kind = Literal["heading", "definition", "terms", "sentence", "phrased"]
RUNS_KEPT = timedelta(days=90)
MOST_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class Canary:
    """A question whose answer is known: the passage of the document that holds the quote. No human judged it.

    Attributes:
        kind: what the question was made from; "phrased": a language model wrote it.
        text_hash: of the passage that it was made from.
        birth_rank: the reciprocal rank of the passage on the release that it was made on; 0: not found, so it is not asked again.
        birth_release: that release.
    """

    id: str
    question: str
    doc_id: str
    quote: str
    kind: Kind
    text_hash: str
    made_at: datetime
    birth_rank: float = 1.0
    birth_release: int = 0


@dataclass(frozen=True, slots=True)
class CanaryRun:
    """What canaries found on the live release; the three lists belong together.

    Attributes:
        canaries: their ids.
        ranks: the reciprocal rank, among the first 10, of the passage that holds the quote; 0 is a miss, NaN is unmeasured.
        best: the highest cosine similarity of a hit to the question; NaN is unmeasured.
        cpu_s: what the process computed meanwhile, in seconds, other work in it included.
    """

    at: datetime
    release: int
    canaries: tuple[str, ...]
    ranks: tuple[float, ...]
    best: tuple[float, ...]
    cpu_s: float


class Canaries:
    """The table of canaries, those that did not pass at birth among them."""

    def __init__(self, db: DBConnection) -> None:
        self._diary = Diary(db, "canaries", schema.CANARIES, "id")

    def all(self) -> list[Canary]:
        """Those that are asked, oldest first."""
        return [canary for canary in self._read() if canary.birth_rank > 0]

    def refused(self) -> list[Canary]:
        """Those that did not find their passage when they were made: so many known items are not watched."""
        return [canary for canary in self._read() if canary.birth_rank == 0]

    def write(self, canaries: Sequence[Canary]) -> None:
        """Keeps them by their id."""
        rows = [{"at" if name == "made_at" else name: value for name, value in asdict(canary).items()} for canary in canaries]
        self._diary.put(rows, "id")

    def drop(self, ids: Sequence[str]) -> int:
        """Forgets canaries; returns how many."""
        return self._diary.delete(one_of("id", ids)) if ids else 0

    def forget(self, doc_id: str) -> int:
        """Forgets what was made from a document, in each file; returns how many canaries that were."""
        return self._diary.forget(one_of("doc_id", [doc_id]))

    def fold(self) -> None:
        """Merges the small pieces that each writing leaves."""
        self._diary.fold()

    def _read(self) -> list[Canary]:
        rows = self._diary.all().to_pylist()
        return [Canary(**({name: value for name, value in row.items() if name != "at"} | {"made_at": row["at"]})) for row in rows]


class CanaryRuns:
    """The table of runs."""

    def __init__(self, db: DBConnection) -> None:
        self._diary = Diary(db, "canary_runs", schema.CANARY_RUNS, "at")

    def write(self, run: CanaryRun) -> None:
        """Keeps a run."""
        self._diary.add([asdict(run)])

    def between(self, since: datetime, until: datetime) -> list[CanaryRun]:
        """The runs at `since` or later and before `until`, oldest first."""
        return [_run(row) for row in self._diary.between(since, until).to_pylist()]

    def tail(self, count: int) -> list[CanaryRun]:
        """The newest runs, oldest first."""
        return [_run(row) for row in self._diary.tail(count).to_pylist()]

    def clean(self, older_than: datetime, most: int = MOST_RUNS) -> int:
        """Forgets what is older, and the oldest of what is more than so many; returns how many."""
        return self._diary.clean(older_than, most)

    def fold(self) -> None:
        """Merges the small pieces that each writing leaves."""
        self._diary.fold()


def _run(row: dict[str, Any]) -> CanaryRun:
    lists = {name: tuple(row[name]) for name in ("canaries", "ranks", "best")}
    return CanaryRun(**(row | lists))
