"""What judges have decided already, by the hash of all that a decision rests on. Numbers only: no text, so nothing for a purge to find.

Losing the file costs only asking again: one that is damaged is begun anew, and where it can't be used nothing is kept.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

BUSY_S = 60.0
KEPT_FOR = timedelta(days=90)
MOST = 500_000
# Deleting is left until so many more are there.
SLACK = 10_000
_log = logging.getLogger("groundwork.verdicts")


def key_of(facts: Mapping[str, str | Sequence[str] | None]) -> str:
    """The key of a decision: SHA-256 of what it rests on, by name."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class VerdictCache:
    """Decisions in one SQLite file. Each is on disk, safe from `kill -9`, when `put` returns; several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, keys: Sequence[str], now: datetime) -> dict[str, float]:
        """What was decided, by key, where it is not too old."""
        oldest = (now - KEPT_FOR).timestamp()
        known: dict[str, float] = {}

        def look(db: sqlite3.Connection) -> None:
            for key in keys:
                if row := db.execute("SELECT value FROM verdicts WHERE key = ? AND at >= ?", (key, oldest)).fetchone():
                    known[key] = float(row[0])

        self._do(look)
        return known

    def put(self, key: str, value: float, now: datetime) -> None:
        """Keeps a decision."""
        self._do(lambda db: db.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", (key, value, now.timestamp())))

    def trim(self, now: datetime) -> None:
        """Drops what is too old, and the oldest of what is too much."""

        def drop(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM verdicts WHERE at < ?", ((now - KEPT_FOR).timestamp(),))
            (count,) = db.execute("SELECT count(*) FROM verdicts").fetchone()
            if count > MOST + SLACK:
                db.execute("DELETE FROM verdicts WHERE key IN (SELECT key FROM verdicts ORDER BY at LIMIT ?)", (count - MOST,))

        self._do(drop)

    def _do(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """One transaction; a full disk or a long lock loses it, no more."""
        try:
            with closing(self._open()) as db, db:
                work(db)
        except (sqlite3.OperationalError, OSError) as error:
            _log.warning("verdicts are not kept or not found: %s", error)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError:  # the disk is full, or another process holds it for long: no damage
            raise
        except sqlite3.DatabaseError:
            for name in ("", "-wal", "-shm"):
                self._path.with_name(f"{self._path.name}{name}").unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=BUSY_S)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, value REAL NOT NULL, at REAL NOT NULL) WITHOUT ROWID")
        except sqlite3.Error:
            db.close()
            raise
        return db
