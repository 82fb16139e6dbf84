"""What those who serve searches keep in memory of the rows that searches find."""

from dataclasses import dataclass, replace
from typing import Self

from index.chunk_rows import Chunk
from index.kept_rows import KeptRows
from index.passages import kept_passages
from index.stored_vectors import kept_vectors


@dataclass(frozen=True, slots=True)
class Kept:
    """The passages that hits show, and the vectors that candidates are compared by."""

    passages: KeptRows[Chunk]
    vectors: KeptRows[bytes]

    @classmethod
    def room(cls, for_passages: int, for_vectors: int) -> Self:
        """Room for so many bytes of each."""
        return cls(kept_passages(for_passages), kept_vectors(for_vectors))

    @classmethod
    def nothing(cls) -> Self:
        """No room: both are read each time."""
        return cls.room(0, 0)

    def without(self, doc_ids: frozenset[str]) -> Self:
        """The same to begin with, but for the passages of these documents."""
        return replace(self, passages=self.passages.without(lambda chunk: chunk.doc_id in doc_ids))
