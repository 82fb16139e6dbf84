"""The tables of events: those that are of use still, and those that were about releases which are reclaimed by now."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import Expr, col, lit
from lancedb.table import LanceTable

from index import schema, tables
from index.releases import Event, State
from index.timeline import Timeline

# The arrivals are many and wanted once: they are not kept in memory, nor of what is past.
FACTS = [name for name in schema.RELEASES.names if name != "arrivals"]


class Events:
    """Two tables of one schema. Not safe to share between threads.

    What searches, batches and starts take must not grow with the number of releases that there ever were: they read the first table,
    from which events go into the second, `past_releases`, when nothing but curiosity asks for them.
    """

    def __init__(self, db: DBConnection) -> None:
        # No index on `seq`: with one, two processes that insert the same number both succeed.
        self._table: LanceTable = tables.open_or_create(db, "releases", schema.RELEASES, "seq")
        self._past: LanceTable = tables.open_or_create(db, "past_releases", schema.RELEASES, "seq", indexed=["release"])

    def version(self) -> int:
        """Of the events in use; another one when somebody has written."""
        self._table.checkout_latest()
        return int(self._table.version)

    def insert(self, event: Event, arrivals: str) -> bool:
        """Appends an event; False when its number was taken."""
        row = {name: value for name, value in asdict(event).items() if name != "state"} | asdict(event.state)
        row |= {"detail": json.dumps(event.detail), "arrivals": arrivals}
        rows = pa.Table.from_pylist([row], schema=schema.RELEASES)
        result = self._table.merge_insert("seq").when_not_matched_insert_all().execute(rows)
        return bool(result.num_inserted_rows == 1)

    def take_back(self, seq: int) -> bool:
        """Removes an event whose number was one of those set aside already; False when it was free."""
        self._past.checkout_latest()
        taken = len(_rows(self._past, col("seq") == lit(seq), ["seq"])) > 0
        if taken:
            self._table.delete(col("seq") == lit(seq))
        return taken

    def in_use(self, condition: Expr) -> list[Event]:
        """Of the events in use, as of `version`, in their order."""
        rows = _rows(self._table, condition, FACTS).to_pylist()
        return sorted((event_from_row(row) for row in rows), key=lambda event: event.seq)

    def arrivals(self, condition: Expr) -> list[tuple[int, str]]:
        """What came with events in use, by their numbers, in their order."""
        rows = _rows(self._table, condition, ["seq", "arrivals"]).to_pylist()
        return sorted((row["seq"], row["arrivals"]) for row in rows)

    def ever(self, condition: Expr) -> list[Event]:
        """Of all events that there were, in their order."""
        found = {row["seq"]: row for row in self._of_both(condition, FACTS).to_pylist()}
        return [event_from_row(found[seq]) for seq in sorted(found)]

    def timeline(self) -> Timeline:
        """What was live when, from the first event on."""
        return Timeline.of(self._of_both(None, ["seq", "at", "live"]))

    def last_of_days(self, condition: Expr) -> list[Event]:
        """Of the events that there were, the last of each day (UTC)."""
        times = self._of_both(condition, ["seq", "at"]).sort_by("seq")
        days = dict(zip(times["at"].cast(pa.date32()).to_pylist(), times["seq"].to_pylist(), strict=True))
        return self.ever(col("seq").isin(list(days.values()))) if days else []

    def set_aside(self, used: set[int], before: int, older_than: datetime, most: int) -> int:
        """Makes past what is not used, and was before an event and a time: `most` events at a time, the oldest first. How many.

        A kill between the two commits leaves events in both tables, which are read once, and set aside again.
        """
        times = _rows(self._table, col("seq") < before, ["seq", "at"]).sort_by("seq").to_pylist()
        # In their order, whatever clocks say: what is said of a release must not go before the release.
        old = takewhile(lambda row: row["at"] < older_than, times)
        gone = [row["seq"] for row in old if row["seq"] not in used][:most]
        if gone:
            rows = _rows(self._table, col("seq").isin(gone), schema.RELEASES.names)
            rows = rows.set_column(rows.schema.get_field_index("arrivals"), "arrivals", pa.nulls(len(rows), pa.string()))
            self._past.merge_insert("seq").when_not_matched_insert_all().execute(rows.cast(schema.RELEASES))
            self._table.delete(col("seq").isin(gone))
        return len(gone)

    def compact(self) -> None:
        """Merges the small appends; the history stays."""
        for table in (self._table, self._past):
            tables.fold(table)
            # Readers only ever want the newest version, and reading that takes milliseconds.
            tables.clean(table, timedelta(minutes=1))

    def _of_both(self, condition: Expr | None, columns: list[str]) -> pa.Table:
        # In this order: what is set aside meanwhile is then seen twice, and not never.
        self._table.checkout_latest()
        used = _rows(self._table, condition, columns)
        self._past.checkout_latest()
        return pa.concat_tables([_rows(self._past, condition, columns), used])


def event_from_row(row: dict[str, Any]) -> Event:
    """An event as it stands in a table."""
    state = State(row["live"], row["pinned"], row["newest"])
    return Event(row["seq"], row["kind"], row["at"], row["by"], row["reason"], row["release"], json.loads(row["detail"] or "{}"), state)


def _rows(table: LanceTable, condition: Expr | None, columns: list[str]) -> pa.Table:
    query = table.search().select(columns).limit(tables.ALL)
    return (query if condition is None else query.where(condition)).to_arrow()
