"""What was found out about an index at some time: forecasts of its capacity, checks of its quality. The newest is what people are told."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection

from index import schema
from index.diary import Diary


class Reports:
    """A table of them, a few a day or an hour; what is in one is the affair of its reader."""

    def __init__(self, db: DBConnection, name: str, column: str) -> None:
        self._column = column
        self._diary = Diary(db, name, schema.reports(column), "at")

    def write(self, at: datetime, report: Mapping[str, Any]) -> None:
        """Stores one; times in it as ISO 8601."""
        self._diary.put([{"at": at, self._column: json.dumps(report, default=datetime.isoformat)}], "at")

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

    def _read(self, rows: pa.Table) -> list[tuple[datetime, dict[str, Any]]]:
        return [(row["at"], json.loads(row[self._column])) for row in rows.to_pylist()]
