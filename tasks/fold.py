"""Folding: the tail of a chunk table goes into its indexes, a small part beside a large one; now and then the parts become one."""

import logging
from collections.abc import Callable

from index.chunks import ChunkTable
from index.lease import Lease
from index.store import Store

_log = logging.getLogger(__name__)


def indexes_of(store: Store, table: ChunkTable) -> Lease:
    """The right to fold a table or to make an index of it: of two at a time the later commit is lost, and that is the larger."""
    return store.lease(f"indexes-{table.generation}")


def fold(store: Store, table: ChunkTable) -> bool:
    """Folds; False when an index is being made: the tail waits until that is done, and searches look at it row by row."""
    return _unless_one_is_made(store, table, table.fold)


def fold_text(store: Store, table: ChunkTable) -> bool:
    """Folds the full-text index alone; False when an index is being made."""
    return _unless_one_is_made(store, table, table.fold_text)


def _unless_one_is_made(store: Store, table: ChunkTable, step: Callable[[], None]) -> bool:
    with indexes_of(store, table) as lease:
        if not lease.try_acquire():
            _log.info("an index is being made; folding waits for it")
            return False
        step()
    return True


def make_one(store: Store, table: ChunkTable) -> bool:
    """Makes the parts of the table's indexes one where searches feel them; False when nothing was due, or an index is being made."""
    with indexes_of(store, table) as lease:
        return lease.try_acquire() and table.make_indexes_one()
