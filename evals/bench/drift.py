"""Real documents that change: people ask about a version that is not in the index yet; then it is swept in."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from evals.alarms import Check
from evals.bench.figures import Case, Figure
from evals.bench.options import Options
from evals.canaries import make
from evals.monitors import look
from index.documents import Draft
from index.embedder import open_embedder
from index.errors import Misconfigured
from index.queries import Asked
from index.search import Reader
from index.settings import Settings
from index.store import Store, open_store
from tasks.batch import run_batch
from tasks.chunk import Chunker
from tasks.prepare import Tools
from tasks.publish import Publisher
from tasks.retrieve import Query, Retrieved, retrieve
from tasks.validate import Contract
from tasks.wording import wording

PART = "drift"
DOCS, QUERIES = "docs.jsonl.gz", "queries.jsonl"
DAYS = 14
QUESTIONS_A_DAY = 60
LATER_DAYS = 3
DAY = timedelta(days=1)
TARGET = 0.95


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The documents of a version, and the questions whose answer is in it for the first time."""

    documents: Mapping[str, Draft]
    questions: Sequence[str]


@dataclass(slots=True)
class Life:
    """An index, people who ask, and a clock."""

    store: Store
    publisher: Publisher
    tools: Tools
    reader: Reader
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _found: dict[tuple[int, str], Retrieved] = field(default_factory=dict)

    def sweep(self, before: Mapping[str, Draft], after: Mapping[str, Draft]) -> None:
        """Puts what is new or changed, deletes what is gone."""
        changed = [draft for doc_id, draft in after.items() if before.get(doc_id) != draft]
        gone = [Draft(doc_id, "delete") for doc_id in before.keys() - after.keys()]
        writes = self.store.inbox.accept([*changed, *gone])
        run_batch(self.store, self.publisher, self.tools, writes)
        self.store.inbox.acknowledge(segment.name for segment in self.store.inbox.segments())
        self.publisher.table.fold()
        self.publisher.publish_maintenance()
        self.reader.follow()

    def ask(self, texts: Sequence[str]) -> float:
        """A day's questions, kept as the API keeps them; returns their mean best similarity."""
        self.at += DAY
        rows = [self._asked(text, number) for number, text in enumerate(texts)]
        self.store.queries.write(rows)
        return float(np.mean([row.best for row in rows if row.best is not None]))

    def check(self) -> Check:
        """What the monitors say now."""
        self.at += timedelta(minutes=1)
        return look(self.store, self.reader, self.tools.embedder, self.at, TARGET)

    def _asked(self, text: str, number: int) -> Asked:
        live = self.reader.view().release.number
        if (live, text) not in self._found:
            self._found[live, text] = retrieve(self.reader, self.tools.embedder, Query(text))
        found = self._found[live, text]
        words = wording(text, self.tools.embedder.tokenizer())
        return Asked(
            id=f"{self.at.timestamp()}-{number}",
            at=self.at - timedelta(seconds=number),
            text=text,
            vector=found.vector,
            mode="hybrid",
            release=live,
            k=10,
            filtered=False,
            hits=len(found.hits),
            best=found.best,
            scores=(),
            doc_ids=(),
            kind="search",
            grounded=None,
            answer_id=None,
            language=words.language,
            tokens=words.tokens,
            unknown=words.unknown,
            key="bench",
            embedder=self.tools.embedder.fingerprint,
        )


def drift(options: Options) -> list[Figure]:
    """`DATA=folder/OLD:NEW`, two snapshots in a folder that has `queries.jsonl` and, in each snapshot's folder, `docs.jsonl.gz`.

    Two weeks of questions about the old one; a day on which half of the questions are about the new one; then it is swept in,
    and for three days all questions are about it.
    """
    old, new = snapshots(options.data)
    with TemporaryDirectory(prefix="groundwork-bench-") as name:
        folder = Path(name)
        embedder = open_embedder(None, Settings().home)
        tools = Tools(embedder, Chunker(embedder.tokenizer(), embedder.max_tokens), Contract(embedder.dimensions, embedder.max_tokens))
        store = open_store(str(folder), folder)
        publisher = Publisher(store, tools)
        publisher.take_over()
        life = Life(store, publisher, tools, open_store(str(folder), folder).reader())
        return lived(life, old, new)


