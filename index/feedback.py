"""Feedback: whether people found an answer useful. The last word of a key on an answer counts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lancedb.db import DBConnection
from lancedb.expr import col, lit

from index import schema
from index.diary import Diary

KEPT = timedelta(days=365)
MOST = 100_000
MAX_COMMENT_CHARACTERS = 2_000


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

    def before(self, until: datetime, count: int) -> list[Feedback]:
        """So many that were said before, newest first."""
        rows = self._diary.all(col("at") < lit(until))
        return [_feedback(row) for row in reversed(rows[-count:].to_pylist())] if count > 0 else []

    def forget(self, strings: Sequence[bytes]) -> int:
        """Forgets the comments that have one of these strings in them, word for word; what was thought of the answer stays."""
        said = [_feedback(row) for row in self._diary.all().to_pylist()]
        found = [each for each in said if any(string in (each.comment or "").encode() for string in strings)]
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
