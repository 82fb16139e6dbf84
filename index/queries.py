"""A sample of real traffic: the questions that people asked, and what was found for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from lancedb.db import DBConnection

from index import schema
from index.diary import Diary
from index.tables import one_of
from index.vectors import Vectors

Kind = Literal["search", "answer"]
KEPT = timedelta(days=90)
MOST = 200_000
# Of the hits of a reply, the first.
TOP = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what came of it.

    Attributes:
        vector: of the question, float32; None in text mode.
        filtered: whether the caller, or the key, narrowed the search.
        hits: how many passages the reply had.
        best: the highest cosine similarity of a hit to the question; None in text mode.
        scores, doc_ids: of the first 10 hits.
        grounded, answer_id: of an answer; None for a search.
        language: ISO 639-1, where it could be told.
        tokens: as the release's embedder counts them.
        unknown: the share of these that are unknown to its tokenizer, or pieces of a word that it does not know as one.
        key: the id of the key that asked, never the key.
        embedder: the fingerprint of what made the vector.
    """

    id: str
    at: datetime
    text: str
    vector: Vectors | None = field(compare=False)
    mode: str
    release: int
    k: int
    filtered: bool
    hits: int
    best: float | None
    scores: tuple[float, ...]
    doc_ids: tuple[str, ...]
    kind: Kind
    grounded: bool | None
    answer_id: str | None
    language: str | None
    tokens: int
    unknown: float
    key: str
    embedder: str | None = None


class Queries:
    """The table of asked questions."""

    def __init__(self, db: DBConnection) -> None:
        self._diary = Diary(db, "queries", schema.QUERIES, "id")

    def write(self, rows: Sequence[Asked]) -> None:
        """Keeps the questions, in one commit."""
        self._diary.add([_row(asked) for asked in rows])

    def between(self, since: datetime, until: datetime, columns: Sequence[str] = ()) -> pa.Table:
        """Those that were asked at `since` or later and before `until`, oldest first.

        The columns are those of `schema.QUERIES`, or `at` and those that are named: without the vectors it is much quicker.
        """
        return self._diary.between(since, until, columns)

    def tail(self, count: int) -> pa.Table:
        """The newest ones, oldest first."""
        return self._diary.tail(count)

    def count(self) -> int:
        """How many are kept."""
        return self._diary.count()

    def forget(self, strings: Sequence[bytes]) -> int:
        """Forgets the questions that have one of these strings in them, word for word; returns how many. Reads every text."""
        found = self._diary.saying("text", strings)
        return self._diary.forget(one_of("id", found)) if found else 0

    def clean(self, older_than: datetime, most: int = MOST) -> int:
        """Forgets what is older, and the oldest of what is more than so many; returns how many."""
        return self._diary.clean(older_than, most)

    def fold(self) -> None:
        """Merges the small pieces that each writing leaves."""
        self._diary.fold()


def _row(asked: Asked) -> dict[str, Any]:
    row = {name: getattr(asked, name) for name in schema.QUERIES.names}
    if asked.vector is not None:
        row["vector"] = np.asarray(asked.vector, dtype=np.float16)
    return row
