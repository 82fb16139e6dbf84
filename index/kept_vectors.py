"""Vectors of rows, which searches compare with questions; those that were compared last stay in memory."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from index import vector_index
from index.vectors import Vectors

# What a vector takes in memory beside its numbers: the names of its place, and what keeps the order.
BESIDE = 350
_OFFSET_BITS = 32
# The files of a fragment, and the row.
Place = tuple[str, int]


class KeptVectors:
    """Vectors as they are stored, by their files: a file never changes, whatever becomes of its table. Safe to share between threads."""

    def __init__(self, most_bytes: int) -> None:
        """It keeps so many bytes in memory at most."""
        self._left = most_bytes
        self._known: OrderedDict[Place, bytes] = OrderedDict()
        self._lock = Lock()

    def at(self, places: Sequence[Place]) -> list[bytes | None]:
        """The vectors in these places, in the same order; None for those that are not in memory."""
        with self._lock:
            found = [self._known.get(place) for place in places]
            for place, vector in zip(places, found, strict=True):
                if vector is not None:
                    self._known.move_to_end(place)
        return found

    def keep(self, read: Mapping[Place, bytes]) -> None:
        """Takes these in; those that were asked for longest ago make room."""
        with self._lock:
            for place, vector in read.items():
                if place not in self._known:
                    self._known[place] = vector
                    self._left -= len(vector) + BESIDE
            while self._left < 0:
                self._left += len(self._known.popitem(last=False)[1]) + BESIDE


class StoredVectors:
    """The vectors of a Lance dataset that stays on one version, by row. Safe to share between threads.

    To read a hundred takes four milliseconds of a core, more than an index takes to find them.
    """

    def __init__(self, dataset: Any, kept: KeptVectors) -> None:
        self._dataset = dataset
        self._kept = kept

    def scores(self, vector: Vectors, rows: Sequence[int]) -> Vectors:
        """The cosine of each row's vector to `vector`, shape (dimensions,), in the same order: shape (rows,)."""
        # As an exact search compares them: a question is rounded as the stored vectors are.
        rounded = vector.astype(self._numbers).astype(np.float32)
        stored = np.frombuffer(b"".join(self._at(rows)), self._numbers).astype(np.float32).reshape(-1, len(vector))
        found: Vectors = stored @ rounded
        return found

    def _at(self, rows: Sequence[int]) -> list[bytes]:
        places = [(self._files[row >> _OFFSET_BITS], row) for row in rows]
        found = self._kept.at(places)
        missing = [place for place, vector in zip(places, found, strict=True) if vector is None]
        read = self._read(missing) if missing else {}
        return [vector or read[place] for place, vector in zip(places, found, strict=True)]

    def _read(self, places: Sequence[Place]) -> dict[Place, bytes]:
        rows = [row for _, row in places]
        column = self._dataset._take_rows(rows, columns=[vector_index.COLUMN])[vector_index.COLUMN]  # noqa: SLF001 - as in `Passages`
        vectors = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(rows), -1)
        read = {place: vector.tobytes() for place, vector in zip(places, vectors, strict=True)}
        self._kept.keep(read)
        return read

    @cached_property
    def _numbers(self) -> Any:
        return self._dataset.schema.field(vector_index.COLUMN).type.value_type.to_pandas_dtype()

    @cached_property
    def _files(self) -> dict[int, str]:
        return {part.fragment_id: " ".join(file.path for file in part.data_files()) for part in self._dataset.get_fragments()}
