"""What a generation that is being built already has. Kept beside it, so that a rebuild goes on where it was."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc
from lancedb.db import DBConnection
from lancedb.table import LanceTable

from index import schema, tables

_KEYS = ["doc_id", "indexed_revision", "duplicate_of"]


@dataclass(frozen=True, slots=True)
class Done:
    """A document as the ledger has it: what its passages depend on."""

    doc_id: str
    indexed_revision: int
    duplicate_of: str | None


class Rebuilt:
    """The documents of a generation that is not served yet: as of which revision they are in it, and with how many passages."""

    def __init__(self, db: DBConnection, generation: str) -> None:
        self._db = db
        self._name = f"rebuilt_{generation}"
        self._table: LanceTable = tables.open_or_create(db, self._name, schema.REBUILT, "doc_id", ("doc_id",))

    def rows(self) -> pa.Table:
        """All of them."""
        self._table.checkout_latest()
        names = schema.REBUILT.names
        return self._table.search().select(names).limit(tables.ALL).to_arrow().select(names)

    def note(self, documents: Sequence[Done], passages: Mapping[str, int]) -> None:
        """The documents are in the generation, as the ledger had them, with so many passages."""
        rows = [asdict(document) | {"chunks": passages.get(document.doc_id, 0)} for document in documents]
        table = pa.Table.from_pylist(rows, schema=schema.REBUILT)
        self._table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all().execute(table)

    def forget(self, doc_ids: Sequence[str]) -> None:
        """The documents are no longer in the generation, or not as they should be."""
        if doc_ids:
            self._table.delete(tables.one_of("doc_id", doc_ids))

    def drop(self) -> None:
        """The generation is done, or given up."""
        self._db.drop_table(self._name)


def difference(wanted: pa.Table, done: pa.Table) -> tuple[list[Done], list[str]]:
    """The documents of `wanted` (as `Ledger.indexed`) that are not done as they are; the ids of those done that are wanted no more."""
    wanted, done = (_without_nulls(table.select(_KEYS)) for table in (wanted, done))
    missing = wanted.join(done, _KEYS, join_type="left anti").sort_by("doc_id").select(_KEYS).to_pylist()
    gone = done.join(wanted, ["doc_id"], join_type="left anti")
    return [Done(**(row | {"duplicate_of": row["duplicate_of"] or None})) for row in missing], gone["doc_id"].to_pylist()


def miscounted(done: pa.Table, stored: pa.Table) -> tuple[list[str], list[str]]:
    """Documents that have other passages stored than were noted; those of which some are stored, and nothing is noted."""
    noted = done.select(["doc_id", "chunks"]).filter(pc.greater(done["chunks"], 0))
    odd = noted.join(stored, ["doc_id", "chunks"], join_type="left anti")
    gone = stored.join(noted, ["doc_id"], join_type="left anti")
    return odd["doc_id"].to_pylist(), gone["doc_id"].to_pylist()


def _without_nulls(table: pa.Table) -> pa.Table:
    """Nulls equal nothing in a join."""
    place = table.schema.get_field_index("duplicate_of")
    return table.set_column(place, "duplicate_of", table["duplicate_of"].fill_null(""))
