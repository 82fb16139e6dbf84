"""What a release holds: samples, counts and sizes, for those who measure and look after it. Nothing here is for each request."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from index import vector_index
from index.chunk_rows import FULL_TEXT_COLUMN
from index.embedder import Vectors
from index.footprint import Footprint, footprint
from index.releases import Release

# Rows that are compared at once with what is looked for exactly.
SLICE = 8192


class Contents:
    """The rows of one release: a Lance dataset that stays on the release's version."""

    def __init__(self, release: Release, dataset: Any, words: Any = None) -> None:
        """`words`: the same rows with caches of their own for what concerns the text index; without it there is nothing but `dataset`."""
        self.release = release
        self._dataset = dataset
        self._words = words or dataset

    def nearest(self, vectors: Vectors, count: int, condition: str | None = None) -> Vectors:
        """The scores of the passages that are truly nearest to each vector, best first: shape (vectors, count).

        Minus infinity where there are fewer passages. Reads every vector that matches once, a slice after the other.
        """
        # As a search compares them: a question is rounded as the stored vectors are.
        vectors = vectors.astype(self.vector_column.type.value_type.to_pandas_dtype()).astype(np.float32)
        best = np.full((len(vectors), count), -np.inf, dtype=np.float32)
        for batch in self.vector_batches(condition):
            stored = np.asarray(batch["vector"].flatten(), dtype=np.float32).reshape(batch.num_rows, -1)
            scores = vectors @ stored.T
            # After the first slices few vectors find anything nearer: looking for that is cheaper than sorting.
            better = np.flatnonzero((scores > best.min(axis=1, keepdims=True)).any(axis=1))
            best[better] = -np.partition(-np.hstack([best[better], scores[better]]), count - 1, axis=1)[:, :count]
        return -np.sort(-best, axis=1)

    def vector_batches(self, condition: str | None = None) -> Iterator[pa.RecordBatch]:
        """Every vector of the release, or of the rows that match, a slice after the other."""
        yield from self._dataset.to_batches(columns=[vector_index.COLUMN], filter=condition, batch_size=SLICE)

    def sample_texts(self, count: int) -> list[str]:
        """The texts of some passages from all over the release, in no order."""
        rows = self._dataset.sample(min(count, self.release.rows), columns=["text"])
        return [str(text) for text in rows["text"].to_pylist()]

    def sample_vectors(self, count: int) -> Vectors:
        """Some of the vectors, in no order: shape (count, dimensions)."""
        return vector_index.sample(self._dataset, count)

    def sample_embedded(self, count: int) -> tuple[list[str], Vectors]:
        """What was embedded for some passages, and their vectors, shape (count, dimensions)."""
        rows = self._dataset.sample(count, columns=[FULL_TEXT_COLUMN, vector_index.COLUMN])
        return rows[FULL_TEXT_COLUMN].to_pylist(), vector_index.as_array(rows[vector_index.COLUMN])

    def embedded(self, chunk_ids: Sequence[str]) -> tuple[list[str], Vectors]:
        """What was embedded for these passages, and the vectors that are stored of it, shape (passages, dimensions); in no order."""
        wanted = pc.field("chunk_id").isin(list(chunk_ids))
        rows = self._dataset.to_table(columns=[FULL_TEXT_COLUMN, vector_index.COLUMN], filter=wanted)
        return rows[FULL_TEXT_COLUMN].to_pylist(), vector_index.as_array(rows[vector_index.COLUMN])

    def holds(self, chunk_ids: Sequence[str]) -> frozenset[str]:
        """Which of these passages it has."""
        rows = self._dataset.to_table(columns=["chunk_id"], filter=pc.field("chunk_id").isin(list(chunk_ids)))
        return frozenset(rows["chunk_id"].to_pylist())

    def unindexed_text(self) -> int:
        """Rows that the full-text index does not have: a search by text reads each. Reads statistics: not for each request."""
        names = [index.name for index in self._dataset.describe_indices() if FULL_TEXT_COLUMN in index.field_names]
        return max((int(self._words.stats.index_stats(name)["num_unindexed_rows"]) for name in names), default=self.release.rows)

    def fragments(self) -> int:
        """In how many pieces the rows are."""
        return len(self._dataset.get_fragments())

    def passages(self) -> dict[str, int]:
        """How many passages each document has. Reads a column: not for each request."""
        rows = self._dataset.to_table(columns=["doc_id"]).group_by("doc_id").aggregate([([], "count_all")])
        return dict(zip(rows["doc_id"].to_pylist(), rows["count_all"].to_pylist(), strict=True))

    @property
    def vector_column(self) -> pa.Field:
        """How its vectors are stored."""
        return self._dataset.schema.field(vector_index.COLUMN)

    def bytes_per_row(self) -> float:
        """What a row takes on disk, its part of the indexes not included."""
        files = (file for fragment in self._dataset.get_fragments() for file in fragment.data_files())
        return sum(file.file_size_bytes or 0 for file in files) / max(1, self.release.rows)

    def footprint(self) -> Footprint:
        """What the whole table takes, other releases included."""
        return footprint(self._dataset)

    def files(self, footprint: Footprint) -> dict[str, int]:
        """Bytes by file of the table that this release needs."""
        return footprint.of(self._dataset)

    def texts(self) -> tuple[int, int]:
        """How many passages there are, and how many different strings were embedded for them. Reads a column: not for each request."""
        hashes = self._dataset.to_table(columns=["text_hash"])["text_hash"]
        return len(hashes), len(hashes.unique())
