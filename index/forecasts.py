"""Forecasts of capacity: the newest is what people are told."""

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.table import LanceTable

from index import schema, tables


class Forecasts:
    """The table of forecasts, one a day and few in all."""

    def __init__(self, db: DBConnection) -> None:
        self._table: LanceTable = tables.open_or_create(db, "forecasts", schema.FORECASTS, "at")

    def write(self, at: datetime, forecast: dict[str, Any]) -> None:
        """Stores one forecast; times in it as ISO 8601."""
        row = {"at": at, "forecast": json.dumps(forecast, default=datetime.isoformat)}
        rows = pa.Table.from_pylist([row], schema=schema.FORECASTS)
        self._table.merge_insert("at").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def newest(self) -> tuple[datetime, dict[str, Any]] | None:
        """The newest forecast, and when it was made."""
        self._table.checkout_latest()
        rows = self._table.search().select(["at", "forecast"]).limit(tables.ALL).to_arrow().to_pylist()
        if not rows:
            return None
        row = max(rows, key=lambda row: row["at"])
        return row["at"], json.loads(row["forecast"])
