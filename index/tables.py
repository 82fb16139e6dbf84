"""Opens LanceDB tables; makes them on first use."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Lock
from typing import Any, cast

import lancedb
import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import Expr, col
from lancedb.index import Bitmap, BTree, LabelList
from lancedb.table import LanceTable

from index import parts

# Rows of a query without a limit: LanceDB wants a number.
ALL = 2**31 - 1
# Fragments of this many rows are left alone by folding.
TAIL_ROWS = 4096
NEW_ROWS = 256
MANY_FRAGMENTS = 40
# Bytes, per process. Where searches are served the whole vector index must fit in: 125 MB a million rows.
INDEX_CACHE = 256 * 1024 * 1024
SERVING_CACHE = 1536 * 1024 * 1024
# Beside it, for searches by text.
TEXT_CACHE = 256 * 1024 * 1024
# What is read of tables to find rows in them. A million passages take 9 MB of it; whatever room there is beside fills up with versions that
# nobody wants any more.
METADATA_CACHE = 32 * 1024 * 1024
METADATA_OF_TEXT = 64 * 1024 * 1024
LEAST_METADATA = 16 * 1024 * 1024
METADATA_OF_A_ROW = 24
_sessions: dict[int, tuple[int, Any]] = {}
_sessions_lock = Lock()


def connect(uri: str) -> DBConnection:
    """A connection to the index; the folder is made on first use.

    Its caches are bounded: each small commit leaves some of its metadata in them, and LanceDB's own bound is 7 GB.
    """
    session = lancedb.Session(index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=METADATA_CACHE)
    return lancedb.connect(uri, session=session)


def open_or_create(
    db: DBConnection,
    name: str,
    schema: pa.Schema,
    key: str,
    indexed: Sequence[str] = (),
    with_few_values: Sequence[str] = (),
    lists: Sequence[str] = (),
) -> LanceTable:
    """The table; if it does not exist yet it is made, with a primary key, BTREE indexes on the `indexed` columns and bitmaps on others.

    In columns of `lists` an index finds the rows that have a value.

    Without the declared key two processes that insert the same new key silently make duplicates. So they do when the
    key has a BTREE with rows in it (lancedb 0.40): index the key only where one process at a time writes.
    """
    table = _open_if_there(db, name)
    if table is None:
        with suppress(ValueError):  # another process was faster
            made = cast(LanceTable, db.create_table(name, schema=schema))
            made.set_unenforced_primary_key(key)
            for column in indexed:
                made.create_index(column, config=BTree())
            for column in with_few_values:
                made.create_index(column, config=Bitmap())
            for column in lists:
                made.create_index(column, config=LabelList())
        table = open_existing(db, name)
    if key in table.schema.names:
        return table
    raise ValueError(f"table {name} has no column {key}")


def _open_if_there(db: DBConnection, name: str) -> LanceTable | None:
    """The table, or None. To list all tables first would take as long again, sixteen times in each process that starts."""
    try:
        return open_existing(db, name)
    except ValueError:
        return None


def open_existing(db: DBConnection, name: str) -> LanceTable:
    """A handle of its own on a table that has been made."""
    return cast(LanceTable, db.open_table(name))


def drop_all_but(db: DBConnection, prefixes: Sequence[str], kept: Collection[str]) -> None:
    """Removes the tables whose name is one of the prefixes and something that is not `kept`."""
    for name in db.list_tables(limit=10_000).tables:
        rest = next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), None)
        if rest is not None and rest not in kept:
            db.drop_table(name)


def dataset(table: LanceTable, session: Any) -> Any:
    """The table's version as a Lance dataset, for reading.

    LanceDB hands each search to another thread five times, and waking one takes a millisecond where there are few cores: what takes
    it 9 ms takes the dataset 2.
    """
    return table.to_lance(session=session)


def new_session(index_cache: int, metadata_cache: int) -> Any:
    """Caches for datasets, with so many bytes for what is read of indexes, and of where rows are."""
    import lance

    return cast(Any, lance).Session(index_cache_size_bytes=index_cache, metadata_cache_size_bytes=metadata_cache)


def session(index_cache: int, rows: int) -> Any:
    """The caches that all of a process share, with room for what tells where so many rows are.

    A table that outgrows them gets larger ones, and those of before go with what was opened in them.
    """
    room = metadata_room(rows)
    with _sessions_lock:
        known = _sessions.get(index_cache)
        if known is None or known[0] < room:
            known = _sessions[index_cache] = room, new_session(index_cache, room)
        return known[1]


def metadata_room(rows: int) -> int:
    """Bytes for what tells where so many rows are: a power of two, so that a table seldom outgrows them."""
    return max(LEAST_METADATA, 1 << (METADATA_OF_A_ROW * rows).bit_length())


def fold(table: LanceTable) -> None:
    """Takes new rows into the indexes and merges the small fragments at the tail.

    Only the tail: retained releases keep what a rewrite replaces, so rewriting the whole table each
    time would multiply the disk it takes by the number of releases.
    """
    table.checkout_latest()  # what others committed since this handle was opened would be a conflict
    dataset = table.to_lance()
    dataset.optimize.compact_files(target_rows_per_fragment=_merged_rows(dataset), num_threads=1)
    table.checkout_latest()
    parts.optimize(table.to_lance(), parts.newest_to_merge)
    table.checkout_latest()


def merge(table: LanceTable) -> None:
    """Merges the small fragments at the tail of a table without indexes, and writes those anew that have deleted rows in them."""
    table.checkout_latest()
    dataset = table.to_lance()
    dataset.optimize.compact_files(
        target_rows_per_fragment=_merged_rows(dataset), materialize_deletions=True, materialize_deletions_threshold=0.0, num_threads=1
    )
    table.checkout_latest()


def _merged_rows(dataset: Any) -> int:
    """What came since the last folding becomes one fragment; many of those become one later: else each row would be written each time."""
    small = sum(fragment.physical_rows < TAIL_ROWS for fragment in dataset.get_fragments())
    return TAIL_ROWS if small > MANY_FRAGMENTS else NEW_ROWS


def fold_index(table: LanceTable, column: str) -> None:
    """Takes new rows into the index of one column."""
    table.checkout_latest()
    parts.optimize(table.to_lance(), parts.newest_to_merge, only=column)
    table.checkout_latest()


def make_one(table: LanceTable) -> bool:
    """Makes the parts of indexes one where they are many, or large; False when nothing was due. Takes as long as the indexes are large."""
    due = parts.optimize(table.to_lance(), parts.to_make_one)
    table.checkout_latest()
    return due


def clean(table: LanceTable, age: timedelta) -> int:
    """Removes versions older than `age` that no tag protects; returns the bytes freed."""
    stats = table.to_lance().cleanup_old_versions(age, error_if_tagged_old_versions=False)
    return int(stats.bytes_removed)


def erase_deleted(table: LanceTable) -> None:
    """Writes the fragments anew that have deleted rows in them: the head holds no byte of those any more, older versions do."""
    table.to_lance().optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0, num_threads=1)
    table.checkout_latest()


def move_tag(table: LanceTable, tag: str, version: int) -> None:
    """Points the tag at the version, whether or not it existed. Not by listing them: that reads a file for each retained release."""
    try:
        table.tags.update(tag, version)
    except RuntimeError:  # there is none of that name
        table.tags.create(tag, version)


def one_of(column: str, values: Sequence[str]) -> Expr:
    """The condition that `column` is one of the values."""
    return col(column).isin(list(values))
