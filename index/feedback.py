"""Feedback: whether people found an answer useful. The last word of a key on an answer counts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lancedb.db import DBConnection
from lancedb.expr import col, lit

from index import schema
from index.diary import Diary
from index.tables import one_of

KEPT = timedelta(days=365)
MOST = 100_000


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thinks of an answer. `key` is the id of the key that said it; `release` is that of the answer."""

    answer_id: str
    at: datetime
    useful: bool
    comment: str | None
    key: str
    release: int


class Feedbacks:
    """The table of feedback."""

    def __init__(self, db: DBConnection) -> None:
        self._diary = Diary(db, "feedback", schema.FEEDBACK, "id")

    def write(self, feedback: Feedback) -> None:
        """Keeps it, in place of what the same key said before of the same answer."""
        self._diary.put([_row(feedback)], "id")

    def between(self, since: datetime, until: datetime) -> list[Feedback]:
        """What was said at `since` or later and before `until`, oldest first."""
        return [_feedback(row) for row in self._diary.between(since, until).to_pylist()]

    def of(self, answer_id: str) -> list[Feedback]:
        """What was said of an answer, oldest first."""
        return [_feedback(row) for row in self._diary.all(col("answer_id") == lit(answer_id)).to_pylist()]

    def newest(self, count: int, after: tuple[datetime, str] | None = None) -> list[Feedback]:
        """At most so many, newest first; those that come `after` the time and the id of one."""
        condition = None
        if after:
            at, identifier = col("at"), col("id")
            condition = (at < lit(after[0])) | ((at == lit(after[0])) & (identifier > lit(after[1])))
        rows = self._diary.all(condition).sort_by([("at", "descending"), ("id", "ascending")])
        return [_feedback(row) for row in rows[:count].to_pylist()]

    def useful_share(self, since: datetime, until: datetime) -> float | None:
        """The share of answers that people found useful, of those that they said something of; None when they said nothing."""
        said = self._diary.between(since, until)["useful"].to_pylist()
        return sum(said) / len(said) if said else None

    def forget(self, strings: Sequence[bytes]) -> int:
        """Forgets the comments that have one of these strings in them, word for word; what was thought of the answer stays."""
        ids = self._diary.saying("comment", strings)
        found = [_feedback(row) for row in self._diary.all(one_of("id", ids)).to_pylist()] if ids else []
        self._diary.put([_row(replace(each, comment=None)) for each in found], "id")
        if found:
            self._diary.erase()
        return len(found)

    def clean(self, older_than: datetime, most: int = MOST) -> int:
        """Forgets what is older, and the oldest of what is more than so many; returns how many."""
        return self._diary.clean(older_than, most)

    def fold(self) -> None:
        """Merges the small pieces that each writing leaves."""
        self._diary.fold()


def _row(feedback: Feedback) -> dict[str, Any]:
    return asdict(feedback) | {"id": f"{feedback.answer_id} {feedback.key}"}


def _feedback(row: dict[str, Any]) -> Feedback:
    return Feedback(**{name: row[name] for name in Feedback.__slots__})
