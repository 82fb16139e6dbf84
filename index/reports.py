"""What was found out about an index at some time: forecasts of its capacity, checks of its quality. The newest is what people are told."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import col

from index import schema
from index.diary import Diary


class Reports:
    """A table of them, a few a day or an hour; what is in one is the affair of its reader."""

    def __init__(self, db: DBConnection, name: str, column: str) -> None:
        self._column = column
        self._diary = Diary(db, name, schema.reports(column), "at")

    def write(self, at: datetime, report: Mapping[str, Any]) -> None:
        """Stores one; times in it as ISO 8601."""
        self._diary.put([{"at": at, self._column: json.dumps(report, default=datetime.isoformat, ensure_ascii=False)}], "at")

    def newest(self) -> tuple[datetime, dict[str, Any]] | None:
        """The newest, and when it was made."""
        found = self._read(self._diary.tail(1))
        return found[-1] if found else None

    def between(self, since: datetime, until: datetime) -> list[tuple[datetime, dict[str, Any]]]:
        """Each that was made at `since` or later and before `until`, with its time, oldest first."""
        return self._read(self._diary.between(since, until))

    def clean(self, older_than: datetime, most: int) -> int:
        """Forgets what is older, and the oldest of what is more than so many; returns how many."""
        return self._diary.clean(older_than, most)

    def forget(self, strings: Sequence[bytes]) -> int:
        """Forgets those that have one of these strings in them, word for word; returns how many."""
        # As they stand in JSON.
        wanted = [json.dumps(string.decode(errors="ignore"), ensure_ascii=False)[1:-1] for string in strings]
        times = [row["at"] for row in self._diary.all().to_pylist() if any(text in row[self._column] for text in wanted if text)]
        return self._diary.forget(col("at").isin(times)) if times else 0

    def _read(self, rows: pa.Table) -> list[tuple[datetime, dict[str, Any]]]:
        return [(row["at"], json.loads(row[self._column])) for row in rows.to_pylist()]
