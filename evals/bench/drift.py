"""Real documents that change: people ask about a version that is not in the index yet; then it is swept in."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from evals.alarms import Check, Status
from evals.bench.figures import Case, Figure
from evals.bench.options import Options
from evals.canaries import OF_A_DOCUMENT, make
from evals.monitors import look
from index.documents import Draft
from index.embedder import open_embedder
from index.errors import Misconfigured
from index.queries import Asked
from index.reader import Reader
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
DAYS, LATER_DAYS = 14, 3
HOURS = 24
QUESTIONS_AN_HOUR = 4
HOUR = timedelta(hours=1)
TARGET = 0.95


@dataclass(frozen=True, slots=True)
class Known:
    """A question, and the documents of any version that answer it."""

    text: str
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The documents of a version, and the questions that they answer."""

    documents: Mapping[str, Draft]
    answered: Sequence[Known]


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

    def ask(self, asked: Sequence[Known], hours: int) -> list[bool]:
        """Questions over some hours, kept as the API keeps them; returns of each whether a document that answers it was found."""
        step = hours * HOUR / len(asked)
        rows = [self._asked(known.text, self.at + place * step) for place, known in enumerate(asked)]
        self.store.queries.write(rows)
        self.at += hours * HOUR
        return [self.finds(known) for known in asked]

    def finds(self, known: Known) -> bool:
        """Whether one of the first ten passages is of a document that answers the question."""
        return any(hit.chunk.doc_id in known.documents for hit in self._search(known.text).hits)

    def check(self) -> Check:
        """What the monitors say now."""
        return look(self.store, self.reader, self.tools.embedder, self.at, TARGET)

    def _search(self, text: str) -> Retrieved:
        live = self.reader.view().release.number
        if (live, text) not in self._found:
            self._found[live, text] = retrieve(self.reader, self.tools.embedder, Query(text))
        return self._found[live, text]

    def _asked(self, text: str, at: datetime) -> Asked:
        found = self._search(text)
        words = wording(text, self.tools.embedder.tokenizer())
        return Asked(
            id=f"{at.timestamp()}",
            at=at,
            text=text,
            vector=found.vector,
            mode="hybrid",
            release=self.reader.view().release.number,
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


@dataclass(slots=True)
class Watch:
    """Checks and what came of them: how long after its beginning each alarm was raised, and was over."""

    life: Life
    began: datetime
    raised: dict[str, float] = field(default_factory=dict)
    over: dict[str, float] = field(default_factory=dict)
    alarms: dict[str, Status] = field(default_factory=dict)
    scores: list[bool] = field(default_factory=list)

    def ask(self, asked: Sequence[Known], hours: int = 1) -> Check:
        """Some hours with their questions, and the check at their end."""
        self.scores += self.life.ask(asked, hours)
        check = self.life.check()
        since = (check.at - self.began) / HOUR
        self.raised |= dict.fromkeys(check.opened, since)
        self.over |= dict.fromkeys(check.closed, since)
        # The fullest one: the first questions of an alarm have few of its words.
        found = {each.name: each for each in check.monitors if each.state == "alarm" and not each.quiet}
        self.alarms |= {
            name: each for name, each in found.items() if name not in self.alarms or len(each.examples) >= len(self.alarms[name].examples)
        }
        return check


def drift(options: Options) -> list[Figure]:
    """`DATA=folder/OLD:NEW`, two snapshots in a folder that has `queries.jsonl` and, in each snapshot's folder, `docs.jsonl.gz`.

    Two weeks of questions that the old one answers, half of them from the file, half made of its passages; a day on which the first
    half are such that only the new one answers; then it is swept in, and people go on to ask so for three days. `DOCS=` takes
    so many documents of each.
    """
    old, new = snapshots(options.data, options.docs)
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
    case = Case(PART, f"{len(old.documents)} documents, then {len(new.documents)}")
    news = _news(old, new)
    life.sweep({}, old.documents)
    familiar, made = _again(rng, old.answered), _made(rng, life, old)
    usual: list[bool] = []
    false_alarms = 0
    for _ in range(DAYS):
        usual += life.ask(_mixed(familiar, made, HOURS), HOURS)
        false_alarms += len(life.check().opened)
    coming, curious = Watch(life, life.at), _again(rng, news)
    for _ in range(HOURS):
        coming.ask(_mixed(curious, made, 1))
    missed = [life.finds(known) for known in news]
    life.sweep(old.documents, new.documents)
    swept, made = Watch(life, life.at), _made(rng, life, new)
    left, is_open = LATER_DAYS * HOURS, True
    while left:
        # Each hour until all alarms are over, then each day.
        span = 1 if is_open else min(left, HOURS)
        check = swept.ask(_mixed(curious, made, span), span)
        is_open = any(each.state == "alarm" for each in check.monitors)
        left -= span
    _tell(coming, "as new questions came in")
    _tell(swept, "after the sweep")
    base = case.figure("answer found in ten, usual days", float(np.mean(usual)), "share")
    return [
        base,
        case.figure("the day new questions come in", float(np.mean(coming.scores)), "share").against(base),
        case.figure("the days after the sweep", float(np.mean(swept.scores)), "share").against(base),
        case.figure("new questions before the sweep", float(np.mean(missed)), "share"),
        case.figure("new questions after the sweep", float(np.mean([life.finds(known) for known in news])), "share"),
        case.figure(f"alarms on {DAYS} usual days", false_alarms, "alarms"),
        *(case.figure(f"{name}: alarm after", hours, "h") for name, hours in coming.raised.items()),
        *(case.figure(f"{name}: over after the sweep", swept.over[name], "h") for name in coming.raised if name in swept.over),
        *(case.figure(f"{name}: alarm raised after the sweep", hours, "h") for name, hours in swept.raised.items()),
        case.figure("alarms three days after the sweep", sum(each.state == "alarm" for each in life.check().monitors), "alarms"),
    ]


def _tell(watch: Watch, when: str) -> None:
    """Says what people would read of each alarm."""
    for name, status in watch.alarms.items():
        span = f"raised after {watch.raised[name]:.0f} h" if name in watch.raised else "still"
        print(f"{when}: {name}, {span}: {status.detail}; cause: {status.cause}")
        for example in status.examples:
            print(f"  {example}")


def snapshots(data: Path | None, most: int | None = None) -> tuple[Snapshot, Snapshot]:
    """The two that are named, with so many of their documents at most; raises `Misconfigured` when they are not there."""
    if data is None or ":" not in data.name:
        raise Misconfigured("DATA= must name a folder and two of its snapshots: folder/OLD:NEW")
    try:
        old, new = (_snapshot(data.parent, name, most) for name in data.name.split(":", 1))
    except (OSError, ValueError, KeyError) as error:
        raise Misconfigured(f"{data} can't be read as two snapshots: {error}") from error
    if not (old.answered and _news(old, new)):
        raise Misconfigured(f"{data.parent / QUERIES} has no question that the first one answers, or none that only the second one does")
    return old, new


def _snapshot(folder: Path, name: str, most: int | None) -> Snapshot:
    with gzip.open(folder / name / DOCS, "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file][:most]
    drafts = {
        row["doc_id"]: Draft(row["doc_id"], media_type="text/markdown", content=row["text"].encode(), title=row["title"]) for row in rows
    }
    asked = [json.loads(line) for line in (folder / QUERIES).read_text(encoding="utf-8").splitlines()]
    return Snapshot(drafts, [Known(row["text"], frozenset(row["targets"])) for row in asked if drafts.keys() & row["targets"].keys()])


def _news(old: Snapshot, new: Snapshot) -> list[Known]:
    """The questions that only the new documents answer."""
    return [known for known in new.answered if not known.documents & old.documents.keys()]


def _made(rng: np.random.Generator, life: Life, snapshot: Snapshot) -> Iterator[Known]:
    """Questions that the platform makes of the passages of now; where it can make none, those of the file."""
    view = life.reader.view()
    passages = view.passages_of(sorted(view.passages()), OF_A_DOCUMENT)
    chunks = [chunk for each in passages.values() for chunk in each]
    made = [Known(canary.question, frozenset({canary.doc_id})) for canary in make(chunks, life.at, view.release.number)]
    return _again(rng, made or snapshot.answered)


def _again(rng: np.random.Generator, known: Sequence[Known]) -> Iterator[Known]:
    """All of them in some order, then all again in another: as few as possible are asked twice."""
    while True:
        yield from (known[place] for place in rng.permutation(len(known)))


def _mixed(file: Iterator[Known], made: Iterator[Known], hours: int) -> list[Known]:
    """What people ask in some hours, one of each in turn: in the words of passages, and otherwise."""
    pairs = islice(zip(file, made, strict=True), hours * QUESTIONS_AN_HOUR // 2)
    return list(chain.from_iterable(pairs))
