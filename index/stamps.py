"""What the last sweeps saw of a source: by document, the stamp it had and what was read then.

It only saves reading: a row counts while the ledger agrees with it, and a file that is lost or damaged is begun anew.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

VERSION = 1
BUSY_S = 60.0
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Remembered:
    """A document as it was when it was last read, at the time `at` (seconds since 1970)."""

    doc_id: str
    stamp: str
    content_hash: str
    facts: str
    at: float


class Stamps:
    """The remembered documents of one source, in a file of their own. Several processes may use it at once."""

    def __init__(self, path: Path, identity: str) -> None:
        """What was remembered under another identity (of another place, by other rules) is dropped."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS about (identity TEXT NOT NULL)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS stamps (doc_id TEXT PRIMARY KEY, stamp TEXT NOT NULL, content_hash TEXT NOT NULL, "
            "facts TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID"
        )
        self._claim(f"{VERSION} {identity}")

    def of(self, doc_ids: Sequence[str]) -> dict[str, Remembered]:
        """What is remembered of these documents, by doc_id."""
        found: dict[str, Remembered] = {}
        for start in range(0, len(doc_ids), AT_ONCE):
            some = doc_ids[start : start + AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"SELECT doc_id, stamp, content_hash, facts, at FROM stamps WHERE doc_id IN ({marks})", some)  # noqa: S608 - question marks only
            found |= {row[0]: Remembered(*row) for row in rows}
        return found

    def below(self, doc_id: str) -> list[str]:
        """The remembered documents whose ids begin with this one and a slash."""
        # "0" is the character after "/": this is a range of the primary key.
        rows = self._db.execute("SELECT doc_id FROM stamps WHERE doc_id > ? AND doc_id < ?", (f"{doc_id}/", f"{doc_id}0"))
        return [str(row[0]) for row in rows]

    def remember(self, rows: Iterable[Remembered]) -> None:
        """Notes what was read."""
        self._write("INSERT OR REPLACE INTO stamps (doc_id, stamp, content_hash, facts, at) VALUES (?, ?, ?, ?, ?)", map(astuple, rows))

    def forget(self, doc_ids: Iterable[str]) -> None:
        """Drops documents that are gone."""
        self._write("DELETE FROM stamps WHERE doc_id = ?", ((doc_id,) for doc_id in doc_ids))

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _claim(self, identity: str) -> None:
        if self._db.execute("SELECT identity FROM about").fetchall() == [(identity,)]:
            return
        with self._transaction():
            self._db.execute("DELETE FROM about")
            self._db.execute("DELETE FROM stamps")
            self._db.execute("INSERT INTO about VALUES (?)", (identity,))

    def _write(self, statement: str, rows: Iterator[tuple[object, ...]] | Iterable[tuple[object, ...]]) -> None:
        with self._transaction():
            self._db.executemany(statement, rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield


def open_stamps(folder: Path, source: str, identity: str) -> Stamps:
    """The stamps of a source, in a file below the folder of the index; a damaged file is begun anew."""
    path = folder / "stamps" / f"{quote(source, safe='')}.sqlite"
    try:
        return Stamps(path, identity)
    except sqlite3.OperationalError:  # the disk is full, or another process holds it for long: no damage
        raise
    except sqlite3.DatabaseError:
        for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            name.unlink(missing_ok=True)
        return Stamps(path, identity)
