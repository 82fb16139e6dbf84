"""The passages of a release by their rows."""

from typing import Any

from index.chunk_rows import Chunk, chunks_from, columns_of_chunks
from index.kept_rows import Files, KeptRows, Rows

# What a passage takes in memory: for each character of its text and of its metadata (as Python shows it; it is objects), and beside.
A_CHARACTER, OF_METADATA, BESIDE = 2, 12, 1_000


def kept_passages(most_bytes: int) -> KeptRows[Chunk]:
    """Room for passages. Searches find the same ones again and again: to read ten of them takes two milliseconds of a core."""
    return KeptRows(most_bytes, _bytes)


def stored_passages(dataset: Any, files: Files, kept: KeptRows[Chunk]) -> Rows[Chunk]:
    """What is shown of the rows of a Lance dataset that stays on one version."""
    return Rows(dataset, files, kept, columns_of_chunks(dataset.schema.names), chunks_from)


def _bytes(chunk: Chunk) -> int:
    return BESIDE + A_CHARACTER * len(chunk.text) + OF_METADATA * len(repr(chunk.metadata))
