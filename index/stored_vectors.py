"""The vectors of rows, which searches compare with questions."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from index import vector_index
from index.kept_rows import Files, KeptRows, Rows
from index.vectors import Vectors

# What a vector takes in memory beside its numbers: the name of its place, and what keeps the order.
BESIDE = 350


def kept_vectors(most_bytes: int) -> KeptRows[bytes]:
    """Room for vectors as they are stored."""
    return KeptRows(most_bytes, lambda vector: len(vector) + BESIDE)


class StoredVectors:
    """The vectors of a Lance dataset that stays on one version, by row. Safe to share between threads.

    To read a hundred takes four milliseconds of a core, more than an index takes to find them: those compared last stay in memory.
    """

    def __init__(self, dataset: Any, files: Files, kept: KeptRows[bytes]) -> None:
        self._numbers = dataset.schema.field(vector_index.COLUMN).type.value_type.to_pandas_dtype()
        self._rows = Rows(dataset, files, kept, [vector_index.COLUMN], _as_bytes)
        self.files, self._kept = files, kept
        self._each = BESIDE + vector_index.stored_bytes(dataset.schema.field(vector_index.COLUMN))

    def scores(self, vector: Vectors, rows: Sequence[int]) -> Vectors:
        """The cosine of each row's vector to `vector`, shape (dimensions,), in the same order: shape (rows,)."""
        # As an exact search compares them: a question is rounded as the stored vectors are.
        rounded = vector.astype(self._numbers).astype(np.float32)
        stored = np.frombuffer(b"".join(self._rows.at(rows)), self._numbers).astype(np.float32).reshape(-1, len(vector))
        # Not a product of matrices: that of equal rows differs in the last bit, and ties go by the rows.
        found: Vectors = (stored * rounded).sum(axis=1)
        return found

    def fit(self, count: int) -> bool:
        """Whether so many of them fit into memory."""
        return self._kept.has_room_for(count, self._each)

    def take_in(self, fragment: int) -> Iterator[None]:
        """Takes those of a fragment into memory, a slice at each step."""
        return self._rows.take_in(fragment)


def _as_bytes(table: pa.Table) -> list[bytes]:
    numbers = table[vector_index.COLUMN].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return [vector.tobytes() for vector in numbers.reshape(len(table), -1)]
