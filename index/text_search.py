"""Searches by text: which passages are the best where many have the same score, and how long the files of an index stay open."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection

from index import tables
from index.kept_rows import ROW

SCORE = "_score"
# How many more are looked for first where passages of the same score lie on both sides of the limit, and how many at most: a word that
# stands in half of ten million passages shall not make a search read all of them.
DEEPER = 8
MOST = 20_000
# Parts of text indexes that nothing new uses any more, and whose files are still open. A part has a file or a few.
MOST_REPLACED = 32


def best(find: Callable[[int], pa.Table], limit: int) -> pa.Table:
    """The `limit` best of what `find` finds at most so many of, by `_score`; of equal ones those with the lowest `_rowid`.

    Lance searches the parts of an index at once, and which of the passages with the score of the last one it returns depends on which
    part came first: the same question would find now these and now those. Where more than `MOST` have that score, it still does.
    """
    for depth in (limit + 1, DEEPER * limit, MOST):
        found = find(depth).sort_by([(SCORE, "descending"), (ROW, "ascending")])
        if len(found) < depth or found[SCORE][limit - 1] != found[SCORE][-1]:
            break
    return found.slice(0, limit)


class TextDatasets:
    """Versions of chunk tables, opened for searches by text alone. Not safe to share between threads.

    Lance keeps each part of a text index that was searched, with its open files, until the caches of its session are full or nobody
    uses the session. Each fold of the tail makes a part anew: a process that serves for a day would run out of file handles. So these
    searches have a session of their own, and now and then a new one; the vector index, which is large, stays in that of the process.
    """

    def __init__(self, db: DBConnection, most_replaced: int | None = None) -> None:
        self._db = db
        self._most_replaced = MOST_REPLACED if most_replaced is None else most_replaced
        self._renew()

    def at(self, name: str, version: int, parts: frozenset[str]) -> Any:
        """A version of the table of that name; `parts` are the ids of those that its text index has."""
        if len(self._used - parts) > self._most_replaced:
            self._renew()
        self._used |= parts
        if name not in self._tables:
            # A handle that was opened before may stand on a version that is cleaned away by now.
            self._tables[name] = tables.dataset(tables.open_existing(self._db, name), self._session)
        return self._tables[name].checkout_version(version)

    def _renew(self) -> None:
        """Versions that are still in use keep the session before alive, for as long as they are."""
        self._session = tables.new_session(tables.TEXT_CACHE, tables.METADATA_OF_TEXT)
        self._tables: dict[str, Any] = {}
        self._used: frozenset[str] = frozenset()