def lived(life: Life, old: Snapshot, new: Snapshot) -> list[Figure]:
    """The figures of one course of things."""
    rng = np.random.default_rng(1)
    life.sweep({}, old.documents)
    familiar = [*old.questions, *_made(life)]
    usual = [life.ask(_some(rng, familiar, QUESTIONS_A_DAY)) for _ in range(DAYS)]
    quiet = life.check()
    half = QUESTIONS_A_DAY // 2
    news = list(new.questions)
    fallen = life.ask([*_some(rng, familiar, half), *_some(rng, news, half)])
    alarmed = life.check()
    life.sweep(old.documents, new.documents)
    checks, mended = [], []
    for _ in range(LATER_DAYS):
        mended.append(life.ask(_some(rng, news, QUESTIONS_A_DAY)))
        checks.append(life.check())
    over = checks[-1]
    return _figures(
        Case(PART, f"{len(old.documents)} documents, then {len(new.documents)}"),
        (usual, fallen, float(np.mean(mended))),
        (quiet, alarmed, over),
    )


def _figures(case: Case, scores: tuple[Sequence[float], float, float], checks: tuple[Check, Check, Check]) -> list[Figure]:
    usual, fallen, mended = scores
    quiet, alarmed, over = (sorted(status.name for status in check.monitors if status.state == "alarm") for check in checks)
    for status in checks[1].monitors:
        if status.state == "alarm":
            print(f"{status.name}: {status.detail}; {status.cause}; {', '.join(status.examples[:8])}")
    base = case.figure("best similarity, usual", float(np.mean(usual)), "")
    return [
        base,
        case.figure("best similarity, new questions come in", fallen, "").against(base),
        case.figure("best similarity, new documents swept in", mended, "").against(base),
        case.figure("alarms before", len(quiet), "alarms"),
        case.figure(f"alarms when they come ({', '.join(alarmed)})", len(alarmed), "alarms"),
        case.figure(f"alarms three days after the sweep ({', '.join(over)})", len(over), "alarms"),
    ]


def snapshots(data: Path | None) -> tuple[Snapshot, Snapshot]:
    """The two that are named; raises `Misconfigured` when they are not there."""
    if data is None or ":" not in data.name:
        raise Misconfigured("DATA= must name a folder and two of its snapshots: folder/OLD:NEW")
    try:
        old, new = (_snapshot(data.parent, name) for name in data.name.split(":", 1))
    except (OSError, ValueError, KeyError) as error:
        raise Misconfigured(f"{data} can't be read as two snapshots: {error}") from error
    return old, new


def _snapshot(folder: Path, name: str) -> Snapshot:
    with gzip.open(folder / name / DOCS, "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    drafts = {
        row["doc_id"]: Draft(row["doc_id"], media_type="text/markdown", content=row["text"].encode(), title=row["title"]) for row in rows
    }
    asked = (json.loads(line) for line in (folder / QUERIES).read_text(encoding="utf-8").splitlines())
    return Snapshot(drafts, [row["text"] for row in asked if row["target_first_in"] == name])


def _made(life: Life) -> Iterator[str]:
    """Questions that the documents of now answer, as the platform makes them."""
    view = life.reader.view()
    chunks = [chunk for doc_id in sorted(view.passages()) for chunk in view.chunks_of(doc_id)]
    return (canary.question for canary in make(chunks, life.at, view.release.number, set()))


def _some(rng: np.random.Generator, texts: Sequence[str], count: int) -> list[str]:
    return [texts[place] for place in rng.integers(len(texts), size=count)]
