"""A part of the rows of a release in a table of its own, to try out what an index of that size would do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable

from index import tables, vector_index
from index.search import View
from index.vectors import Vectors

SEED = 1
NAME = "rows"


class Subsample:
    """The vectors of some rows, drawn at random. Has what is needed to index and to search them."""

    def __init__(self, table: LanceTable, view: View, folder: Path) -> None:
        self._table = table
        self._release = view.release
        self._folder = folder

    @classmethod
    def of(cls, view: View, rows: int, folder: Path) -> "Subsample":
        """About so many rows of a view, copied into an empty folder; nothing but what is copied at once is held in memory."""
        connection = tables.connect(str(folder))
        drawn = pa.RecordBatchReader.from_batches(pa.schema([view.vector_column]), _drawn(view, rows / max(1, view.release.rows)))
        return cls(cast(LanceTable, connection.create_table(NAME, data=drawn)), view, folder)

    def count(self) -> int:
        """Rows."""
        return int(self._table.count_rows())

    def sample_vectors(self, count: int) -> Vectors:
        """Some of the vectors, in no order: shape (count, dimensions)."""
        return vector_index.sample(self._table.to_lance(), count)

    def build_vector_index(self, centres: Vectors, bits: int) -> None:
        """Makes the vector index around these centres."""
        vector_index.build(self._table, centres, bits)

    def index_bytes(self) -> int:
        """Bytes of the vector index on disk, which is what it takes in memory."""
        return sum(path.stat().st_size for path in (self._folder / f"{NAME}.lance" / "_indices").rglob("*") if path.is_file())

    def view(self) -> View:
        """The rows, opened for searching as where searches are served: with room in memory for the index. A hit has nothing to show."""
        self._table.checkout_latest()
        release = replace(self._release, version=int(self._table.version), rows=self.count(), search={})
        return View(release, tables.dataset(self._table, tables.session(tables.SERVING_CACHE, release.rows)), ())


def _drawn(view: View, share: float) -> Iterator[pa.RecordBatch]:
    rng = np.random.default_rng(SEED)
    for batch in view.vector_batches():
        chosen = np.flatnonzero(rng.random(batch.num_rows) < share)
        if len(chosen):
            yield cast(Any, batch).take(pa.array(chosen))
