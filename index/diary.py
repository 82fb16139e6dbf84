"""A table of what happened when: rows are added at its end, read by time, and forgotten when they are old or too many."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import Expr, col, lit
from lancedb.table import LanceTable

from index import tables

# Readers may be in the middle of a version that was just replaced.
GRACE = timedelta(minutes=2)
# Each commit lists all pieces that there are: without merging, these lists take room by the square of the commits.
FOLD_EVERY = 64
_log = logging.getLogger("groundwork.index")


class Diary:
    """Rows with a time in the column `at`. Any number of processes may add at once: appends don't conflict. Threads may share it.

    Who writes to it often keeps it in shape, whether or not maintenance runs.
    """

    def __init__(self, db: DBConnection, name: str, schema: pa.Schema, key: str) -> None:
        self._db = db
        self._name = name
        self._schema = schema
        self._commits = 0
        tables.open_or_create(db, name, schema, key)

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Adds rows, in one commit."""
        if rows:
            self._open().add(pa.Table.from_pylist(list(rows), schema=self._schema))
            self._keep_in_shape()

    def put(self, rows: Sequence[dict[str, Any]], key: str) -> None:
        """Adds rows in place of those with the same key, in one commit."""
        if rows:
            table = pa.Table.from_pylist(list(rows), schema=self._schema)
            self._open().merge_insert(key).when_matched_update_all().when_not_matched_insert_all().execute(table)
            self._keep_in_shape()

    def between(self, since: datetime, until: datetime, columns: Sequence[str] = ()) -> pa.Table:
        """What happened at `since` or later, and before `until`, oldest first; all columns, or `at` and those that are named."""
        return self._where((col("at") >= lit(since)) & (col("at") < lit(until)), columns)

    def all(self, condition: Expr | None = None) -> pa.Table:
        """Every row that matches, oldest first."""
        return self._where(condition)

    def tail(self, count: int) -> pa.Table:
        """The newest rows, oldest first. Reads the times of all."""
        times = self._times()
        if count < 1 or not len(times):
            return self._schema.empty_table()
        since = times[max(0, len(times) - count)].as_py()
        return self._where(col("at") >= lit(since))[-count:]

    def count(self) -> int:
        """How many rows there are."""
        return int(self._open().count_rows())

    def delete(self, condition: Expr) -> int:
        """Takes out the rows that match; returns how many."""
        table = self._open()
        found = int(table.count_rows(condition.to_sql()))
        if found:
            table.delete(condition)
        return found

    def forget(self, condition: Expr) -> int:
        """Takes them out, and no file holds a byte of them any more."""
        deleted = self.delete(condition)
        if deleted:
            self.erase()
        return deleted

    def clean(self, older_than: datetime, most: int) -> int:
        """Forgets what is older, and the oldest of what is more than so many rows; returns how many."""
        times = self._times()
        if not len(times):
            return 0
        if len(times) > most:
            older_than = max(older_than, times[len(times) - most].as_py())
        return self.delete(col("at") < lit(older_than)) if times[0].as_py() < older_than else 0

    def saying(self, column: str, strings: Sequence[bytes]) -> list[str]:
        """The ids of the rows whose text has one of these strings in it, byte by byte. Reads the column."""
        rows = self._open().to_lance().to_table(columns=["id", column])
        texts = [(text or "").encode() for text in rows[column].to_pylist()]
        whole = b"\0".join(texts)
        # Nearly none stands anywhere: looking for each in every row would take a minute.
        there = [string for string in strings if string in whole]
        ids = rows["id"].to_pylist()
        return [ids[place] for place, text in enumerate(texts) if any(string in text for string in there)]

    def fold(self) -> None:
        """Merges small pieces, without the rows that were deleted, gives up what only old versions need, and leaves large pieces alone."""
        table = self._open()
        tables.merge(table)
        tables.clean(table, GRACE)

    def erase(self) -> None:
        """No file holds a byte of what was deleted any more."""
        table = self._open()
        tables.erase_deleted(table)
        tables.clean(table, timedelta(0))

    def _keep_in_shape(self) -> None:
        self._commits += 1
        if self._commits % FOLD_EVERY:
            return
        try:
            self.fold()
        except (OSError, RuntimeError) as error:  # LanceDB raises the one, pylance the other; what was written is written
            _log.warning("%s was not merged, it is tried again later: %s", self._name, error)

    def _where(self, condition: Expr | None, columns: Sequence[str] = ()) -> pa.Table:
        names = list(dict.fromkeys(["at", *columns])) if columns else self._schema.names
        query = self._open().search().select(names).limit(tables.ALL)
        return (query.where(condition) if condition is not None else query).to_arrow().select(names).sort_by("at")

    def _times(self) -> pa.ChunkedArray:
        """When each row happened, oldest first."""
        return self._open().to_lance().to_table(columns=["at"]).sort_by("at")["at"]

    def _open(self) -> LanceTable:
        """A handle of its own: a shared one would be moved by one thread while another reads."""
        return tables.open_existing(self._db, self._name)
