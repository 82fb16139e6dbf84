"""The vector index of a chunk table: partitions around centres, and a few bits of each dimension (IVF_RQ)."""

import os
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
from lancedb.table import LanceTable

from index.vectors import Vectors

# Statistics would hold every centre, 1.5 million numbers for ten million rows.
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
COLUMN = "vector"
NAME = "vector_idx"
KIND = "IVF_RQ"


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """What an index covers. `unindexed` rows are looked at one by one, in each search."""

    partitions: int
    indexed: int
    unindexed: int


def describe(dataset: Any) -> VectorIndex | None:
    """The index of the dataset's version; None when it has none. Reads its statistics."""
    if not segments(dataset):
        return None
    stats = dataset.stats.index_stats(NAME)
    partitions = max((int(part.get("num_partitions", 0)) for part in stats["indices"]), default=0)
    return VectorIndex(partitions, int(stats["num_indexed_rows"]), int(stats["num_unindexed_rows"]))


def segments(dataset: Any) -> frozenset[str]:
    """The ids of the parts that the index has; empty when there is none."""
    return frozenset(part.uuid for index in dataset.describe_indices() if index.name == NAME for part in index.segments)


def stored_bytes(column: pa.Field) -> int:
    """What one vector of the column takes."""
    return int(column.type.list_size * column.type.value_type.bit_width // 8)


def sample(dataset: Any, count: int) -> Vectors:
    """Some of the vectors, in no order: shape (count, dimensions)."""
    return as_array(dataset.sample(count, columns=[COLUMN])[COLUMN])


def as_array(column: pa.ChunkedArray) -> Vectors:
    """The vectors of a column: shape (rows, dimensions)."""
    whole = column.combine_chunks()
    vectors: Vectors = np.asarray(whole.flatten(), dtype=np.float32).reshape(len(whole), -1)
    return vectors


def build(table: LanceTable, centres: Vectors, bits: int) -> None:
    """Makes the index anew around these centres; searches use the old one until the new one is committed."""
    cast(Any, table.to_lance()).create_index(
        COLUMN, KIND, name=NAME, metric="dot", replace=True, num_partitions=len(centres), num_bits=bits, ivf_centroids=centres
    )
    table.checkout_latest()
