"""What was read of rows last stays in memory, by the files that they are in: a file never changes, and versions of a table share most."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, Generic, Self, TypeVar

import pyarrow as pa

# A row's number begins with that of its fragment.
_OFFSET_BITS = 32
# The files of a fragment, and a row of it.
Place = tuple[str, int]
V = TypeVar("V")


class KeptRows(Generic[V]):
    """What was made of rows by their places. Safe to share between threads."""

    def __init__(self, most_bytes: int, size: Callable[[V], int]) -> None:
        """It keeps so many bytes in memory at most, by what `size` says of each."""
        self._most = self._left = most_bytes
        self._size = size
        self._known: OrderedDict[Place, V] = OrderedDict()
        self._lock = Lock()

    def at(self, places: Sequence[Place]) -> list[V | None]:
        """What is known of these places, in the same order; None of those that are not in memory."""
        with self._lock:
            found = [self._known.get(place) for place in places]
            for place, value in zip(places, found, strict=True):
                if value is not None:
                    self._known.move_to_end(place)
        return found

    def keep(self, read: Mapping[Place, V]) -> None:
        """Takes these in; what was asked for longest ago makes room."""
        with self._lock:
            for place, value in read.items():
                size = self._size(value)
                if place not in self._known and size <= self._most:
                    self._known[place] = value
                    self._left -= size
            while self._left < 0:
                self._left += self._size(self._known.popitem(last=False)[1])

    def without(self, unwanted: Callable[[V], bool]) -> Self:
        """The same to begin with, but for what is unwanted."""
        other = type(self)(self._most, self._size)
        with self._lock:
            known = dict(self._known)
        other.keep({place: value for place, value in known.items() if not unwanted(value)})
        return other


class Rows(Generic[V]):
    """Rows of a Lance dataset that stays on one version, read where they are not in memory. Safe to share between threads."""

    def __init__(self, dataset: Any, kept: KeptRows[V], columns: Sequence[str], made_of: Callable[[pa.Table], Sequence[V]]) -> None:
        """`made_of` makes of some columns what is wanted of each row."""
        self._dataset = dataset
        self._kept = kept
        self._columns = list(columns)
        self._made_of = made_of

    def at(self, rows: Sequence[int]) -> list[V]:
        """What is in these rows, in the same order."""
        places = [(self._files[row >> _OFFSET_BITS], row) for row in rows]
        found = self._kept.at(places)
        missing = dict.fromkeys(place for place, value in zip(places, found, strict=True) if value is None)
        read = self._read(list(missing)) if missing else {}
        return [read[place] if value is None else value for place, value in zip(places, found, strict=True)]

    def _read(self, places: Sequence[Place]) -> dict[Place, V]:
        # What `_take_rows` does is public, with offsets in place of the numbers of rows.
        table = self._dataset._take_rows([row for _, row in places], columns=self._columns)  # noqa: SLF001
        read = dict(zip(places, self._made_of(table), strict=True))
        self._kept.keep(read)
        return read

    @cached_property
    def _files(self) -> dict[int, str]:
        return {part.fragment_id: " ".join(file.path for file in part.data_files()) for part in self._dataset.get_fragments()}
