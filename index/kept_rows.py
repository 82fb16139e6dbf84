"""What was read of rows last stays in memory, by the files that they are in: a file never changes, and versions of a table share most."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Generic, Self, TypeVar

import pyarrow as pa

# A row's number begins with that of its fragment.
_OFFSET_BITS = 32
ROW = "_rowid"
# Rows that are taken in at a step: 10 ms of work.
SLICE = 2048
# The files of a fragment, and a row of it.
Place = tuple[str, int]
# Those of a dataset, by the numbers of its fragments.
Files = Mapping[int, str]
V = TypeVar("V")


def files_of(dataset: Any) -> Files:
    """The files of a Lance dataset that stays on one version."""
    return {part.fragment_id: " ".join(file.path for file in part.data_files()) for part in dataset.get_fragments()}


class KeptRows(Generic[V]):
    """What was made of rows by their places. Safe to share between threads."""

    def __init__(self, most_bytes: int, size: Callable[[V], int], known: Iterable[tuple[Place, tuple[V, int]]] = ()) -> None:
        """It keeps so many bytes in memory at most, by what `size` says of each; `known` is there to begin with, with its size."""
        self._most = most_bytes
        self._size = size
        # Not `cachetools`, which is written in Python: a hundred vectors take it twice as long, with the interpreter's lock.
        self._known = OrderedDict(known)
        self._left = most_bytes - sum(size for _, size in self._known.values())
        self._lock = Lock()

    def has_room_for(self, count: int, each: int) -> bool:
        """Whether so many of so many bytes fit, with nothing beside them."""
        return count * each <= self._most

    def at(self, places: Sequence[Place]) -> list[V | None]:
        """What is known of these places, in the same order; None of those that are not in memory."""
        found: list[V | None] = []
        with self._lock:
            for place in places:
                known = self._known.get(place)
                if known is not None:
                    self._known.move_to_end(place)
                found.append(known[0] if known is not None else None)
        return found

    def keep(self, read: Mapping[Place, V]) -> None:
        """Takes these in; what was asked for longest ago makes room."""
        sized = [(place, (value, self._size(value))) for place, value in read.items()]
        with self._lock:
            for place, known in sized:
                if place not in self._known and known[1] <= self._most:
                    self._known[place] = known
                    self._left -= known[1]
            while self._left < 0:
                self._left += self._known.popitem(last=False)[1][1]

    def without(self, unwanted: Callable[[V], bool]) -> Self:
        """The same to begin with, but for what is unwanted: whoever still uses this one puts nothing into that."""
        with self._lock:
            known = list(self._known.items())
        return type(self)(self._most, self._size, (item for item in known if not unwanted(item[1][0])))


class Rows(Generic[V]):
    """Rows of a Lance dataset that stays on one version, read where they are not in memory. Safe to share between threads."""

    def __init__(
        self, dataset: Any, files: Files, kept: KeptRows[V], columns: Sequence[str], made_of: Callable[[pa.Table], Sequence[V]]
    ) -> None:
        """`files` are those of the dataset; `made_of` makes of some columns what is wanted of each row."""
        self._dataset = dataset
        self._files = files
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

    def take_in(self, fragment: int) -> Iterator[None]:
        """Takes the rows of a fragment into memory, a slice at each step."""
        wanted = [self._dataset.get_fragment(fragment)]
        found = self._dataset.scanner(columns=self._columns, with_row_id=True, fragments=wanted, batch_size=SLICE)
        for rows in found.to_batches():
            places = [(self._files[fragment], row) for row in rows[ROW].to_pylist()]
            self._kept.keep(dict(zip(places, self._made_of(pa.table(rows)), strict=True)))
            yield

    def _read(self, places: Sequence[Place]) -> dict[Place, V]:
        # What `_take_rows` does is public, with offsets in place of the numbers of rows.
        table = self._dataset._take_rows([row for _, row in places], columns=self._columns)  # noqa: SLF001
        read = dict(zip(places, self._made_of(table), strict=True))
        self._kept.keep(read)
        return read
