"""The exams of judges: what each came to, and what therefore holds of a judge now."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import col
from lancedb.table import LanceTable

from index import schema, tables

# To be raised when the planted pairs, our own prompts or the metrics change: every judge is then examined again.
EXAM = 1
# One is held each week; after a second one was missed nobody knows how the judge behaves now.
VALID_FOR = timedelta(days=15)
KEPT = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Which judge: what is asked (`prompts`), of which model, where (`endpoint`, without credentials and query)."""

    model: str
    endpoint: str
    prompts: str

    @property
    def fingerprint(self) -> str:
        """Another one for another model, endpoint or prompt."""
        return hashlib.sha256(json.dumps([self.model, self.endpoint, self.prompts]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam that was held.

    Attributes:
        at: when it ended.
        judge: who was examined.
        qualified: whether it passed.
        reasons: why not; empty when it passed.
        interrupted: why it could not be held to its end; None when it was.
        changed: how the judge behaved otherwise than in its exam before; None when it did not.
        figures: the numbers, as JSON.
        decisions: by question of the exam: what was decided, each time it was asked; None where nothing was.
    """

    at: datetime
    judge: Identity
    qualified: bool
    reasons: tuple[str, ...] = ()
    interrupted: str | None = None
    changed: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    decisions: Mapping[str, Sequence[bool | None]] = field(default_factory=dict)


class State(StrEnum):
    """What the scores of a judge are worth."""

    QUALIFIED = "qualified"
    UNQUALIFIED = "unqualified"
    UNEXAMINED = "unexamined"


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of a judge now, why, and the exam that says so."""

    judge: Identity
    state: State
    reasons: tuple[str, ...] = ()
    exam: Exam | None = None

    @property
    def counts(self) -> bool:
        """Whether decisions may rest on this judge's scores."""
        return self.state is State.QUALIFIED

    @property
    def note(self) -> str | None:
        """What is written beside each of its scores; nothing where they count."""
        return None if self.counts else f"{self.state} judge: {'; '.join(self.reasons)}"


class Exams:
    """The table of exams; the newest 200 are kept."""

    def __init__(self, db: DBConnection) -> None:
        self._table: LanceTable = tables.open_or_create(db, "exams", schema.EXAMS, "at")

    def write(self, exam: Exam) -> None:
        """Stores one exam."""
        row = {
            "at": exam.at,
            "model": exam.judge.model,
            "endpoint": exam.judge.endpoint,
            "prompts": exam.judge.prompts,
            "qualified": exam.qualified,
            "reasons": json.dumps(exam.reasons),
            "interrupted": exam.interrupted,
            "changed": exam.changed,
            "figures": json.dumps(exam.figures),
            "decisions": json.dumps({question: list(given) for question, given in exam.decisions.items()}),
        }
        rows = pa.Table.from_pylist([row], schema=schema.EXAMS)
        self._table.merge_insert("at").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        if len(found := self.all()) > KEPT:
            self._table.delete(col("at") < found[KEPT - 1].at)

    def all(self) -> list[Exam]:
        """Each exam, newest first."""
        self._table.checkout_latest()
        rows = self._table.search().select(schema.EXAMS.names).limit(tables.ALL).to_arrow().to_pylist()
        return sorted((_exam(row) for row in rows), key=lambda exam: exam.at, reverse=True)


def identity_of(url: str, model: str) -> Identity:
    """Who is at this endpoint by this name; nothing secret of the URL is kept."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    endpoint = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    return Identity(model, endpoint, f"ragas {version('ragas')}, exam {EXAM}")


def standing_of(exams: Sequence[Exam], judge: Identity, now: datetime) -> Standing:
    """What holds of a judge, by all exams that were held, newest first (pure)."""
    exam = next((exam for exam in exams if exam.judge == judge), None)
    if exam is None:
        return Standing(judge, State.UNEXAMINED, (_why_never(exams, judge),))
    if exam.interrupted:
        return Standing(judge, State.UNQUALIFIED, (f"its exam could not be held to the end: {exam.interrupted}", *exam.reasons), exam)
    if now - exam.at > VALID_FOR:
        return Standing(judge, State.UNEXAMINED, (f"its last exam was {(now - exam.at).days} days ago, on {exam.at:%Y-%m-%d}",), exam)
    return Standing(judge, State.QUALIFIED if exam.qualified else State.UNQUALIFIED, exam.reasons, exam)


def is_due(standing: Standing) -> bool:
    """Whether the judge should be examined before its next use: it was not yet, not lately, or not to the end."""
    return standing.state is State.UNEXAMINED or bool(standing.exam and standing.exam.interrupted)


def behaving_since(exams: Sequence[Exam], judge: Identity) -> str | None:
    """The time (ISO 8601) of the newest exam that found the judge changed; None where none did. Exams are newest first."""
    return next((exam.at.isoformat() for exam in exams if exam.judge == judge and exam.changed), None)


def _why_never(exams: Sequence[Exam], judge: Identity) -> str:
    if not exams:
        return "it has not been examined yet"
    before = exams[0].judge
    names = ("model", "endpoint", "prompts")
    other = [f"{name} {getattr(before, name)!r}" for name in names if getattr(before, name) != getattr(judge, name)]
    return f"it has not been examined yet; the exam of {exams[0].at:%Y-%m-%d} was of {', '.join(other)}"


def _exam(row: dict[str, Any]) -> Exam:
    return Exam(
        at=row["at"],
        judge=Identity(row["model"], row["endpoint"], row["prompts"]),
        qualified=row["qualified"],
        reasons=tuple(json.loads(row["reasons"])),
        interrupted=row["interrupted"],
        changed=row["changed"],
        figures=json.loads(row["figures"]),
        decisions=json.loads(row["decisions"]),
    )
