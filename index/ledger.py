"""The ledger: what became of each document, and the parsed text of what is indexed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import pyarrow as pa
from lancedb.db import DBConnection
from lancedb.expr import col, lit
from lancedb.table import LanceTable

from index import schema, tables
from index.documents import Entry, State

_LONG = ("text", "form", "pages", "bands")
_BRIEF = [column.name for column in fields(Entry) if column.name not in _LONG]


class Ledger:
    """One row a document. The ingester writes; everybody may read."""

    def __init__(self, db: DBConnection) -> None:
        self._table: LanceTable = tables.open_or_create(db, "documents", schema.DOCUMENTS, "doc_id", ("doc_id", "state", "duplicate_of"))
        self._tombstones: LanceTable = tables.open_or_create(db, "tombstones", schema.TOMBSTONES, "doc_id", ("doc_id",))

    @property
    def version(self) -> int:
        """The newest Lance version."""
        self._table.checkout_latest()
        return int(self._table.version)

    def get(self, doc_ids: Sequence[str], with_text: bool = False) -> dict[str, Entry]:
        """Entries by doc_id; unknown documents are missing."""
        if not doc_ids:
            return {}
        self._table.checkout_latest()
        columns = [*_BRIEF, *_LONG] if with_text else _BRIEF
        rows = self._table.search().where(tables.one_of("doc_id", doc_ids)).select(columns).limit(tables.ALL).to_arrow()
        return {entry.doc_id: entry for entry in _entries(rows)}

    def page(self, state: State | None, after: str, limit: int) -> list[Entry]:
        """At most `limit` entries with a doc_id after `after`, in order of doc_id, without text."""
        self._table.checkout_latest()
        condition = col("doc_id") > lit(after)
        if state:
            condition = condition & (col("state") == lit(state))
        ids = self._table.search().where(condition).select(["doc_id"]).limit(tables.ALL).to_arrow()["doc_id"].to_pylist()
        wanted = sorted(ids)[:limit]
        found = self.get(wanted)
        return [found[doc_id] for doc_id in wanted if doc_id in found]

    def hashes_of(self, source: str) -> dict[str, str]:
        """Content hashes by doc_id of what came from one source and is not deleted."""
        self._table.checkout_latest()
        condition = (col("source") == lit(source)) & (col("state") != lit("deleted"))
        rows = self._table.search().where(condition).select(["doc_id", "content_hash"]).limit(tables.ALL).to_arrow()
        return dict(zip(rows["doc_id"].to_pylist(), rows["content_hash"].to_pylist(), strict=True))

    def aliases_of(self, doc_ids: Sequence[str]) -> dict[str, Entry]:
        """Entries that stand for one of these documents, by doc_id, with text."""
        if not doc_ids:
            return {}
        self._table.checkout_latest()
        rows = self._table.search().where(tables.one_of("duplicate_of", doc_ids)).select([*_BRIEF, *_LONG]).limit(tables.ALL).to_arrow()
        return {entry.doc_id: entry for entry in _entries(rows)}

    def aliases(self) -> list[tuple[str, str, int]]:
        """Each alias with its canonical document, and how many passages it has."""
        self._table.checkout_latest()
        columns = ["doc_id", "duplicate_of", "chunks"]
        rows = self._table.search().where("duplicate_of IS NOT NULL").select(columns).limit(tables.ALL).to_arrow()
        return list(zip(*(rows[name].to_pylist() for name in columns), strict=True))

    def canonicals(self) -> Iterator[tuple[str, list[int]]]:
        """Id and bands of each document whose passages stand for themselves."""
        self._table.checkout_latest()
        query = self._table.search().where("duplicate_of IS NULL AND bands IS NOT NULL").select(["doc_id", "bands"]).limit(tables.ALL)
        for batch in query.to_batches():
            yield from zip(batch["doc_id"].to_pylist(), batch["bands"].to_pylist(), strict=True)

    def indexed(self) -> pa.Table:
        """Documents that have passages: doc_id, indexed_revision, duplicate_of."""
        self._table.checkout_latest()
        columns = ["doc_id", "indexed_revision", "duplicate_of"]
        return self._table.search().where("indexed_revision IS NOT NULL").select(columns).limit(tables.ALL).to_arrow().select(columns)

    def contents(self, version: int) -> pa.Table:
        """Documents that had passages at a version that is kept: doc_id, indexed_hash, source."""
        self._table.checkout_latest()
        dataset = self._table.to_lance().checkout_version(version)
        return dataset.to_table(columns=["doc_id", "indexed_hash", "source"], filter="indexed_revision IS NOT NULL")

    def counts(self) -> dict[str, int]:
        """How many documents are in each state."""
        self._table.checkout_latest()
        states = self._table.search().select(["state"]).limit(tables.ALL).to_arrow()["state"]
        return {row["values"]: row["counts"] for row in states.value_counts().to_pylist()}

    def reasons(self) -> dict[str, int]:
        """How many documents are in quarantine, by the code that their reason begins with."""
        self._table.checkout_latest()
        rows = self._table.search().where(col("state") == lit("quarantined")).select(["reason"]).limit(tables.ALL).to_arrow()
        return Counter((reason or "").partition(":")[0] for reason in rows["reason"].to_pylist())

    def newer_than(self, release: int) -> int:
        """How many documents have a newest revision that `release` does not show; a deletion holds in each release."""
        self._table.checkout_latest()
        condition = (col("release") > lit(release)) & (col("state") != lit("quarantined")) & (col("state") != lit("deleted"))
        return int(self._table.count_rows(condition.to_sql()))

    def content_hashes(self, but: str | None = None) -> set[str]:
        """Hashes of the originals that an entry still needs, `but` one document's."""
        self._table.checkout_latest()
        rows = self._table.search().select(["doc_id", "content_hash", "indexed_hash"]).limit(tables.ALL).to_arrow().to_pylist()
        return {digest for row in rows if row["doc_id"] != but for digest in (row["content_hash"], row["indexed_hash"]) if digest}

    def write(self, entries: Sequence[Entry]) -> None:
        """Upserts the entries by doc_id."""
        if entries:
            rows = pa.Table.from_pylist([asdict(entry) for entry in entries], schema=schema.DOCUMENTS)
            self._table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def set_chunks(self, counts: pa.Table) -> None:
        """Sets how many passages documents have: doc_id, chunks."""
        if counts.num_rows:
            self._table.merge_insert("doc_id").when_matched_update_all().execute(counts)

    def bury(self, revisions: dict[str, int], release: int) -> None:
        """Hides the documents in each release made before `release`."""
        if revisions:
            rows = [{"doc_id": doc_id, "revision": revision, "release": release} for doc_id, revision in revisions.items()]
            table = pa.Table.from_pylist(rows, schema=schema.TOMBSTONES)
            self._tombstones.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all().execute(table)

    def burials(self) -> dict[str, tuple[int, int]]:
        """The revision of the deletion of each document that was ever deleted, and the release that it was deleted in."""
        self._tombstones.checkout_latest()
        rows = self._tombstones.search().select(["doc_id", "revision", "release"]).limit(tables.ALL).to_arrow().to_pylist()
        return {row["doc_id"]: (row["revision"], row["release"]) for row in rows}

    def buried_since(self, release: int) -> list[str]:
        """Documents that were deleted in a release after `release`."""
        return [doc_id for doc_id, buried in self.buried() if buried > release]

    def buried(self) -> list[tuple[str, int]]:
        """Each document that was ever deleted and hides in earlier releases, with the release that it was deleted in."""
        self._tombstones.checkout_latest()
        rows = self._tombstones.search().select(["doc_id", "release"]).limit(tables.ALL).to_arrow()
        return list(zip(rows["doc_id"].to_pylist(), rows["release"].to_pylist(), strict=True))

    def restore(self, version: int) -> int:
        """Takes the ledger back to `version`; returns the new head."""
        self._table.checkout_latest()
        self._table.restore(version)
        return self.version

    def tag(self, release: int, version: int) -> None:
        """Protects the version that belongs to a release from cleanup."""
        tables.move_tag(self._table, f"r{release}", version)

    def untag(self, release: int) -> None:
        """Gives the version of a retired release up to cleanup."""
        with suppress(RuntimeError):  # there is none
            self._table.tags.delete(f"r{release}")

    def has(self, release: int) -> bool:
        """Whether it can be taken back to what it was at a release."""
        return f"r{release}" in self._table.tags.list()

    def tagged(self) -> set[int]:
        """The releases whose versions are protected."""
        return {int(tag.removeprefix("r")) for tag in self._table.tags.list() if tag.removeprefix("r").isdecimal()}

    def since(self, release: int) -> list[Entry]:
        """Entries of documents whose newest revision came after a release, without text."""
        self._table.checkout_latest()
        rows = self._table.search().where(col("release") > lit(release)).select(_BRIEF).limit(tables.ALL).to_arrow()
        return list(_entries(rows))

    def fold(self) -> None:
        """Merges small fragments and brings the indexes up to date."""
        tables.fold(self._table)
        tables.fold(self._tombstones)

    def erase_deleted(self) -> None:
        """The head holds no byte of what was replaced, or deleted, any more."""
        tables.erase_deleted(self._table)

    def make_indexes_one(self) -> None:
        """Makes the parts of indexes one where they are many, or large."""
        tables.make_one(self._table)

    def clean(self, age: timedelta) -> int:
        """Removes old versions; returns the bytes freed."""
        return tables.clean(self._table, age) + tables.clean(self._tombstones, age)


def _entries(rows: pa.Table) -> list[Entry]:
    return [_entry(row) for row in rows.to_pylist()]


def _entry(row: dict[str, Any]) -> Entry:
    bands, pages = row.get("bands"), row.get("pages") or ()
    long = {"text": row.get("text"), "form": row.get("form"), "pages": tuple((start, number) for start, number in pages)}
    return Entry(**(row | long | {"bands": tuple(bands) if bands is not None else None}))
