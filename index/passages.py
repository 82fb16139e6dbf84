"""The passages of a release by their rows."""

from typing import Any

import pyarrow as pa

from index.chunks import SHOWN, Chunk, chunk_from_row
from index.kept_rows import Files, KeptRows, Rows

# What a passage takes in memory: for each character of its text and of its metadata (as Python shows it; it is objects), and beside.
A_CHARACTER, OF_METADATA, BESIDE = 2, 12, 1_000


def kept_passages(most_bytes: int) -> KeptRows[Chunk]:
    """Room for passages. Searches find the same ones again and again: to read ten of them takes two milliseconds of a core."""
    return KeptRows(most_bytes, _bytes)


def stored_passages(dataset: Any, files: Files, kept: KeptRows[Chunk]) -> Rows[Chunk]:
    """What is shown of the rows of a Lance dataset that stays on one version."""
    return Rows(dataset, files, kept, SHOWN, _chunks)


def _chunks(table: pa.Table) -> list[Chunk]:
    return [chunk_from_row(row) for row in table.to_pylist()]


def _bytes(chunk: Chunk) -> int:
    return BESIDE + A_CHARACTER * len(chunk.text) + OF_METADATA * len(repr(chunk.metadata))
