"""Searches by text: which passages are the best where many have the same score, and how long the files of an index stay open."""

from collections.abc import Callable
from typing import Any

from lancedb.table import LanceTable

from index import tables

# How much deeper a search looks first where passages of the same score lie on both sides of its limit.
DEEPER = 8
# Parts of text indexes that were replaced, and whose files are still open, before all of them are closed. A part has one file or a few.
MOST_REPLACED = 64
Found = list[tuple[int, float]]


def best(find: Callable[[int], Found], limit: int, rows: int) -> Found:
    """The `limit` best of what `find` finds, as pairs of a row and its score; of equal scores the first rows.

    Lance searches the parts of an index at once, and which of the passages with the score of the last one it returns depends on which
    part came first: the same question would have now these and now those. `rows` are as many as `find` could find at most.
    """
    for depth in (limit + 1, DEEPER * limit, rows):
        found = sorted(find(depth), key=lambda pair: (-pair[1], pair[0]))
        if len(found) <= limit or found[limit - 1][1] > found[-1][1] or len(found) < depth:
            break
    return found[:limit]


class TextDatasets:
    """The versions of chunk tables, opened for searches by text alone. Not safe to share between threads.

    Lance keeps each part of a text index that a search has used, with its open files, for as long as the session lives or until its
    caches are full. Each fold of the tail makes a part anew: a process that serves for a day would run out of file handles.
    So these searches have a session of their own, and a new one now and then; the vector index, which is large, stays where it is.
    """

    def __init__(self) -> None:
        self._forget()

    def at(self, table: LanceTable, dataset: Any, column: str) -> tuple[Any, bool]:
        """The version of the table that `dataset` shows; and whether those that were opened before should be let go."""
        parts = frozenset(part.uuid for index in dataset.describe_indices() if column in index.field_names for part in index.segments)
        renewed = len(self._used - parts) > MOST_REPLACED
        if renewed:
            self._forget()
        self._used |= parts
        if table.name not in self._heads:
            self._heads[table.name] = tables.dataset(table, self._session)
        return self._heads[table.name].checkout_version(dataset.version), renewed

    def _forget(self) -> None:
        self._session = tables.new_session(tables.TEXT_CACHE)
        self._heads: dict[str, Any] = {}
        self._used: frozenset[str] = frozenset()
