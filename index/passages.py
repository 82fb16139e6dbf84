"""The passages of a release by their rows; those that were read last stay in memory."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from cachetools import LRUCache

from index.chunks import SHOWN, Chunk, chunk_from_row

# What a passage takes in memory: for each character of its text and of its metadata (JSON, of which numbers become objects), and beside.
A_CHARACTER, OF_METADATA, BESIDE = 2, 12, 1_000
Sized = tuple[Chunk, int]


class Passages:
    """Reads them from a Lance dataset that stays on one version. Safe to share between threads.

    Searches find the same passages again and again: to read ten of them takes two milliseconds of a core.
    """

    def __init__(self, dataset: Any, most_bytes: int = 0) -> None:
        """It keeps so many bytes in memory at most."""
        self._dataset = dataset
        self._known: LRUCache[int, Sized] = LRUCache(most_bytes, getsizeof=lambda sized: sized[1])
        self._lock = Lock()

    def at(self, rows: Sequence[int]) -> list[Chunk]:
        """The passages in these rows, in the same order."""
        with self._lock:
            found = {row: known[0] for row in rows if (known := self._known.get(row))}
        if missing := [row for row in dict.fromkeys(rows) if row not in found]:
            found |= self._read(missing)
        return [found[row] for row in rows]

    def _read(self, rows: list[int]) -> dict[int, Chunk]:
        table = self._dataset._take_rows(rows, columns=list(SHOWN))  # noqa: SLF001 - what it does is public, with offsets for rows
        read = dict(zip(rows, table.to_pylist(), strict=True))
        found = {row: chunk_from_row(fields) for row, fields in read.items()}
        with self._lock:
            self._known.update((row, (found[row], size)) for row, fields in read.items() if (size := _bytes(fields)) <= self._known.maxsize)
        return found


def _bytes(fields: Mapping[str, Any]) -> int:
    return BESIDE + A_CHARACTER * len(fields["text"]) + OF_METADATA * len(fields["metadata"] or "")
