"""What is remembered of questions that were asked before: their vectors, and the replies to searches."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from threading import Lock
from time import perf_counter
from weakref import ref

from cachetools import LRUCache

from index.search import View
from index.vectors import Vectors
from tasks.retrieve import Query, Retrieved

MIB = 1024 * 1024
VECTORS = 4096
# What a hit takes beside its text.
HIT_BYTES = 2_000


class RememberedVectors:
    """The vectors of the last questions of one model. It keeps no question: only its hash."""

    def __init__(self, embed: Callable[[str], Vectors], most: int = VECTORS) -> None:
        self._embed = embed
        self._known: LRUCache[bytes, Vectors] = LRUCache(most)
        self._lock = Lock()

    def knows(self, text: str) -> bool:
        """Whether it remembers the vector of a question."""
        with self._lock:
            return _digest(text) in self._known

    def vector(self, text: str) -> Vectors:
        """The vector of a question."""
        key = _digest(text)
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        vector = self._embed(text).copy()  # it may be a row of a batch, all of which would stay
        vector.flags.writeable = False  # many share it
        with self._lock:
            self._known[key] = vector
        return vector


class Replies:
    """Replies of searches by the release as it was opened, and by all that was asked, the filter of the key included.

    A view never changes what it shows: a deletion makes the reader open a new one. So what is remembered of a view is what a search of
    it finds now, and nobody asks for what is remembered of a view that is gone; `forget_closed` frees it. It keeps no question.
    """

    def __init__(self, most_mib: int) -> None:
        """0 remembers nothing."""
        self._known: LRUCache[tuple[ref[View], bytes], Retrieved] = LRUCache(most_mib * MIB, getsizeof=_bytes)
        self._lock = Lock()

    def found(self, view: View, query: Query, search: Callable[[], Retrieved]) -> Retrieved:
        """What the search finds, or found before: then its `timings_ms` has `cached`. A degraded reply is never remembered."""
        began = perf_counter()
        key = (ref(view), _digest(_as_text(query)))
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            took = round((perf_counter() - began) * 1000, 2)
            return replace(known, timings_ms={"embed": 0.0, "search": 0.0, "cached": took, "total": took})
        found = search()
        if not found.degraded and _bytes(found) <= self._known.maxsize:
            with self._lock:
                self._known[key] = found
        return found

    def forget_closed(self) -> None:
        """Frees what is remembered of views that nobody has open: after a deletion its text must not stay in memory."""
        with self._lock:
            for key in [key for key in self._known if key[0]() is None]:
                del self._known[key]

    def __len__(self) -> int:
        return len(self._known)


def _bytes(found: Retrieved) -> int:
    around = (chunk for hit in found.hits if hit.around for chunk in (*hit.around.before, *hit.around.after))
    return HIT_BYTES + sum(HIT_BYTES + 2 * len(chunk.text) for chunk in (*(hit.chunk for hit in found.hits), *around))


def _as_text(query: Query) -> str:
    """All of a query but its vector, which follows from its text."""
    return json.dumps(asdict(replace(query, vector=None)), sort_keys=True, default=repr)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
